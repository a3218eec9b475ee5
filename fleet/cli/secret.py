"""``fleet secret``: the keys that seal credentials. They never leave this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import click

from fleet.cli.asking import confirm
from fleet.cli.command import Group
from fleet.cli.invocation import Invocation
from fleet.cli.options import yes_option

if TYPE_CHECKING:
    from fleet.model.secret import Secret
    from fleet.registry.database import Database
    from fleet.registry.keyring import KeyRing
    from fleet.settings import Settings


@click.group(cls=Group)
def secret() -> None:
    """The keys that seal credentials."""


@secret.command(
    "rotate-key",
    examples=("fleet secret rotate-key", "fleet secret rotate-key --rewrap-only"),
)
@click.option(
    "--rewrap-only",
    is_flag=True,
    help="Make no new key; put everything under the newest one (goes on after an interruption).",
)
@click.pass_obj
def rotate_key(invocation: Invocation, rewrap_only: bool) -> None:
    """Make a new key and seal every credential anew with it.

    Runs where the key file is, beside a running Fleet, which notices the new key by itself. The
    old keys stay in the file: the audit log needs them. With FLEET_SECRET_KEY or a key command,
    put the new key in front there first.
    """
    import asyncio

    from fleet.cli import serving

    settings = invocation.settings
    external = settings.secret_key is not None or bool(settings.secret_key_command)
    with serving.databases(settings) as urls:
        serving.migrate(urls)
        moved = asyncio.run(_rotate(settings, urls.application, new=not (rewrap_only or external)))
    for column, count in moved.items():
        click.echo(f"{column}: {count} sealed anew")


@secret.command(
    "forget-lost-keys",
    examples=("fleet secret forget-lost-keys", "fleet secret forget-lost-keys -y"),
)
@yes_option()
@click.pass_obj
def forget_lost_keys(invocation: Invocation, yes: bool) -> None:
    """Give up what was sealed with keys that are lost for good, so that Fleet starts again.

    Credentials of clusters and repositories that they sealed have to be entered again; until
    then their owners are refused, not tried without. Stored manifests with Secrets are rendered
    again from Git. The audit log says who did it, and no longer verifies where it needs them.
    """
    import asyncio

    from fleet.cli import serving

    with serving.databases(invocation.settings) as urls:
        serving.migrate(urls)
        asyncio.run(_forget(invocation.settings, urls.application, yes=yes))


@asynccontextmanager
async def _opened(settings: Settings, url: Secret, ring: KeyRing) -> AsyncIterator[Database]:
    from fleet.registry.database import Database

    db = Database(
        url,
        pool_size=2,
        ring=ring,
        allow_unsafe=settings.allow_unsafe_database,
        application_name="fleet secret",
    )
    try:
        await db.open()
        yield db
    finally:
        await db.close()


async def _forget(settings: Settings, url: Secret, *, yes: bool) -> None:
    from fleet.cli.inprocess import local_actor
    from fleet.operations.opening import open_ring
    from fleet.registry import rotation

    ring = open_ring(settings)
    async with _opened(settings, url, ring) as db:
        async with db.reading() as tx:
            found = await rotation.sealed_by_lost_keys(tx, ring)
        for column, count in found.items():
            click.echo(f"{column}: {count} cannot be opened")
        if not found:
            click.echo("No key is missing")
            return
        confirm("Give them up? This cannot be taken back", yes=yes)
        async with db.transaction() as tx:
            await rotation.forget_lost_keys(tx, local_actor(), ring)
            await rotation.check_key(tx, ring)
    click.echo("Given up; enter the credentials again with `fleet cluster` and `fleet repo`")


async def _rotate(settings: Settings, url: Secret, *, new: bool) -> dict[str, int]:
    from fleet.cli.inprocess import local_actor
    from fleet.operations.opening import open_ring
    from fleet.registry import rotation
    from fleet.registry.keyring import add_key

    ring = open_ring(settings)
    async with _opened(settings, url, ring) as db:
        async with db.transaction() as tx:
            await rotation.check_key(tx, ring)  # before a new key hides that it is the wrong file
        if new:
            click.echo(f"New key: {add_key(settings.key_file)}")
            ring = open_ring(settings)
        return await rotation.rotate(db, local_actor(), ring)
