"""Errors as people and scripts see them: two lines and an exit code, never a traceback."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Mapping
from typing import Any

import click

from fleet import errors
from fleet.cli.output import printable, styled
from fleet.errors import FleetError, Place, ServerUnreachable, SpecInvalid

USAGE = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
DEBUG = "FLEET_DEBUG"


def error_from(shape: Mapping[str, Any], status: int) -> FleetError:
    """The error that an API answered with, as the class that it was there.

    Args:
        shape: of the envelope's ``error``.
        status: decides where the type is one of a newer server, unknown here.
    """
    kind = getattr(errors, str(shape.get("type", "")), None)
    if not (isinstance(kind, type) and issubclass(kind, FleetError)):
        kind = ServerUnreachable if status in (502, 503, 504) else FleetError
    message = str(shape.get("message", "")) or f"the server answered {status}"
    hint = str(shape.get("hint", ""))
    error = kind(message, hint=hint)
    error.object = str(shape.get("object", ""))
    if isinstance(error, SpecInvalid):
        error.place = Place(field=str(shape.get("field", "")))  # the message names it already
    return error


def show(error: FleetError, output: str) -> int:
    """Print to stderr; the exit code."""
    if output == "json":
        click.echo(json.dumps({"error": error.as_dict()}, ensure_ascii=False), err=True)
        return error.exit_code
    tell_error(error.message, error.hint)
    return error.exit_code


def tell_error(message: str, hint: str = "") -> None:
    """``Error:`` and ``Hint:`` on stderr, without what could steer the terminal."""
    click.echo(f"{_label('Error:', 'red')} {printable(message, lines=True)}", err=True)
    if hint:
        click.echo(f"{_label('Hint:', 'cyan')} {printable(hint, lines=True)}", err=True)


def tell_warnings(warnings: Any) -> None:
    """Each on a line of its own on stderr, so that pipes stay clean."""
    for warning in warnings or ():
        click.echo(f"{_label('Warning:', 'yellow')} {printable(str(warning))}", err=True)


def show_usage(error: click.ClickException, output: str) -> int:
    """What click found wrong with the command line."""
    if output == "json":
        shape = {"type": "UsageError", "message": error.format_message()}
        click.echo(json.dumps({"error": shape}, ensure_ascii=False), err=True)
    else:
        error.show()
    return USAGE


def show_unexpected(error: BaseException, output: str) -> int:
    """A bug of ours, or of the machine: one line, and how to see more."""
    if os.environ.get(DEBUG):
        traceback.print_exception(error)
        return FleetError.exit_code
    what = str(error) or type(error).__name__
    if not isinstance(error, OSError):
        what = f"Fleet failed in a way it should not: {type(error).__name__}: {what}"
    first = what.splitlines()[0]
    return show(FleetError(first, hint=f"Set {DEBUG}=1 to see where."), output)


def _label(text: str, colour: str) -> str:
    return styled(text, colour, err=True)
