"""Lists that go on: first everything, then what changes, until interrupted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from fleet.cli.invocation import Invocation
from fleet.cli.output import Item, Table, aligned, rows_of, show_items, to_json

WATCH_SECONDS = 2.0
REMOVED = "deleted"


def show_list(
    invocation: Invocation,
    ask: Callable[[], Sequence[Item]],
    table: Table,
    output: str,
    *,
    watch: bool = False,
) -> None:
    """Print the list; with ``watch`` go on with each row that changed since the last look."""
    items = ask()
    show_items(items, table, output)
    known = {table.name(item): item for item in items}
    while watch:
        invocation.api.pause(WATCH_SECONDS)
        now = {table.name(item): item for item in ask()}
        for item in changed(known, now):
            _show_change(item, table, output)
        for name in known.keys() - now.keys():
            click.echo(f"{table.noun}/{name} {REMOVED}", err=output == "json")
        known = now


def changed(before: dict[str, Item], now: dict[str, Item]) -> list[Item]:
    """Items that are new or different, in their order."""
    return [item for name, item in now.items() if before.get(name) != item]


def _show_change(item: Item, table: Table, output: str) -> None:
    """One row under the table that is there already; as JSON, one document."""
    if output in ("json", "yaml"):
        click.echo(to_json(item))
    elif output == "name":
        show_items([item], table, output)
    else:
        click.echo(aligned(rows_of([item], table, wide=output == "wide"))[1])
