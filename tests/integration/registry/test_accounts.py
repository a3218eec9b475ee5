"""Accounts and tokens: who gets in, and who no longer does."""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from fleet.errors import AlreadyExists, NotFound, UsageError
from fleet.identity import MintedToken, mint, parse
from fleet.model.access import Subject
from fleet.model.accounts import Authenticated
from fleet.model.ids import TokenId
from fleet.model.scope import EVERYTHING, Actor
from fleet.registry import accounts
from fleet.registry.database import Database, Tx

ROOT = Actor("root", role="admin")
NOW = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)


def _minted() -> MintedToken:
    return mint(TokenId(uuid4()), secrets.token_bytes(32))


async def _token(tx: Tx, account: str = "ci", days: float = 30) -> MintedToken:
    minted = _minted()
    await accounts.create_token(
        tx,
        ROOT,
        account,
        minted.proof,
        name="t",
        expires_at=NOW + timedelta(days=days),
        now=NOW,
    )
    return minted


async def _login(tx: Tx, minted: MintedToken, now: datetime = NOW) -> Authenticated | None:
    proof = parse(minted.text.reveal())
    assert proof is not None
    return await accounts.authenticate(tx, proof, now)


async def test_a_token_lets_its_account_in(db: Database) -> None:
    async with db.transaction() as tx:
        await accounts.create_account(tx, ROOT, "ci", "readonly")
        minted = await _token(tx)
        found = await _login(tx, minted)
    assert found == Authenticated(Subject("ci", "readonly"), minted.proof.id)
    assert found.actor(source_ip="10.0.0.1", request_id="r") == Actor(
        "ci", "10.0.0.1", "r", "readonly"
    )


async def test_who_does_not_get_in(db: Database) -> None:
    async with db.transaction() as tx:
        await accounts.create_account(tx, ROOT, "ci", "readonly")
        good, other = await _token(tx), await _token(tx, days=1)
        assert await _login(tx, _minted()) is None  # well formed, and never kept
        wrong = mint(good.proof.id, secrets.token_bytes(32))  # the right id, another secret
        assert await _login(tx, wrong) is None
        assert await _login(tx, other, NOW + timedelta(days=1)) is None  # expired this second
        assert await _login(tx, other, NOW + timedelta(days=1, seconds=-1)) is not None


async def test_revoked_at_once_and_for_good(db: Database) -> None:
    async with db.transaction() as tx:
        await accounts.create_account(tx, ROOT, "ci", "readonly")
        minted, other = await _token(tx), await _token(tx)
        await accounts.revoke_token(tx, ROOT, minted.proof.id)
        assert await _login(tx, minted) is None
        assert await _login(tx, other) is not None
        first = (await accounts.list_tokens(tx, EVERYTHING, "ci"))[0]
        await accounts.revoke_token(tx, ROOT, first.id)
        with pytest.raises(NotFound):
            await accounts.revoke_token(tx, ROOT, TokenId(uuid4()))


async def test_a_disabled_account_takes_its_tokens_along(db: Database) -> None:
    async with db.transaction() as tx:
        await accounts.create_account(tx, ROOT, "ci", "readonly")
        minted = await _token(tx)
        await accounts.set_account_enabled(tx, ROOT, "ci", enabled=False)
        assert await _login(tx, minted) is None
        await accounts.set_account_enabled(tx, ROOT, "ci", enabled=True)
        assert await _login(tx, minted) is not None
        with pytest.raises(NotFound):
            await accounts.set_account_enabled(tx, ROOT, "nobody", enabled=False)


@pytest.mark.parametrize("days", [-1, 0, 365.1, 10_000])
async def test_a_token_has_to_expire_within_a_year(db: Database, days: float) -> None:
    async with db.transaction() as tx:
        await accounts.create_account(tx, ROOT, "ci", "readonly")
        with pytest.raises(UsageError, match="365 days"):
            await _token(tx, days=days)


async def test_a_token_needs_an_account(db: Database) -> None:
    async with db.transaction() as tx:
        with pytest.raises(NotFound, match="nobody"):
            await _token(tx, "nobody")


@pytest.mark.parametrize("name", ["", "local:bob", "Fleet", "a b", "-a", "a" * 64, "é", "a\n"])
async def test_not_a_name(db: Database, name: str) -> None:
    async with db.transaction() as tx:
        with pytest.raises(UsageError):
            await accounts.create_account(tx, ROOT, name, "readonly")


async def test_a_name_is_taken_once(db: Database) -> None:
    await _create(db, "ci")
    with pytest.raises(AlreadyExists, match="ci"):
        await _create(db, "ci")


async def _create(db: Database, name: str) -> None:
    async with db.transaction() as tx:
        await accounts.create_account(tx, ROOT, name, "readonly")


async def test_use_is_noted_once_an_hour(db: Database) -> None:
    async def used_on(tx: Tx) -> Any:
        return (await accounts.list_tokens(tx, EVERYTHING, "ci"))[0].used_on

    async with db.transaction() as tx:
        await accounts.create_account(tx, ROOT, "ci", "readonly")
        minted = await _token(tx)
        assert await used_on(tx) is None
        await _login(tx, minted)
        noon = NOW.replace(minute=0)
        assert await used_on(tx) == noon
        version = await _row_version(tx)
        await _login(tx, minted, NOW + timedelta(minutes=29))
        assert await _row_version(tx) == version  # nothing was written
        await _login(tx, minted, NOW + timedelta(minutes=30))
        assert await used_on(tx) == noon + timedelta(hours=1)


async def _row_version(tx: Tx) -> object:
    return (await tx.execute(text("select ctid::text from tokens"))).scalar_one()


async def test_the_first_administrator_is_made_once(db: Database) -> None:
    async def start() -> MintedToken | None:
        minted = _minted()
        async with db.transaction() as tx:
            return minted if await accounts.ensure_admin(tx, minted.proof, NOW) else None

    made = [minted for minted in await asyncio.gather(*(start() for _ in range(4))) if minted]
    assert len(made) == 1
    async with db.transaction() as tx:
        assert await _login(tx, made[0]) == Authenticated(
            Subject("admin", "admin"), made[0].proof.id
        )
        assert [account.name for account in await accounts.list_accounts(tx, EVERYTHING)] == [
            "admin"
        ]
    assert await start() is None


async def test_no_administrator_where_there_are_accounts(db: Database) -> None:
    await _create(db, "ci")
    async with db.transaction() as tx:
        assert not await accounts.ensure_admin(tx, _minted().proof, NOW)


async def test_everything_is_audited_and_no_secret_is_kept(db: Database) -> None:
    async with db.transaction() as tx:
        await accounts.create_account(tx, ROOT, "ci", "readonly")
        minted = await _token(tx)
        await accounts.revoke_token(tx, ROOT, minted.proof.id)
        await accounts.set_account_enabled(tx, ROOT, "ci", enabled=False)
        rows = (
            await tx.execute(text("select action, object_kind from audit.changes order by seq"))
        ).all()
        dump = str((await tx.execute(text("select t::text from tokens t"))).all())
        dump += str((await tx.execute(text("select c::text from audit.changes c"))).all())
    assert [tuple(row) for row in rows][-4:] == [
        ("create", "Account"),
        ("create", "Token"),
        ("revoke", "Token"),
        ("disable", "Account"),
    ]
    assert minted.text.reveal().split("_")[2] not in dump
