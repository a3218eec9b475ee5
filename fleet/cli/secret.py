"""``fleet secret``: the keys that seal credentials. They never leave this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fleet.cli.command import Group
from fleet.cli.invocation import Invocation

if TYPE_CHECKING:
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


async def _rotate(settings: Settings, url: object, *, new: bool) -> dict[str, int]:
    from fleet.cli.inprocess import local_actor
    from fleet.model.secret import Secret
    from fleet.operations.opening import open_ring
    from fleet.registry import rotation
    from fleet.registry.database import Database
    from fleet.registry.keyring import add_key

    assert isinstance(url, Secret)
    ring = open_ring(settings)
    db = Database(
        url,
        pool_size=2,
        ring=ring,
        allow_unsafe=settings.allow_unsafe_database,
        application_name="fleet rotate-key",
    )
    try:
        await db.open()
        async with db.transaction() as tx:
            await rotation.check_key(tx, ring)  # before a new key hides that it is the wrong file
        if new:
            click.echo(f"New key: {add_key(settings.key_file)}")
            ring = open_ring(settings)
        return await rotation.rotate(db, local_actor(), ring)
    finally:
        await db.close()
