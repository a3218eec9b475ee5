"""``fleet proj sync``: all applications of a project at once, now or at a moment."""

from __future__ import annotations

from typing import Any

import click

from fleet.cli.command import Command
from fleet.cli.invocation import Invocation
from fleet.cli.options import given, needless_yes_option, output_option, watch_option
from fleet.cli.output import Column, Item, Table, show_done
from fleet.cli.times import Moment, age
from fleet.cli.watching import show_list


def when(it: Item) -> str:
    """``2036-01-31T18:00:00Z (in 3h)``"""
    return f"{it['at']} (in {age(it['at'])})" if it["state"] == "Planned" else str(it["at"])


def _begun(it: Item) -> str:
    results = it["results"]
    refused = sum(1 for result in results if result.get("error"))
    return f"{len(results) - refused} began, {refused} refused" if results else ""


SYNCS = Table(
    "sync",
    (
        Column("ID", lambda it: it["id"]),
        Column("AT", when),
        Column("STATE", lambda it: it["state"]),
        Column("PLANNED BY", lambda it: it["createdBy"]),
        Column("APPLICATIONS", _begun),
        Column("PRUNE", lambda it: "yes" if it["prune"] else "", wide=True),
        Column("CANCELLED BY", lambda it: it["cancelledBy"], wide=True),
    ),
    lambda it: str(it["id"]),
    "No syncs were planned. `fleet proj sync PROJECT --at TIME` plans one.",
)


@click.command(
    cls=Command,
    examples=(
        "fleet proj sync shop --at 2036-01-31T18:00:00Z",
        "fleet proj sync shop --at 2h --prune",
        "fleet proj sync shop",
    ),
)
@click.argument("name", metavar="PROJECT")
@click.option(
    "--at",
    type=Moment(ahead=True),
    default=None,
    metavar="TIME",
    help="When: a time, or a span from now; now unless given.",
)
@click.option("--prune", is_flag=True, help="Delete what is not in Git any more.")
@click.option("--dry-run", is_flag=True, help="Ask the clusters without changing them.")
@click.option(
    "--sync-option", "options", multiple=True, metavar="NAME=VALUE", help="For this; repeatable."
)
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def sync(invocation: Invocation, /, name: str, at: str | None, output: str, **flags: Any) -> None:
    """Sync every application that a project has, now or at a time, as if by hand.

    Each is asked once. Its sync windows are looked at then; what was refused is in
    `fleet proj syncs`.
    """
    body = given(
        at=at,
        prune=flags["prune"] or None,
        dryRun=flags["dry_run"] or None,
        syncOptions=list(flags["options"]),
    )
    planned = invocation.api.post("projects", name, "syncs", body=body)
    show_done(
        planned, "project", name, f"sync planned at {planned['at']} ({planned['id']})", output
    )


@click.command(cls=Command, examples=("fleet proj syncs shop", "fleet proj syncs shop -o json"))
@click.argument("name", metavar="PROJECT")
@watch_option()
@output_option()
@click.pass_obj
def syncs(invocation: Invocation, name: str, watch: bool, output: str) -> None:
    """List the planned syncs of a project, and what became of those that were."""
    show_list(
        invocation,
        lambda: invocation.api.items("projects", name, "syncs"),
        SYNCS,
        output,
        watch=watch,
    )


@click.command(
    "cancel-sync",
    cls=Command,
    examples=("fleet proj cancel-sync shop 5f3c0b7e-8f0e-4d4c-9f0a-3c1f0e6d2b11",),
)
@click.argument("name", metavar="PROJECT")
@click.argument("id", type=click.UUID, metavar="ID")
@needless_yes_option()
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def cancel_sync(invocation: Invocation, name: str, id: object, output: str) -> None:
    """Let a planned sync not take place."""
    answer = invocation.api.delete("projects", name, "syncs", str(id))
    show_done(answer, "project", name, f"sync cancelled ({id})", output)
