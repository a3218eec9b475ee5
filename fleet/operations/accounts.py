"""Accounts and their tokens. A token's text leaves here once, and is kept nowhere."""

from __future__ import annotations

import secrets
from datetime import timedelta
from uuid import UUID, uuid4

from fleet.errors import NotFound, Refused, UsageError
from fleet.identity.tokens import ENTROPY_BYTES, mint
from fleet.model.accounts import Account, ApiToken
from fleet.model.ids import TokenId
from fleet.model.scope import EVERYTHING, Actor
from fleet.model.secret import Secret
from fleet.operations.runtime import Runtime
from fleet.policy import ADMIN, is_role, scope_of
from fleet.registry import accounts, projects


async def create_account(runtime: Runtime, actor: Actor, name: str, role: str) -> Account:
    """Raises:
    UsageError: no such role, or no possible name.
    NotFound: the role's project does not exist.
    AlreadyExists: the name is taken.
    """
    if not is_role(role):
        raise UsageError(
            f"there is no role {role!r}", hint="Use admin, readonly or project:<name>."
        )
    async with runtime.db.transaction() as tx:
        for project in scope_of(role).projects or ():
            await projects.get_project(tx, EVERYTHING, project)
        return await accounts.create_account(tx, actor, name, role)


async def set_enabled(runtime: Runtime, actor: Actor, name: str, *, enabled: bool) -> Account:
    """Let an account in, or keep it out.

    Raises:
        NotFound: no such account.
        Refused: nobody could administer Fleet any more.
    """
    async with runtime.db.transaction() as tx:
        changed = await accounts.set_account_enabled(tx, actor, name, enabled=enabled)
        everyone = await accounts.list_accounts(tx, EVERYTHING)
        if not any(account.enabled and account.role == ADMIN for account in everyone):
            raise Refused(
                f"account {name} is the last administrator",
                hint="Create another one first: fleet account create NAME --role admin",
                object=f"Account/{name}",
            )
    return changed


async def create_token(
    runtime: Runtime, actor: Actor, account: str, name: str, life: timedelta
) -> tuple[ApiToken, Secret]:
    """A new token and its text, which cannot be had again.

    Raises:
        NotFound: no such account.
        UsageError: it would live for longer than a year, or not at all.
    """
    minted = mint(TokenId(uuid4()), secrets.token_bytes(ENTROPY_BYTES))
    now = runtime.now()
    async with runtime.db.transaction() as tx:
        token = await accounts.create_token(
            tx, actor, account, minted.proof, name=name, expires_at=now + life, now=now
        )
    return token, minted.text


async def revoke_token(runtime: Runtime, actor: Actor, account: str, which: str) -> ApiToken:
    """Refuse a token from now on.

    Args:
        which: its id, or its name if only one valid token of the account has it.

    Raises:
        NotFound: no such token.
        UsageError: several have this name.
    """
    now = runtime.now()
    async with runtime.db.transaction() as tx:
        await accounts.get_account(tx, EVERYTHING, account)
        held = await accounts.list_tokens(tx, EVERYTHING, account)
        found = [token for token in held if _is(token, which)]
        valid = [token for token in found if token.is_valid(now)]
        if not found:
            raise NotFound(f"account {account} has no token {which!r}", object=f"Token/{which}")
        if len(valid) > 1:
            raise UsageError(
                f"{len(valid)} tokens of account {account} are called {which!r}",
                hint="Name one by its id.",
            )
        token = (valid or found)[0]
        await accounts.revoke_token(tx, actor, token.id)
        held = await accounts.list_tokens(tx, EVERYTHING, account)
    return next(entry for entry in held if entry.id == token.id)


def _is(token: ApiToken, which: str) -> bool:
    try:
        return token.id == UUID(which)
    except ValueError:
        return token.name == which
