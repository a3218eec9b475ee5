"""``fleet audit``: who changed what, and whether the log is whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from fleet.cli.command import Group
from fleet.cli.invocation import Invocation
from fleet.cli.options import output_option, watch_option
from fleet.cli.output import Column, Table, to_json, to_yaml
from fleet.cli.times import Moment
from fleet.cli.watching import show_list
from fleet.errors import FleetError, UsageError

CHANGES = Table(
    "change",
    (
        Column("AT", lambda it: it["at"]),
        Column("ACTOR", lambda it: it["actor"]),
        Column("ACTION", lambda it: it["action"]),
        Column("OBJECT", lambda it: f"{it['kind']}/{it['object']}"),
        Column("DECISION", lambda it: it["decision"]),
        Column("FROM", lambda it: it["sourceIp"] or "", wide=True),
        Column("REQUEST", lambda it: it["requestId"] or "", wide=True),
        Column("SEQ", lambda it: str(it["seq"]), wide=True),
    ),
    lambda it: str(it["seq"]),
    "No changes match.",
)


@click.group(cls=Group)
def audit() -> None:
    """Who changed what; is the log intact?"""


@audit.command(
    examples=(
        "fleet audit changes --since 24h",
        "fleet audit changes --actor ci --kind Application -o json",
        "fleet audit changes --decision denied --since 7d",
    )
)
@click.option("--actor", default="", help="Only changes by this account.")
@click.option("--action", default="", help="Only this action, e.g. create or sign-in.")
@click.option("--kind", default="", help="Only objects of this kind, e.g. Application.")
@click.option("--object", "name", default="", help="Only the object of this name.")
@click.option(
    "--decision",
    type=click.Choice(["allowed", "denied"]),
    help="Only what was done, or only what was refused.",
)
@click.option("--since", type=Moment(ahead=False), help="Only after: 24h ago, or a time.")
@click.option("--until", type=Moment(ahead=False), help="Only before: 1h ago, or a time.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most.")
@watch_option()
@output_option()
@click.pass_obj
def changes(
    invocation: Invocation, /, limit: int, watch: bool, output: str, **wanted: str | None
) -> None:
    """List accepted changes, denied attempts and sign-ins, newest first."""
    wanted["object"] = wanted.pop("name")
    show_list(
        invocation,
        lambda: invocation.api.items("audit", "changes", query=wanted, most=limit),
        CHANGES,
        output,
        watch=watch,
        log=True,
    )


@audit.command(examples=("fleet audit verify", "fleet audit verify --head head.json"))
@click.option(
    "--head", metavar="FILE", help="What `export-head` printed: nothing after is missing."
)
@output_option("table", "json", "yaml")
@click.pass_obj
def verify(invocation: Invocation, head: str | None, output: str) -> None:
    """Follow the chain of hashes through the whole log.

    Finds entries that were changed, removed or put in. That the newest were not cut off, only
    a head shows that was exported before. Exits 3 when something does not fit.
    """
    body = {"head": _head(Path(head))} if head else {}
    found = invocation.api.post("audit", "verify", body=body)
    if output != "table":
        click.echo(to_json(found) if output == "json" else to_yaml(found))
    elif found["ok"]:
        click.echo(f"The audit log is intact: {found['checked']} entries checked")
    if not found["ok"]:
        raise FleetError(
            f"the audit log does not verify: {found['message']}",
            hint="Somebody with rights on the database changed it; compare it with a backup.",
        )


def _head(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--head {path}: is no exported head: {error}",
            hint="`fleet audit export-head > head.json` makes one.",
        ) from None


@audit.command("export-head", examples=("fleet audit export-head > head-$(date +%F).json",))
@click.pass_obj
def export_head(invocation: Invocation) -> None:
    """Print the newest link of the chain, signed; keep it where the database's owner cannot."""
    click.echo(to_json(invocation.api.get("audit", "head")))
