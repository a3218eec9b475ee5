"""On which terms something is done: why, until when, and although sync windows say no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from fleet.cli.options import Function, given
from fleet.cli.times import Moment
from fleet.errors import UsageError

TERMS_OPTIONS = (
    click.option(
        "--break-glass",
        is_flag=True,
        help="Although sync windows say no; for roles that may, and kept in the audit log.",
    ),
    click.option(
        "--reason",
        default="",
        metavar="TEXT",
        help="Why the glass is broken, or why auto-sync is held back.",
    ),
    click.option(
        "--until",
        type=Moment(ahead=True),
        help="Hold auto-sync back until then (2h, or a time); else until `fleet app resume`.",
    ),
)


def terms_options(function: Function) -> Function:
    for option in reversed(TERMS_OPTIONS):
        function = option(function)
    return function


def terms_of(flags: Mapping[str, Any]) -> dict[str, Any]:
    """What a request says of it.

    Raises:
        UsageError: the glass is broken without a reason.
    """
    reason = flags["reason"].strip()
    if flags["break_glass"] and not reason:
        raise UsageError("--break-glass needs --reason TEXT: the audit log keeps it")
    return given(
        breakGlassReason=reason if flags["break_glass"] else None,
        reason=reason,
        until=flags["until"],
    )
