"""What a list that goes on prints after its table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import cast

import pytest

from fleet.cli.invocation import Invocation
from fleet.cli.output import Column, Item, Table
from fleet.cli.watching import changed, show_list

CLUSTERS = Table(
    "cluster",
    (Column("NAME", lambda it: it["name"]), Column("STATUS", lambda it: it["status"])),
    lambda it: str(it["name"]),
    "No clusters.",
)
ENTRIES = Table(
    "entry",
    (Column("SEQ", lambda it: it["seq"]), Column("NAME", lambda it: it["name"])),
    lambda it: str(it["name"]),
    "Nothing yet.",
    key=lambda it: str(it["seq"]),
)


class Looks:
    """What each look at a list finds; after the last, the person interrupts."""

    def __init__(self, *looks: Sequence[Item]) -> None:
        self._looks = list(looks)
        self.api = self

    def ask(self) -> Sequence[Item]:
        return self._looks.pop(0)

    def pause(self, _: float) -> None:
        if not self._looks:
            raise KeyboardInterrupt

    def watched(self, table: Table, output: str, *, log: bool = False) -> None:
        with pytest.raises(KeyboardInterrupt):
            show_list(cast("Invocation", self), self.ask, table, output, watch=True, log=log)


def cluster(name: str, status: str = "ok") -> Item:
    return {"name": name, "status": status}


def entry(seq: int) -> Item:
    return {"seq": str(seq), "name": "web"}


def test_changed_is_what_is_new_or_different() -> None:
    before = {"a": cluster("a"), "b": cluster("b")}
    now = {"a": cluster("a"), "b": cluster("b", "failed"), "c": cluster("c")}
    assert changed(before, now) == [now["b"], now["c"]]


def test_what_changes_is_printed_below(capsys: pytest.CaptureFixture[str]) -> None:
    looks = Looks(
        [cluster("a")],
        [cluster("a")],
        [cluster("a", "failed"), cluster("b")],
        [cluster("b")],
    )
    looks.watched(CLUSTERS, "table")
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["NAME", "STATUS"],
        ["a", "ok"],
        ["a", "failed"],
        ["b", "ok"],
        ["cluster/a", "deleted"],
    ]


def test_documents_stay_documents(capsys: pytest.CaptureFixture[str]) -> None:
    Looks([], [cluster("a")], []).watched(CLUSTERS, "json")
    shown = capsys.readouterr()
    assert json.loads(shown.out.removeprefix("[]\n")) == cluster("a")
    assert shown.err == "cluster/a deleted\n"
    Looks([], [cluster("a")]).watched(CLUSTERS, "yaml")
    assert capsys.readouterr().out == "[]\n---\nname: a\nstatus: ok\n"


def test_of_a_log_nothing_is_deleted_and_the_newest_is_last(
    capsys: pytest.CaptureFixture[str],
) -> None:
    looks = Looks([entry(2), entry(1)], [entry(4), entry(3)])
    looks.watched(ENTRIES, "table", log=True)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        "SEQ", "2", "1", "3", "4",
    ]  # fmt: skip
