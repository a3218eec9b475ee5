"""Accounts and API tokens. Of a token only the SHA-256 of its secret part is kept."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from fleet.errors import AlreadyExists, NotFound, UsageError
from fleet.model.access import Subject
from fleet.model.accounts import Account, ApiToken, Authenticated, TokenProof
from fleet.model.ids import AccountId, TokenId
from fleet.model.scope import EVERYTHING, FLEET, Actor, Scope
from fleet.registry.audit import record_change
from fleet.registry.database import Tx, constraint_of
from fleet.registry.selection import (
    DEFAULT_LIMIT,
    before_cursor,
    page_of,
    sees,
    time_cursor,
)
from fleet.registry.statements import text
from fleet.registry.tables import Base

ACCOUNTS = Base.metadata.tables["accounts"]
TOKENS = Base.metadata.tables["tokens"]

LONGEST_LIFE = timedelta(days=365)
FIRST_ADMIN = "admin"
#: ``used_on`` is written at most this often, so that a busy token costs no row a request.
USED_EVERY = timedelta(hours=1)

#: No colon: ``local:`` and ``fleet:`` are not accounts.
_NAME = re.compile(r"[a-z0-9]([a-z0-9._@-]{0,61}[a-z0-9])?")


async def create_account(
    tx: Tx, actor: Actor, name: str, role: str, groups: Sequence[str] = ()
) -> Account:
    """A new account; that ``role`` exists is the caller's to check.

    Raises:
        UsageError: the name cannot be one.
        AlreadyExists: it is taken.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"account {name!r}: not a name",
            hint="At most 63 of a-z, 0-9, '.', '_', '@', '-', a letter or digit at both ends.",
        )
    values = {"name": name, "role": role, "groups": list(groups)}
    new = sa.insert(ACCOUNTS).values(values).returning(*ACCOUNTS.c)
    try:
        row = (await tx.execute(new)).one()
    except IntegrityError as error:
        if constraint_of(error) != "uq_accounts_name":
            raise
        raise AlreadyExists(f"account {name} exists", object=f"Account/{name}") from None
    await record_change(tx, actor, "create", "Account", name, after=_shown(row))
    return _account(row)


async def change_account(
    tx: Tx, actor: Actor, name: str, *, role: str | None, groups: Sequence[str] | None
) -> Account:
    """Give an account another role or other groups; None leaves them.

    Raises:
        NotFound: there is none.
    """
    query = sa.select(ACCOUNTS).where(ACCOUNTS.c.name == name)
    before = (await tx.execute(query.with_for_update())).one_or_none()
    if before is None:
        raise NotFound(f"no account {name}", object=f"Account/{name}")
    wanted = {"role": role, "groups": None if groups is None else list(groups)}
    values = {key: value for key, value in wanted.items() if value is not None}
    if not values:
        return _account(before)
    change = sa.update(ACCOUNTS).where(ACCOUNTS.c.name == name).values(values)
    row = (await tx.execute(change.returning(*ACCOUNTS.c))).one()
    await record_change(
        tx, actor, "update", "Account", name, before=_shown(before), after=_shown(row)
    )
    return _account(row)


def _shown(row: sa.Row[Any]) -> dict[str, Any]:
    return {"role": row.role, "groups": row.groups} if row.groups else {"role": row.role}


def _seen(scope: Scope) -> sa.ColumnElement[bool]:
    """Accounts belong to no project: whoever sees nothing but some projects sees none."""
    return sees(scope.seen("accounts"), None, ACCOUNTS.c.name)


async def list_accounts(tx: Tx, scope: Scope) -> tuple[Account, ...]:
    """All accounts, by name."""
    rows = await tx.execute(sa.select(ACCOUNTS).where(_seen(scope)).order_by(ACCOUNTS.c.name))
    return tuple(_account(row) for row in rows)


