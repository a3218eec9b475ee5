"""The FastAPI application: its routes, and the one shape that their errors have."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from fleet import __version__
from fleet.api.answers import JSON, error_answer
from fleet.api.envelope import Envelope, LimitBody
from fleet.api.routes import (
    access,
    accounts,
    actions,
    adopting,
    applications,
    audit,
    by_hand,
    certificates,
    clusters,
    decryptionkeys,
    documents,
    gpgkeys,
    health,
    holding,
    operations,
    plugins,
    project_roles,
    projects,
    repositories,
    resource_actions,
    system,
)
from fleet.errors import FleetError
from fleet.model.scope import Actor
from fleet.operations.runtime import Runtime


def create_app(runtime: Runtime, *, local: Actor | None = None) -> FastAPI:
    """The API over ``runtime``.

    Args:
        local: who calls when the application is mounted in the caller's own process, where
            there is no one to prove anything to; None asks every request for a token.
    """
    app = FastAPI(
        title="Fleet",
        version=__version__,
        summary="A GitOps control plane for many Kubernetes clusters",
        default_response_class=JSON,
        docs_url=None,
        redoc_url=None,
    )
    app.state.runtime = runtime
    app.state.local = local
    app.include_router(health.router)
    api = APIRouter(prefix="/api/v1")
    for noun in (
        system,
        clusters,
        repositories,
        certificates,
        gpgkeys,
        decryptionkeys,
        plugins,
        projects,
        project_roles,
        applications,
        actions,
        resource_actions,
        adopting,
        documents,
        holding,
        by_hand,
        operations,
        accounts,
        access,
        audit,
    ):
        api.include_router(noun.router)
    app.include_router(api)
    app.add_exception_handler(FleetError, _fleet_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_middleware(LimitBody)
    app.add_middleware(Envelope)
    return app


def create_health_app(runtime: Runtime) -> FastAPI:
    """Only what a probe asks: for processes that serve no API."""
    app = FastAPI(title="Fleet", version=__version__, openapi_url=None, docs_url=None)
    app.state.runtime = runtime
    app.include_router(health.router)
    return app


async def _fleet_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, FleetError)
    return error_answer(error.http_status, error.as_dict())


async def _invalid(_: Request, error: Exception) -> Response:
    """A body or query of the wrong shape: the first fault, by field, never the value."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:])
    message = f"{field or 'the request'}: {first['msg'].lower()}"
    return error_answer(422, {"type": "SpecInvalid", "message": message, "field": field})


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = {404: "NotFound", 405: "UsageError", 413: "UsageError"}.get(
        error.status_code, "UsageError"
    )
    message = f"{request.method} {request.url.path}: {error.detail}"
    return error_answer(error.status_code, {"type": kind, "message": message})
