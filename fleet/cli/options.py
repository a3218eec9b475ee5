"""Options that several commands share, spelt once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from fleet.cli.invocation import Invocation

Function = TypeVar("Function", bound=Callable[..., Any])

FORMS = ("table", "wide", "json", "yaml", "name")


def _remember_output(ctx: click.Context, _: click.Parameter, value: str) -> str:
    ctx.ensure_object(Invocation).output = value
    return value


def output_option(*forms: str, default: str = "table") -> Callable[[Function], Function]:
    """``-o/--output``; also decides how errors are written."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(forms or FORMS),
        default=default,
        show_default=True,
        callback=_remember_output,
        help="How to print the answer.",
    )


def watch_option() -> Callable[[Function], Function]:
    return click.option(
        "-w", "--watch", is_flag=True, help="After listing, print what changes until interrupted."
    )


def yes_option(what: str = "Do not ask.") -> Callable[[Function], Function]:
    return click.option("-y", "--yes", is_flag=True, help=what)


def needless_yes_option() -> Callable[[Function], Function]:
    """Of commands that ask nothing, as Argo CD's do not: scripts that say ``-y`` go on working."""
    return click.option(
        "-y", "--yes", is_flag=True, expose_value=False, help="Accepted; nothing is asked."
    )


def selector_option(what: str) -> Callable[[Function], Function]:
    return click.option(
        "-l", "--selector", default="", metavar="SELECTOR", help=f"Only {what} with these labels."
    )


class Pairs(click.ParamType[tuple[str, str | None]]):
    """``key=value``; several, separated by commas, only where values have none."""

    name = "key=value"

    def __init__(self, *, removable: bool = False) -> None:
        self._removable = removable

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str | None]:
        if isinstance(value, tuple):
            return value
        text = str(value)
        key, equals, rest = text.partition("=")
        if key and equals:
            return key, rest
        if self._removable and text.endswith("-") and len(text) > 1:
            return text[:-1], None
        also = " (or key- to remove it)" if self._removable else ""
        raise click.BadParameter(f"{text!r} is not key=value{also}", ctx=ctx, param=param)


def mapping_of(pairs: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    return dict(pairs)


def given(**values: Any) -> dict[str, Any]:
    """The body of a request: what was not given is left out, so that its default holds."""
    return {key: value for key, value in values.items() if value not in (None, "", (), [], {})}


def query(values: Mapping[str, Any]) -> dict[str, Any]:
    """Query parameters; empty ones are left out."""
    return {key: value for key, value in values.items() if value not in (None, "", ())}
