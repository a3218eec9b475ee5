"""Whether somebody may do something, as argocd answers: yes or no, and exit code 0 or 1."""

from __future__ import annotations

from typing import Any

import click

NO = 1


def say_whether(answer: dict[str, Any]) -> None:
    """Print the answer, the reason of a no beside it; a no ends with exit code 1."""
    click.echo("yes" if answer["allowed"] else "no")
    if not answer["allowed"]:
        click.echo(answer["reason"], err=True)
        click.get_current_context().exit(NO)
