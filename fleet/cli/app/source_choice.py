"""Choosing one of an application's sources, by its place or by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from fleet.cli.app.page import sources_of
from fleet.cli.options import Function
from fleet.errors import UsageError


def which_source(function: Function) -> Function:
    """The flags that choose one of several sources."""
    position = click.option(
        "--source-position", type=click.IntRange(1), default=None, help="Which of several sources."
    )
    name = click.option(
        "--source-name", default="", metavar="NAME", help="The same, by the name that it has."
    )
    return position(name(function))


def chosen_position(document: Mapping[str, Any], position: int | None, name: str) -> int:
    """Counted from 1; 0 when nothing was said.

    Raises:
        UsageError: both were given, or there is no such source.
    """
    if name and position:
        raise UsageError("--source-name and --source-position exclude each other")
    if name:
        return position_of(document, name)
    if position and position > len(sources_of(document)):
        raise UsageError(f"--source-position: it has {len(sources_of(document))} sources")
    return position or 0


def position_of(document: Mapping[str, Any], name: str) -> int:
    """Of the source with this name, counted from 1.

    Raises:
        UsageError: there is none.
    """
    names = [str(source.get("name", "")) for source in sources_of(document)]
    if name not in names:
        known = ", ".join(filter(None, names)) or "none has a name"
        raise UsageError(f"there is no source named {name!r}", hint=f"There are: {known}.")
    return names.index(name) + 1
