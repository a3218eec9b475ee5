"""Accounts and their tokens. A token's text leaves here once, and is kept nowhere."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from fleet.errors import NotFound, Refused, UsageError
from fleet.identity.tokens import ENTROPY_BYTES, mint
from fleet.model.accounts import Account, ApiToken
from fleet.model.ids import TokenId
from fleet.model.scope import EVERYTHING, Actor
from fleet.model.secret import Secret
from fleet.operations.runtime import Runtime
from fleet.policy import ADMIN, is_role, project_of_role
from fleet.registry import accounts, projects
from fleet.registry.database import Tx


async def create_account(
    runtime: Runtime, actor: Actor, name: str, role: str, groups: Sequence[str] = ()
) -> Account:
    """Raises:
    UsageError: no such role, or no possible name.
    NotFound: the role's project does not exist.
    AlreadyExists: the name is taken.
    """
    async with runtime.db.transaction() as tx:
        await _check_role(tx, role)
        return await accounts.create_account(tx, actor, name, role, groups)


async def change_account(
    runtime: Runtime, actor: Actor, name: str, *, role: str | None, groups: Sequence[str] | None
) -> Account:
    """Give an account another role or other groups, from its next request on; None leaves
    them.

    Raises:
        UsageError: no such role.
        NotFound: no such account, or the role's project does not exist.
        Refused: nobody could administer Fleet any more.
    """
    async with runtime.db.transaction() as tx:
        if role is not None:
            await _check_role(tx, role)
        changed = await accounts.change_account(tx, actor, name, role=role, groups=groups)
        await _keep_an_administrator(tx, name)
    return changed


async def _check_role(tx: Tx, role: str) -> None:
    if not is_role(role):
        raise UsageError(
            f"there is no role {role!r}",
            hint="Use admin, readonly, project:<name>, or none: then policies alone decide.",
        )
    project = project_of_role(role)
    if project:
        await projects.get_project(tx, EVERYTHING, project)


async def set_enabled(runtime: Runtime, actor: Actor, name: str, *, enabled: bool) -> Account:
    """Let an account in, or keep it out.

    Raises:
        NotFound: no such account.
        Refused: nobody could administer Fleet any more.
    """
    async with runtime.db.transaction() as tx:
        changed = await accounts.set_account_enabled(tx, actor, name, enabled=enabled)
        await _keep_an_administrator(tx, name)
    return changed


async def _keep_an_administrator(tx: Tx, name: str) -> None:
    everyone = await accounts.list_accounts(tx, EVERYTHING)
    if not any(account.enabled and account.role == ADMIN for account in everyone):
        raise Refused(
            f"account {name} is the last administrator",
            hint="Create another one first: fleet account create NAME --role admin",
            object=f"Account/{name}",
        )


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
        token = the_one(held, which, f"account {account}", now)
        await accounts.revoke_token(tx, actor, token.id)
        held = await accounts.list_tokens(tx, EVERYTHING, account)
    return next(entry for entry in held if entry.id == token.id)


def the_one(held: Sequence[ApiToken], which: str, owner: str, now: datetime) -> ApiToken:
    """The token of this id, or of this name if only one valid one has it.

    Raises:
        NotFound: there is none.
        UsageError: several have this name.
    """
    found = [token for token in held if _is(token, which)]
    valid = [token for token in found if token.is_valid(now)]
    if not found:
        raise NotFound(
            f"{owner} has no token {which!r}",
            hint="`fleet account list-tokens ACCOUNT`, or `fleet proj role list-tokens PROJECT"
            " ROLE`, lists those that there are.",
            object=f"Token/{which}",
        )
    if len(valid) > 1:
        raise UsageError(
            f"{len(valid)} tokens of {owner} are called {which!r}", hint="Name one by its id."
        )
    return (valid or found)[0]


def _is(token: ApiToken, which: str) -> bool:
    try:
        return token.id == UUID(which)
    except ValueError:
        return token.name == which