async def accounts_page(
    tx: Tx, scope: Scope, *, limit: int = DEFAULT_LIMIT, after: str = ""
) -> tuple[tuple[Account, ...], str]:
    """A page by name, and the cursor for the next ("" after the last)."""
    query = (
        sa.select(ACCOUNTS).where(ACCOUNTS.c.name > after, _seen(scope)).order_by(ACCOUNTS.c.name)
    )
    page, cursor = await page_of(tx, query, limit, lambda row: row.name)
    return tuple(_account(row) for row in page), cursor


async def get_account(tx: Tx, scope: Scope, name: str) -> Account:
    """The account.

    Raises:
        NotFound: there is none.
    """
    query = sa.select(ACCOUNTS).where(ACCOUNTS.c.name == name, _seen(scope))
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise NotFound(f"no account {name}", object=f"Account/{name}")
    return _account(row)


async def set_account_enabled(tx: Tx, actor: Actor, name: str, *, enabled: bool) -> Account:
    """Let an account in, or keep it and all its tokens out from the next request on."""
    change = (
        sa.update(ACCOUNTS)
        .where(ACCOUNTS.c.name == name)
        .values(enabled=enabled)
        .returning(*ACCOUNTS.c)
    )
    row = (await tx.execute(change)).one_or_none()
    if row is None:
        raise NotFound(f"no account {name}", object=f"Account/{name}")
    await record_change(tx, actor, "enable" if enabled else "disable", "Account", name)
    return _account(row)


async def create_token(
    tx: Tx,
    actor: Actor,
    account: str,
    proof: TokenProof,
    *,
    name: str,
    expires_at: datetime,
    now: datetime,
) -> ApiToken:
    """Keep a token that ``identity.mint`` made.

    Raises:
        NotFound: no such account.
        UsageError: it expires in the past, or in more than a year.
    """
    check_life(expires_at, now)
    owner = await get_account(tx, EVERYTHING, account)
    new = (
        sa.insert(TOKENS)
        .values(
            id=proof.id,
            account_id=owner.id,
            name=name,
            secret_sha256=proof.secret_sha256,
            expires_at=expires_at,
        )
        .returning(*TOKENS.c)
    )
    row = (await tx.execute(new)).one()
    after = {"account": account, "name": name, "expires_at": expires_at}
    await record_change(tx, actor, "create", "Token", str(proof.id), after=after)
    return _token(row, account)


def check_life(expires_at: datetime, now: datetime) -> None:
    """Raises UsageError for a token that expires in the past, or in more than a year."""
    if not now < expires_at <= now + LONGEST_LIFE:
        raise UsageError(
            "a token has to expire, in the future and within 365 days",
            hint="Give --expires-in, e.g. 90d.",
        )


async def list_tokens(tx: Tx, scope: Scope, account: str | None = None) -> tuple[ApiToken, ...]:
    """Tokens of one account or of all, newest first, the revoked and expired included."""
    query = _tokens().where(_seen(scope))
    if account is not None:
        query = query.where(ACCOUNTS.c.name == account)
    return tuple(_token(row, row.account) for row in await tx.execute(query))


async def tokens_page(
    tx: Tx, scope: Scope, account: str, *, limit: int = DEFAULT_LIMIT, after: str = ""
) -> tuple[tuple[ApiToken, ...], str]:
    """A page of an account's tokens, newest first, and the cursor for the next.

    Raises:
        UsageError: ``after`` is not a cursor of this list.
    """
    query = _tokens().where(ACCOUNTS.c.name == account, _seen(scope))
    query = query.where(before_cursor(TOKENS.c.created_at, TOKENS.c.id, after))
    page, cursor = await page_of(tx, query, limit, lambda row: time_cursor(row.created_at, row.id))
    return tuple(_token(row, row.account) for row in page), cursor


