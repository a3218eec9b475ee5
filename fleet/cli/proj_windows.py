"""``fleet proj windows``: when applications of a project may sync."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from fleet.cli.asking import confirm
from fleet.cli.command import Group
from fleet.cli.invocation import Invocation
from fleet.cli.options import Function, output_option, watch_option, yes_option
from fleet.cli.output import Column, Item, Table
from fleet.cli.project_changes import put_changed
from fleet.cli.projects import Document, with_new_window, with_window, without_window
from fleet.cli.times import age
from fleet.cli.watching import show_list
from fleet.errors import UsageError


def _listed(key: str) -> Callable[[Item], str]:
    return lambda it: ",".join(it.get(key) or ()) or "-"


def _enabled(key: str) -> Callable[[Item], str]:
    return lambda it: "Enabled" if it.get(key) else "Disabled"


def _next(it: Item) -> str:
    if not it["changesAt"]:
        return "never"
    return f"{'closes' if it['open'] else 'opens'} in {age(it['changesAt'])}"


WINDOWS = Table(
    "window",
    (
        Column("ID", lambda it: str(it["id"])),
        Column("STATUS", lambda it: "Active" if it["open"] else "Inactive"),
        Column("KIND", lambda it: it["kind"]),
        Column("SCHEDULE", lambda it: it["schedule"]),
        Column("DURATION", lambda it: it["duration"]),
        Column("APPLICATIONS", _listed("applications")),
        Column("NAMESPACES", _listed("namespaces")),
        Column("CLUSTERS", _listed("clusters")),
        Column("MANUALSYNC", _enabled("manualSync")),
        Column("SYNCOVERRUN", _enabled("syncOverrun")),
        Column("TIMEZONE", lambda it: it["timeZone"]),
        Column("USEANDOPERATOR", _enabled("andOperator"), wide=True),
        Column("NEXT", _next),
        Column("INHERITED", lambda it: "yes" if it.get("inherited") else "", wide=True),
        Column("DESCRIPTION", lambda it: it.get("description", ""), wide=True),
    ),
    lambda it: str(it["id"]),
    "No sync windows: applications may sync at any time. Add one with `fleet proj windows add`.",
)


@click.group(cls=Group)
def windows() -> None:
    """Sync windows of a project: when its applications may sync."""


_LISTS = {
    "applications": "Applications it concerns, by name; globs, separated by commas.",
    "namespaces": "Applications by destination namespace; globs, separated by commas.",
    "clusters": "Applications by cluster name or URL; globs, separated by commas.",
}


def _shared_options(function: Function) -> Function:
    """What ``add`` and ``update`` both take, argocd's flags."""
    for option in (
        click.option("--description", default=None, help="What it is for."),
        click.option(
            "--time-zone", default=None, metavar="ZONE", help="Of the schedule; UTC unless given."
        ),
        *(
            click.option(f"--{key}", multiple=True, metavar="GLOB,...", help=text)
            for key, text in reversed(_LISTS.items())
        ),
        click.option("--duration", default=None, help="How long it is open, e.g. 1h30m."),
        click.option(
            "--schedule",
            default=None,
            metavar="CRON",
            help="When it opens: minute hour day month weekday, e.g. '0 22 * * *'.",
        ),
    ):
        function = option(function)
    return function


def _parts(texts: tuple[str, ...]) -> list[str]:
    return [part.strip() for text in texts for part in text.split(",") if part.strip()]


def _fields(flags: dict[str, Any]) -> Document:
    """The fields of a window that flags give."""
    fields = {
        "schedule": flags["schedule"],
        "duration": flags["duration"],
        "timeZone": flags["time_zone"],
        "description": flags["description"],
        **{key: _parts(flags[key]) for key in _LISTS},
    }
    return {key: value for key, value in fields.items() if value not in (None, [])}


