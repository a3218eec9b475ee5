"""jq's paths as JSON pointers."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.diff import pointers_of

OBJECT = {"spec": {"list": ["a", {"b": 1}, "c"], "a/b": {"~": 1}}, "": 0}


@pytest.mark.parametrize(
    ("path", "pointers"),
    [
        (["spec"], ("/spec",)),
        (["spec", "a/b", "~"], ("/spec/a~1b/~0",)),
        ([""], ("/",)),
        (["spec", "list", 1, "b"], ("/spec/list/1/b",)),
        (["spec", "list", -1], ("/spec/list/2",)),
        (["spec", "list", 1.0], ("/spec/list/1",)),
        (["spec", "list", {"start": 1, "end": None}], ("/spec/list/1", "/spec/list/2")),
        (["spec", "list", {"start": None, "end": -2}], ("/spec/list/0",)),
        (["spec", "list", {"start": 0, "end": 9}, "b"], ("/spec/list/1/b",)),
        ([], ()),
        (["spec", "none"], ()),
        (["spec", "list", 3], ()),
        (["spec", "list", -4], ()),
        (["spec", "list", "1"], ()),
        (["spec", "list", True], ()),
        (["spec", "list", None], ()),
        (["spec", "list", 0, "x"], ()),
        (["spec", 0], ()),
        (
            ["spec", "list", {"start": 1e300, "end": "x"}],
            tuple(f"/spec/list/{i}" for i in range(3)),
        ),
    ],
)
def test_a_path(path: list[Any], pointers: tuple[str, ...]) -> None:
    assert pointers_of([path], OBJECT) == pointers


def test_each_place_once_and_not_without_end() -> None:
    assert pointers_of([["spec"], ["spec"]], OBJECT) == ("/spec",)
    wide = {"a": [[0] * 1000] * 1000}
    every = {"start": None, "end": None}
    assert len(pointers_of([["a", every, every]], wide)) == 10_000
