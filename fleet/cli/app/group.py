"""The group that the verbs of ``fleet app`` join."""

from __future__ import annotations

from collections.abc import Sequence

import click

from fleet.cli.command import Group
from fleet.cli.invocation import Invocation
from fleet.errors import NotFound, UsageError


@click.group(cls=Group)
def app() -> None:
    """What runs where, from which source."""


def chosen_names(invocation: Invocation, names: Sequence[str], selector: str) -> list[str]:
    """The applications that a command is about: those named, or those with the labels.

    Raises:
        UsageError: neither, or both.
        NotFound: no application has the labels.
    """
    if bool(names) == bool(selector):
        raise UsageError("name applications, or select them with -l; one of the two")
    if names:
        return list(dict.fromkeys(names))
    found = invocation.api.items("applications", query={"selector": selector})
    if not found:
        raise NotFound(f"no application matches {selector}")
    return [str(it["name"]) for it in found]
