"""Asking the person: only on a terminal, never for what a script has to say beforehand."""

from __future__ import annotations

import sys

import click

from fleet.errors import UsageError


def interactive() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str, *, yes: bool) -> None:
    """Go on only after a yes.

    Raises:
        UsageError: nobody is there to ask, and ``-y`` was not given.
        click.Abort: the answer was no.
    """
    if yes:
        return
    _require_terminal(question)
    click.confirm(question, abort=True, err=True)


def confirm_by_name(what: str, name: str, *, yes: bool) -> None:
    """As ``confirm``, but the name has to be typed: what follows cannot be taken back."""
    if yes:
        return
    _require_terminal(f"{what}?")
    answer = click.prompt(
        f"{what}. Type {name!r} to go on", err=True, default="", show_default=False
    )
    if answer.strip() != name:
        raise click.Abort


def _require_terminal(question: str) -> None:
    if not interactive():
        raise UsageError(
            f"this needs a confirmation, and there is no terminal to ask on: {question}",
            hint="Pass -y to say yes beforehand.",
        )


def secret_from_stdin(what: str) -> str:
    """One line from standard input, not shown while it is typed.

    Raises:
        UsageError: nothing was there.
    """
    if sys.stdin.isatty():
        text = click.prompt(what, hide_input=True, err=True, default="", show_default=False)
    else:
        text = sys.stdin.readline()
    found = str(text).strip("\r\n")
    if not found:
        raise UsageError(f"{what}: nothing was given on standard input")
    return found
