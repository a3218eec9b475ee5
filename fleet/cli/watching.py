"""Lists that go on: first everything, then what changes, until interrupted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from fleet.cli.invocation import Invocation
from fleet.cli.output import Item, Table, aligned, printable, rows_of, show_items, to_json, to_yaml

WATCH_SECONDS = 2.0
REMOVED = "deleted"


def show_list(
    invocation: Invocation,
    ask: Callable[[], Sequence[Item]],
    table: Table,
    output: str,
    *,
    watch: bool = False,
    log: bool = False,
    pause: Callable[[float], None] | None = None,
) -> None:
    """Print the list; with ``watch`` go on with each row that changed since the last look.

    Args:
        log: the list only grows, newest first: what a limit cuts off was not deleted.
        pause: for lists that are not Fleet's; it waits between two looks.
    """
    items = ask()
    show_items(items, table, output)
    key = table.key or table.name
    known = {key(item): item for item in items}
    while watch:
        (pause or invocation.api.pause)(WATCH_SECONDS)
        now = {key(item): item for item in ask()}
        found = changed(known, now)
        for item in reversed(found) if log else found:
            _show_change(item, table, output)
        for item in () if log else [known[gone] for gone in known if gone not in now]:
            text = f"{table.noun}/{printable(table.name(item))} {REMOVED}"
            click.echo(text, err=output in ("json", "yaml"))
        known = now


def changed(before: dict[str, Item], now: dict[str, Item]) -> list[Item]:
    """Items that are new or different, in their order."""
    return [item for name, item in now.items() if before.get(name) != item]


def _show_change(item: Item, table: Table, output: str) -> None:
    """One row under the table that is there already; as JSON or YAML, one document."""
    if output == "json":
        click.echo(to_json(item))
    elif output == "yaml":
        click.echo(f"---\n{to_yaml(item)}")
    elif output == "name":
        show_items([item], table, output)
    else:
        click.echo(aligned(rows_of([item], table, wide=output == "wide"))[1])