def _tokens() -> sa.Select[Any]:
    """Tokens with the names of their accounts, newest first."""
    return (
        sa.select(TOKENS, ACCOUNTS.c.name.label("account"))
        .join(ACCOUNTS, ACCOUNTS.c.id == TOKENS.c.account_id)
        .order_by(TOKENS.c.created_at.desc(), TOKENS.c.id.desc())
    )


async def revoke_token(tx: Tx, actor: Actor, id: TokenId) -> None:
    """Refuse the token from the next request on. Again is no error.

    Raises:
        NotFound: no such token.
    """
    change = (
        sa.update(TOKENS)
        .where(TOKENS.c.id == id)
        .values(revoked_at=sa.func.coalesce(TOKENS.c.revoked_at, sa.func.now()))
        .returning(TOKENS.c.id)
    )
    if (await tx.execute(change)).one_or_none() is None:
        raise NotFound(f"no token {id}", object=f"Token/{id}")
    await record_change(tx, actor, "revoke", "Token", str(id))


async def authenticate(tx: Tx, proof: TokenProof, now: datetime) -> Authenticated | None:
    """Who the token belongs to; None when it is unknown, wrong, expired, revoked, or its
    account disabled. None means refused: it is never a lesser identity.

    ``tx`` has to be able to write: the first use in an hour is noted.
    """
    row = (await tx.execute(_BEARER, {"token": proof.id})).one_or_none()
    if row is None or not hmac.compare_digest(row.secret_sha256, proof.secret_sha256):
        return None
    if not row.may_call or row.revoked_at is not None or row.expires_at <= now:
        return None
    if row.used_on is None or now - row.used_on >= USED_EVERY:
        hour = now.replace(minute=0, second=0, microsecond=0)
        await tx.execute(sa.update(TOKENS).where(TOKENS.c.id == proof.id).values(used_on=hour))
    return Authenticated(
        Subject(row.name, row.role, tuple(row.groups), row.project), TokenId(row.id)
    )


#: A token of a project's role is good for as long as the project has the role.
_BEARER = text("""
    select t.id, t.secret_sha256, t.expires_at, t.used_on, t.revoked_at,
           coalesce(a.name, 'proj:' || p.name || ':' || t.role) as name,
           coalesce(a.role, '') as role, coalesce(a.groups, '{}') as groups,
           coalesce(p.name, '') as project,
           coalesce(a.enabled, jsonb_path_exists(p.document, '$.spec.roles[*] ? (@.name == $role)',
                                                 jsonb_build_object('role', t.role))) as may_call
      from tokens t left join accounts a on a.id = t.account_id
      left join projects p on p.id = t.project_id
     where t.id = :token
""")


async def ensure_admin(tx: Tx, proof: TokenProof, now: datetime) -> bool:
    """Make the first administrator with this token, unless any account exists.

    Returns True when it did; then the token's text is to be put where only the owner of
    this Fleet can read it. Of several starters at once, one gets True.
    """
    new = insert(ACCOUNTS).from_select(
        ["name", "role"],
        sa.select(sa.literal(FIRST_ADMIN), sa.literal("admin")).where(
            ~sa.exists(sa.select(ACCOUNTS.c.id))
        ),
    )
    made = await tx.execute(new.on_conflict_do_nothing().returning(ACCOUNTS.c.id))
    if made.one_or_none() is None:
        return False
    await record_change(tx, FLEET, "create", "Account", FIRST_ADMIN, after={"role": "admin"})
    await create_token(
        tx, FLEET, FIRST_ADMIN, proof, name="first start", expires_at=now + LONGEST_LIFE, now=now
    )
    return True


def _account(row: sa.Row[tuple[object, ...]]) -> Account:
    return Account(
        AccountId(row.id), row.name, row.role, row.enabled, row.created_at, tuple(row.groups)
    )


def _token(row: sa.Row[tuple[object, ...]], account: str) -> ApiToken:
    return ApiToken(
        TokenId(row.id),
        account,
        row.name,
        row.created_at,
        row.expires_at,
        row.used_on,
        row.revoked_at,
    )
