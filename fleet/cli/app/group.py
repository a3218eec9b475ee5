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


def chosen_names(
    invocation: Invocation, names: Sequence[str], selector: str, projects: Sequence[str] = ()
) -> list[str]:
    """The applications that a command is about: those named, or those with the labels and in
    one of the projects.

    Raises:
        UsageError: neither, or both.
        NotFound: no application has the labels, or is in the projects.
    """
    selecting = bool(selector or projects)
    if bool(names) == selecting:
        raise UsageError("name applications, or select them with -l; one of the two")
    if names:
        return list(dict.fromkeys(names))
    query = {"selector": selector, "project": tuple(projects)}
    found = invocation.api.items("applications", query=query)
    if not found:
        wanted = [*([selector] if selector else ()), *(f"project {name}" for name in projects)]
        raise NotFound(
            f"no application matches {', '.join(wanted)}",
            hint="`fleet app list` lists all; its -l and -p try a selection out.",
        )
    return [str(it["name"]) for it in found]
