"""Diffs laid out for a terminal."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.diff import compare, side_by_side, unified
from fleet.diff.rows import runs, windows
from fleet.diff.yaml_text import yaml_lines
from fleet.model.diffs import ObjectDiff
from fleet.model.objects import ObjectRef

from .shapes import SALT, nonsense_objects, objects


def config(data: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    found = {"name": "web", "namespace": "shop", **metadata}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": found, "data": data}


def diff(live: dict[str, Any] | None, desired: dict[str, Any] | None) -> ObjectDiff:
    wrap = [None if side is None else config(side) for side in (live, desired)]
    return compare(*wrap, salt=SALT)


def test_unified() -> None:
    found = unified(diff({"a": "1", "b": "x\ny\n"}, {"a": "1", "b": "x\nz\n", "c": "new"}))
    assert found.splitlines() == [
        "===== /ConfigMap shop/web ======",
        "--- live",
        "+++ desired",
        "@@ -7,4 +7,5 @@",
        '   a: "1"',
        "   b: |",
        "     x",
        "-    y",
        "+    z",
        "+  c: new",
    ]


def test_unified_of_a_new_object() -> None:
    found = unified(diff(None, {"a": "b"})).splitlines()
    assert found[0] == "===== /ConfigMap shop/web ======"
    assert found[3] == "@@ -0,0 +1,7 @@"
    assert all(line.startswith("+") for line in found[4:])


def test_unified_of_a_pruned_object() -> None:
    found = unified(diff({"a": "b"}, None)).splitlines()
    assert found[3] == "@@ -1,7 +0,0 @@"
    assert all(line.startswith("-") for line in found[4:])


def test_no_difference_is_no_text() -> None:
    same = diff({"a": "b"}, {"a": "b"})
    assert unified(same) == side_by_side(same, 80) == ""


def test_far_changes_stand_in_hunks_of_their_own() -> None:
    live = {f"k{number:02}": "x" for number in range(40)}
    found = unified(diff(live, {**live, "k02": "y", "k35": "y"}))
    assert found.count("@@ -") == 2
    assert "k20" not in found


def carried_out(text: str, before: list[str]) -> list[str]:
    """What ``patch`` makes of ``before``, refusing where the hunks do not fit."""
    after, position = [], 0
    for line in text.splitlines()[3:]:
        if line.startswith("@@"):
            first, count = re.findall(r"\d+", line)[:2]
            start = int(first) - (count != "0")
            after += before[position:start]
            position = start
        elif line[0] == "+":
            after.append(line[1:])
        else:
            assert before[position] == line[1:]
            after += [line[1:]] if line[0] == " " else []
            position += 1
    return after + before[position:]


@settings(max_examples=60)
@given(st.lists(st.integers(0, 3), max_size=40), st.lists(st.integers(0, 3), max_size=40))
def test_the_hunks_are_a_patch(one: list[int], other: list[int]) -> None:
    live, desired = (
        config({f"k{place:02}": "x\n" * value for place, value in enumerate(values)})
        for values in (one, other)
    )
    text = unified(compare(live, desired, salt=SALT))
    assert carried_out(text, yaml_lines(live)) == yaml_lines(desired)


def test_side_by_side() -> None:
    found = side_by_side(diff({"a": "1", "b": "2"}, {"a": "1", "b": "3", "c": "4"}), 45)
    assert found.splitlines() == [
        "===== /ConfigMap shop/web ======",
        "  namespace: shop         namespace: shop",
        "data:                   data:",
        '  a: "1"                  a: "1"',
        '  b: "2"              |   b: "3"',
        '                      >   c: "4"',
    ]


def test_side_by_side_goes_on_below() -> None:
    long = "x" * 50
    found = side_by_side(diff({"a": long + "1"}, {"a": long + "2"}), 43)
    assert max(len(line) for line in found.splitlines()) <= 43
    left = "".join(line[:20].rstrip() for line in found.splitlines() if "|" in line)
    assert f"{long}1" in left


def test_wide_letters_keep_the_columns() -> None:
    found = side_by_side(diff({"a": "日本語日本語"}, {"a": "日本語日本"}), 60)
    line = next(line for line in found.splitlines() if "|" in line)
    wide = sum(2 if ord(letter) > 0x2E80 else 1 for letter in line[: line.index("|")])
    assert wide == 29


HOSTILE = "\x1b[2J\x1b]0;pwned\x07\x9b31m\u202e\r\b"


@pytest.mark.parametrize("colour", [False, True])
def test_a_hostile_object_cannot_drive_the_terminal(colour: bool) -> None:
    live = config({"k": HOSTILE, HOSTILE: "v", "m": f"a\n{HOSTILE}\n"}, name=HOSTILE)
    desired = config({"k": "x"}, name=HOSTILE, labels={HOSTILE: HOSTILE})
    found = compare(live, desired, salt=SALT)
    for text in (unified(found, colour=colour), side_by_side(found, 80, colour=colour)):
        bare = re.sub(r"\x1b\[(0|1|31|32|36)m", "", text) if colour else text
        assert bare.replace("\n", "").isprintable()


def test_colour_only_adds() -> None:
    found = diff({"a": "1", "b": "2"}, {"a": "3", "c": "2"})
    for plain, painted in (
        (unified(found), unified(found, colour=True)),
        (side_by_side(found, 60), side_by_side(found, 60, colour=True)),
    ):
        assert "\x1b[31m" in painted or "\x1b[36m" in painted
        assert re.sub(r"\x1b\[\d+m", "", painted) == plain


LINES = st.lists(st.sampled_from("abcd"), max_size=30)


@given(LINES, LINES)
def test_runs_hold_both_texts(left: list[str], right: list[str]) -> None:
    found = runs(left, right)
    assert [line for run in found for line in run.left] == left
    assert [line for run in found for line in run.right] == right
    assert all((run.left == run.right) is run.equal for run in found)


def test_huge_texts_are_not_matched_line_by_line() -> None:
    left, right = [str(n) for n in range(30_000)], [str(n) for n in range(30_000, 0, -1)]
    found = runs(["head", *left, "tail"], ["head", *right, "tail"])
    assert [run.equal for run in found] == [True, False, True]


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 4))
def test_windows_show_each_change_with_its_neighbours(changed: list[bool], context: int) -> None:
    shown = {index for window in windows(changed, context) for index in window}
    wanted = {
        near
        for index, flag in enumerate(changed)
        if flag
        for near in range(index - context, index + context + 1)
        if 0 <= near < len(changed)
    }
    assert shown == wanted


@settings(max_examples=50)
@given(objects() | nonsense_objects(), objects() | nonsense_objects(), st.integers(-5, 120))
def test_anything_can_be_shown(one: dict[str, Any], other: dict[str, Any], width: int) -> None:
    found = compare(one, other, salt=SALT)
    texts = [unified(found), side_by_side(found, width)]
    assert all(bool(text) for text in texts) or not all(texts)


def test_header_of_a_cluster_scoped_object() -> None:
    found = ObjectDiff(ObjectRef("rbac.x", "ClusterRole", "", "r"), None, {"a": 1}, ())
    assert unified(found).startswith("===== rbac.x/ClusterRole /r ======\n")