@windows.command(
    "list", examples=("fleet proj windows list shop", "fleet proj windows list shop -o wide")
)
@click.argument("name", metavar="PROJECT")
@watch_option()
@output_option()
@click.pass_obj
def list_(invocation: Invocation, name: str, watch: bool, output: str) -> None:
    """List the sync windows of a project, which are open, and when that changes."""
    show_list(
        invocation,
        lambda: invocation.api.items("projects", name, "syncwindows"),
        WINDOWS,
        output,
        watch=watch,
    )


@windows.command(
    examples=(
        "fleet proj windows add shop -k allow --schedule '0 22 * * *' --duration 8h --clusters eu",
        "fleet proj windows add shop -k deny --schedule '0 9 * * 1-5' --duration 8h --clusters '*'",
    )
)
@click.argument("name", metavar="PROJECT")
@click.option(
    "-k",
    "--kind",
    type=click.Choice(["allow", "deny"]),
    required=True,
    help="Syncs only while it is open, or never while it is.",
)
@_shared_options
@click.option("--manual-sync", is_flag=True, help="It holds back Fleet, but not people.")
@click.option("--sync-overrun", is_flag=True, help="Syncs that run when it says no may go on.")
@click.option(
    "--use-and-operator", is_flag=True, help="All lists have to match, instead of any of them."
)
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def add(
    invocation: Invocation,
    /,
    name: str,
    kind: str,
    manual_sync: bool,
    sync_overrun: bool,
    use_and_operator: bool,
    output: str,
    **flags: Any,
) -> None:
    """Add a sync window to a project."""
    for key in ("schedule", "duration"):
        if not flags[key]:
            raise UsageError(f"a window needs --{key}")
    switches = {
        "manualSync": manual_sync,
        "syncOverrun": sync_overrun,
        "andOperator": use_and_operator,
    }
    window = {"kind": kind, **_fields(flags), **{key: on for key, on in switches.items() if on}}
    put_changed(invocation, name, lambda document: with_new_window(document, window), output)


@windows.command(
    examples=(
        "fleet proj windows update shop 0 --schedule '0 20 * * *'",
        "fleet proj windows update shop 0 --namespaces default,kube-system",
    )
)
@click.argument("name", metavar="PROJECT")
@click.argument("id", type=click.IntRange(0), metavar="ID")
@_shared_options
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def update(invocation: Invocation, /, name: str, id: int, output: str, **flags: Any) -> None:
    """Change a sync window. A list that is given replaces the one that was there."""
    fields = _fields(flags)
    if not fields:
        raise UsageError(
            "nothing to change", hint="`fleet proj windows update --help` lists what can be."
        )
    put_changed(invocation, name, lambda document: with_window(document, id, fields), output)


@windows.command(examples=("fleet proj windows delete shop 0 -y",))
@click.argument("name", metavar="PROJECT")
@click.argument("id", type=click.IntRange(0), metavar="ID")
@yes_option()
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def delete(invocation: Invocation, name: str, id: int, yes: bool, output: str) -> None:
    """Delete a sync window. Those behind it move up and get its ID, and so on."""
    confirm(f"Delete sync window {id} of project {name}?", yes=yes)
    put_changed(invocation, name, lambda document: without_window(document, id), output)


def _switch(verb: str, key: str, text: str, *, on: bool) -> None:
    """A verb that switches one field of a window."""

    @windows.command(verb, help=text, examples=(f"fleet proj windows {verb} shop 0",))
    @click.argument("name", metavar="PROJECT")
    @click.argument("id", type=click.IntRange(0), metavar="ID")
    @output_option("table", "json", "yaml", "name")
    @click.pass_obj
    def command(invocation: Invocation, name: str, id: int, output: str) -> None:
        put_changed(invocation, name, lambda document: with_window(document, id, {key: on}), output)


_switch("enable-manual-sync", "manualSync", "Let people sync where it says no.", on=True)
_switch("disable-manual-sync", "manualSync", "Hold back people, too.", on=False)
_switch("enable-sync-overrun", "syncOverrun", "Let syncs go on that run when it says no.", on=True)
_switch("disable-sync-overrun", "syncOverrun", "Let running syncs wait when it says no.", on=False)
