"""Tokens of projects' roles. The roles themselves stand in the project's document."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fastapi import Response

from fleet.api.answers import created
from fleet.api.caller import Calling
from fleet.api.guarded import guarded_router
from fleet.api.routes.accounts import TokenBody, token_shape
from fleet.api.shapes import page
from fleet.operations import project_roles as operations

router = guarded_router("projects")

_TOKENS = "/projects/{name}/roles/{role}/tokens"


@router.get(_TOKENS, summary="Tokens of a role of a project, the newest first")
async def list_tokens(caller: Calling, name: str, role: str) -> dict[str, Any]:
    """One page: a role has few."""
    await caller.require("get", "projects", name, name)
    found = await operations.role_tokens(caller.runtime, caller.scope, name, role)
    return page((token_shape(caller, token) for token in found), "")


@router.post(
    _TOKENS,
    summary="Create a token of a role; its text is in this answer and nowhere else",
    openapi_extra={"x-shown-once": True},
)
async def post_token(caller: Calling, name: str, role: str, body: TokenBody) -> Response:
    await caller.require("update", "projects", name, name)
    token, text = await operations.create_role_token(
        caller.runtime,
        caller.actor,
        caller.scope,
        name,
        role,
        body.name,
        timedelta(seconds=body.expires_in_seconds),
    )
    return created({"token": text.reveal(), **token_shape(caller, token)})


@router.delete(_TOKENS + "/{which}", summary="Refuse a token of a role from now on")
async def delete_token(caller: Calling, name: str, role: str, which: str) -> dict[str, Any]:
    await caller.require("update", "projects", name, name)
    token = await operations.revoke_role_token(
        caller.runtime, caller.actor, caller.scope, name, role, which
    )
    return token_shape(caller, token)
