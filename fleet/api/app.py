"""The FastAPI application: routes, the error shape, limits on what may come in."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fleet import __version__
from fleet.api.answers import JSON, error_answer
from fleet.api.routes import (
    accounts,
    actions,
    applications,
    audit,
    certificates,
    clusters,
    documents,
    health,
    operations,
    projects,
    repositories,
    system,
)
from fleet.errors import FleetError
from fleet.logs import fields
from fleet.model.scope import Actor
from fleet.operations.runtime import Runtime

log = logging.getLogger(__name__)

#: A whole fleet's documents fit; a body beyond it is refused before it is read.
BODY_BYTES = 32 << 20

#: No cached credentials, no sniffing, no framing: an API has no business in a frame.
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


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
        projects,
        applications,
        actions,
        documents,
        operations,
        accounts,
        audit,
    ):
        api.include_router(noun.router)
    app.include_router(api)
    app.add_exception_handler(FleetError, _fleet_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _bug)
    app.middleware("http")(_dress)
    app.add_middleware(LimitBody)
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


async def _bug(request: Request, error: Exception) -> Response:
    log.error("a request failed in a way it should not", exc_info=error)
    message = "Fleet failed in a way it should not; its log has the details"
    request_id = getattr(request.state, "request_id", "")
    return error_answer(
        500, {"type": "FleetError", "message": message, "hint": f"Request id: {request_id}."}
    )


async def _dress(request: Request, handle: Callable[[Request], Awaitable[Response]]) -> Response:
    """Give each request an id, and each answer the headers that all answers have."""
    request.state.request_id = secrets.token_hex(8)
    response = await handle(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["X-Request-Id"] = request.state.request_id
    log.debug("%s %s", request.method, request.url.path, extra=fields(status=response.status_code))
    return response


class LimitBody:
    """Refuses a body that is too large while it comes in, before anything parses it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > BODY_BYTES:
                raise HTTPException(413, f"a body may have {BODY_BYTES >> 20} MiB")
            return message

        await self._app(scope, counted, send)
