"""Changing a project: read its document, change it, write back what became of it."""

from __future__ import annotations

from collections.abc import Callable

import click

from fleet.cli.failures import tell_warnings
from fleet.cli.invocation import Invocation
from fleet.cli.output import show_done
from fleet.cli.projects import Document


def put_changed(
    invocation: Invocation, name: str, change: Callable[[Document], Document | None], output: str
) -> None:
    """Put what ``change`` makes of the document; None leaves it as it is."""
    document = change(invocation.api.get("projects", name))
    if document is None:
        click.echo(f"project/{name} unchanged")
        return
    answer = invocation.api.put("projects", name, body={"document": document})
    tell_warnings(answer.get("warnings"))
    show_done(answer["project"], "project", name, answer["action"], output)
