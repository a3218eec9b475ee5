"""Answers as tables and documents."""

from __future__ import annotations

import json

import pytest

from fleet.cli.output import (
    Column,
    Table,
    aligned,
    page_of,
    printable,
    rows_of,
    show_added,
    show_done,
    show_item,
    show_items,
)

TABLE = Table(
    "cluster",
    (
        Column("NAME", lambda it: it["name"]),
        Column("STATUS", lambda it: it.get("status", "")),
        Column("SERVER", lambda it: it.get("server", ""), wide=True),
    ),
    lambda it: str(it["name"]),
    "No clusters. Add one.",
)
ITEMS = [
    {"name": "eu-1", "status": "Successful", "server": "https://a"},
    {"name": "europe-2", "status": ""},
]


def test_columns_stand_under_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    show_items(ITEMS, TABLE, "table")
    assert capsys.readouterr().out == ("NAME       STATUS\neu-1       Successful\neurope-2   -\n")


def test_wide_shows_more_columns(capsys: pytest.CaptureFixture[str]) -> None:
    show_items(ITEMS, TABLE, "wide")
    assert capsys.readouterr().out.splitlines()[1] == "eu-1       Successful   https://a"


def test_of_many_that_were_given_the_new_ones_are_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_added({"added": ITEMS[:1], "known": 1}, TABLE, "name")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("cluster/eu-1\n", "1 added, 1 known before\n")
    show_added({"added": [], "known": 2}, TABLE, "table")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "0 added, 2 known before\n")
    show_added({"added": [], "known": 2}, TABLE, "json")
    assert json.loads(capsys.readouterr().out) == {"added": [], "known": 2}


def test_json_and_yaml_are_the_items_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    show_items(ITEMS, TABLE, "json")
    assert json.loads(capsys.readouterr().out) == ITEMS
    show_items(ITEMS[1:], TABLE, "yaml")
    assert capsys.readouterr().out == '- name: europe-2\n  status: ""\n'


def test_names_can_be_piped(capsys: pytest.CaptureFixture[str]) -> None:
    show_items(ITEMS, TABLE, "name")
    assert capsys.readouterr().out == "cluster/eu-1\ncluster/europe-2\n"


def test_an_empty_table_says_how_to_begin_and_leaves_the_pipe_empty(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_items([], TABLE, "table")
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "No clusters. Add one.\n")
    show_items([], TABLE, "json")
    assert capsys.readouterr().out == "[]\n"


def test_a_name_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show_items([{"name": "a\x1b[2Jb\nc", "status": "ok"}], TABLE, "table")
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert len(printed.splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "lines", "expected"),
    [
        ("plain ✓", False, "plain ✓"),
        ("a\tb\nc", False, "a�b�c"),
        ("a\tb\nc", True, "a\tb\nc"),
        ("\x9b31m", True, "�31m"),
        ("right\N{RIGHT-TO-LEFT OVERRIDE}left", False, "right�left"),
    ],
)
def test_control_characters_are_replaced(text: str, lines: bool, expected: str) -> None:
    assert printable(text, lines=lines) == expected


def test_colour_only_on_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of(ITEMS[:1], TABLE, wide=False)
    assert "\x1b" not in "".join(aligned(rows))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[32mSuccessful" in aligned(rows)[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in aligned(rows)[1]


def test_colour_does_not_move_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [["A", "B"], ["Failed", "x"], ["none", "y"]]
    plain = aligned(rows)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = aligned(rows)
    assert [line.replace("\x1b[31m", "").replace("\x1b[0m", "") for line in coloured] == plain


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("table", "cluster/eu-1 created\n"),
        ("name", "cluster/eu-1\n"),
        ("json", '{\n  "name": "eu-1"\n}\n'),
        ("yaml", "name: eu-1\n"),
    ],
)
def test_a_write_says_what_became_of_it(
    output: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show_done({"name": "eu-1"}, "cluster", "eu-1", "created", output)
    assert capsys.readouterr().out == expected


def test_a_page_leaves_out_what_is_empty(capsys: pytest.CaptureFixture[str]) -> None:
    show_item(
        ITEMS[0],
        TABLE,
        "table",
        lambda it: page_of([("Name", it["name"]), ("Nothing", ""), ("Labels", "a=b\nc=d")]),
    )
    assert capsys.readouterr().out == "Name:    eu-1\nLabels:  a=b\n         c=d\n"
