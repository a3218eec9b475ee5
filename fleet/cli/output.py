"""Answers as people and scripts want them: table, wide, json, yaml, name.

Colour only on terminals, and not where NO_COLOR is set. What comes from clusters and
repositories is printed without control characters: a name must not steer a terminal.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

Item = Mapping[str, Any]

GAP = "   "
NOTHING = "-"

#: Words that mean good, under way, wrong or unknown, wherever they stand in a table.
_COLOURS = {
    "green": {"Synced", "Healthy", "Successful", "Succeeded", "ok", "created", "Running"},
    "yellow": {"OutOfSync", "Suspended", "Missing", "paused", "pruned", "skipped", "Paused"},
    "blue": {"Progressing", "Pending", "Terminating", "configured"},
    "red": {"Degraded", "Failed", "Error", "failed", "revoked", "expired", "disabled"},
    "magenta": {"Unknown"},
}
_COLOUR_OF = {word: colour for colour, words in _COLOURS.items() for word in words}


@dataclass(frozen=True, slots=True)
class Column:
    """``value`` gives the text of a cell; "" is shown as a dash. ``wide``: only there."""

    title: str
    value: Callable[[Item], str]
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """How a noun's list looks.

    Attributes:
        noun: for ``-o name``: ``application/web``.
        name: what identifies an item.
        empty: what is said instead of an empty table; says how to make the first.
        key: tells items apart where several have the same name.
    """

    noun: str
    columns: tuple[Column, ...]
    name: Callable[[Item], str]
    empty: str
    key: Callable[[Item], str] | None = None


def printable(text: str, *, lines: bool = False) -> str:
    """``text`` with a visible stand-in for each control character.

    Args:
        lines: line ends and tabs are kept.
    """
    kept = "\n\t" if lines else ""
    if text.isprintable():
        return text
    return "".join(
        "\N{REPLACEMENT CHARACTER}"
        if char not in kept and unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp")
        else char
        for char in text
    )


def coloured(*, err: bool = False) -> bool:
    """Whether colour is wanted: a terminal, and no NO_COLOR (no-color.org)."""
    stream = sys.stderr if err else sys.stdout
    return stream.isatty() and not os.environ.get("NO_COLOR")


def styled(text: str, colour: str, *, err: bool = False) -> str:
    return click.style(text, fg=colour) if coloured(err=err) else text


def word(text: str) -> str:
    """A status in its colour."""
    first = text.partition(" ")[0]
    return styled(text, _COLOUR_OF[first]) if first in _COLOUR_OF else text


def to_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def to_yaml(value: Any) -> str:
    from fleet.render.yaml import dump

    return dump(value).rstrip("\n")


def rows_of(items: Iterable[Item], table: Table, *, wide: bool) -> list[list[str]]:
    """The cells, header first."""
    columns = [column for column in table.columns if wide or not column.wide]
    cells = [[printable(column.value(item)) or NOTHING for column in columns] for item in items]
    return [[column.title for column in columns], *cells]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with columns under each other; the last column is not padded."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for index, row in enumerate(rows):
        last = len(row) - 1
        cells = [
            (cell if index == 0 else word(cell)) + ("" if at == last else " " * (width - len(cell)))
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(GAP.join(cells).rstrip())
    return lines


def show_items(items: Sequence[Item], table: Table, output: str) -> None:
    """A list, in the form that was asked for."""
    if output == "json":
        click.echo(to_json(list(items)))
    elif output == "yaml":
        click.echo(to_yaml(list(items)))
    elif output == "name":
        for item in items:
            click.echo(f"{table.noun}/{printable(table.name(item))}")
    elif not items:
        click.echo(table.empty, err=True)
    else:
        for line in aligned(rows_of(items, table, wide=output == "wide")):
            click.echo(line)


def show_added(answer: Item, table: Table, output: str) -> None:
    """What is new of many that were given, and how many were known before."""
    if output in ("json", "yaml"):
        click.echo(to_json(answer) if output == "json" else to_yaml(answer))
        return
    if answer["added"]:
        show_items(answer["added"], table, output)
    click.echo(f"{len(answer['added'])} added, {answer['known']} known before", err=True)


def show_item(item: Item, table: Table, output: str, page: Callable[[Item], str]) -> None:
    """One thing: its page, or the form that was asked for."""
    if output in ("json", "yaml"):
        click.echo(to_json(item) if output == "json" else to_yaml(item))
    elif output == "name":
        click.echo(f"{table.noun}/{printable(table.name(item))}")
    else:
        click.echo(page(item))


def show_done(item: Item, noun: str, name: str, action: str, output: str) -> None:
    """What became of a write: ``cluster/eu-1 created``, as kubectl says it."""
    if output in ("json", "yaml"):
        click.echo(to_json(item) if output == "json" else to_yaml(item))
    elif output == "name":
        click.echo(f"{noun}/{printable(name)}")
    else:
        click.echo(f"{noun}/{printable(name)} {word(action)}")


def show_documents(items: Sequence[Item], output: str, *, many: bool) -> None:
    """What a command answers with as JSON or YAML: always one document, a list where
    several things were asked for."""
    shown: Any = list(items) if many or len(items) != 1 else items[0]
    click.echo(to_json(shown) if output == "json" else to_yaml(shown))


@contextmanager
def shown_together(
    noun: str, output: str, *, many: bool
) -> Iterator[Callable[[Item, str, str], None]]:
    """Says what became of each of several things: a line at once, or as JSON or YAML one
    document at the end, which has those that were done before one failed."""
    if output not in ("json", "yaml"):
        yield lambda item, name, action: show_done(item, noun, name, action, output)
        return
    found: list[Item] = []
    try:
        yield lambda item, name, action: found.append(item)  # noqa: ARG005
    finally:
        if found:
            show_documents(found, output, many=many)


def page_of(pairs: Iterable[tuple[str, str]]) -> str:
    """``Name:  value`` lines; what is empty is left out, lines of a value stand below it."""
    shown = [(title, text) for title, text in pairs if text]
    width = max((len(title) for title, _ in shown), default=0) + 3
    lines = []
    for title, text in shown:
        first, *more = printable(text, lines=True).splitlines()
        lines.append(f"{title + ':':<{width}}{word(first)}")
        lines += [" " * width + line for line in more]
    return "\n".join(lines)


def pairs_text(mapping: Mapping[str, Any] | None) -> str:
    """``a=b,c=d`` of labels."""
    return ",".join(f"{key}={value}" for key, value in sorted((mapping or {}).items()))
