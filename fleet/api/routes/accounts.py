"""Accounts and their API tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import Response
from pydantic import Field

from fleet.api.answers import created
from fleet.api.caller import Caller, Calling
from fleet.api.guarded import guarded_router
from fleet.api.requests import PAGE, After, Body, Limit, Nothing
from fleet.api.shapes import page, time_text
from fleet.model.accounts import Account, ApiToken
from fleet.operations import accounts as operations
from fleet.policy import NONE
from fleet.registry import accounts

router = guarded_router("accounts")

DEFAULT_LIFE_SECONDS = 90 * 86_400
#: The registry refuses what lives longer; this only bounds the number.
MOST_SECONDS = 10 * 366 * 86_400


Group = Annotated[str, Field(min_length=1, max_length=500)]
Groups = Annotated[tuple[Group, ...], Field(max_length=1000)]


class AccountBody(Body):
    """``role``: admin, readonly, project:<name>, or none: then policies alone decide."""

    name: str
    role: str
    groups: Groups = ()


class AccountChange(Body):
    """What is left out stays."""

    role: str | None = None
    groups: Groups | None = None


class TokenBody(Body):
    name: Annotated[str, Field(min_length=1, max_length=200)]
    expires_in_seconds: Annotated[int, Field(ge=1, le=MOST_SECONDS)] = DEFAULT_LIFE_SECONDS


def account_shape(account: Account) -> dict[str, Any]:
    return {
        "id": str(account.id),
        "name": account.name,
        "role": account.role,
        "groups": list(account.groups),
        "enabled": account.enabled,
        "createdAt": time_text(account.created_at),
    }


def token_shape(caller: Caller, token: ApiToken) -> dict[str, Any]:
    """What may be shown of a token after it was made."""
    return {
        "id": str(token.id),
        "account": token.account,
        "name": token.name,
        "createdAt": time_text(token.created_at),
        "expiresAt": time_text(token.expires_at),
        "usedOn": time_text(token.used_on),
        "revokedAt": time_text(token.revoked_at),
        "valid": token.is_valid(caller.runtime.now()),
    }


@router.get("/accounts", summary="Accounts, by name")
async def list_accounts(caller: Calling, limit: Limit = PAGE, after: After = "") -> dict[str, Any]:
    await caller.require_some("accounts")
    async with caller.runtime.db.reading() as tx:
        found, cursor = await accounts.accounts_page(tx, caller.scope, limit=limit, after=after)
    return page(map(account_shape, found), cursor)


@router.post("/accounts", summary="Create an account")
async def post_account(caller: Calling, body: AccountBody) -> Response:
    await caller.require("create", "accounts", body.name)
    if body.role != NONE or body.groups:
        await caller.require_administrator("create", "accounts", body.name)
    account = await operations.create_account(
        caller.runtime, caller.actor, body.name, body.role, body.groups
    )
    return created(account_shape(account))


@router.patch("/accounts/{name}", summary="Give an account another role or other groups")
async def patch_account(caller: Calling, name: str, body: AccountChange) -> dict[str, Any]:
    await caller.require_administrator("update", "accounts", name)
    account = await operations.change_account(
        caller.runtime, caller.actor, name, role=body.role, groups=body.groups
    )
    return account_shape(account)


@router.post("/accounts/{name}/enable", summary="Let an account in again")
async def post_enable(caller: Calling, name: str, _: Nothing | None = None) -> dict[str, Any]:
    await caller.require("update", "accounts", name)
    account = await operations.set_enabled(caller.runtime, caller.actor, name, enabled=True)
    return account_shape(account)


@router.post("/accounts/{name}/disable", summary="Keep an account and its tokens out")
async def post_disable(caller: Calling, name: str, _: Nothing | None = None) -> dict[str, Any]:
    await caller.require("update", "accounts", name)
    account = await operations.set_enabled(caller.runtime, caller.actor, name, enabled=False)
    return account_shape(account)


@router.get("/accounts/{name}/tokens", summary="Its tokens, the newest first")
async def list_tokens(
    caller: Calling, name: str, limit: Limit = PAGE, after: After = ""
) -> dict[str, Any]:
    await caller.require("get", "accounts", name)
    async with caller.runtime.db.reading() as tx:
        await accounts.get_account(tx, caller.scope, name)
        found, cursor = await accounts.tokens_page(tx, caller.scope, name, limit=limit, after=after)
    return page((token_shape(caller, token) for token in found), cursor)


@router.post(
    "/accounts/{name}/tokens",
    summary="Create a token; its text is in this answer and nowhere else",
    openapi_extra={"x-shown-once": True},
)
async def post_token(caller: Calling, name: str, body: TokenBody) -> Response:
    await caller.require("create", "accounts", name)
    life = timedelta(seconds=body.expires_in_seconds)
    token, text = await operations.create_token(caller.runtime, caller.actor, name, body.name, life)
    return created({"token": text.reveal(), **token_shape(caller, token)})


@router.delete("/accounts/{name}/tokens/{which}", summary="Refuse a token from now on")
async def delete_token(caller: Calling, name: str, which: str) -> dict[str, Any]:
    await caller.require("delete", "accounts", name)
    token = await operations.revoke_token(caller.runtime, caller.actor, name, which)
    return token_shape(caller, token)
