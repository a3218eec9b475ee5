"""A Secret shows itself to nobody who does not ask for it by name."""

from __future__ import annotations

import copy
import json
import pickle  # noqa: TID251 - to see it refused
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from fleet.model.secret import MASK, Secret

VALUE = "correct-horse-battery"


@dataclass(frozen=True)
class Holder:
    token: Secret


SHOWN: dict[str, Callable[[Secret], str]] = {
    "repr": repr,
    "str": str,
    "format": lambda it: f"{it:>40}",
    "percent": lambda it: "%s %r" % (it, it),  # noqa: UP031 - how loggers format
    "inside another": lambda it: repr(Holder(it)),
    "in a list": lambda it: str([it]),
    "in an error": lambda it: str(ValueError(it)),
}


@pytest.mark.parametrize("way", SHOWN)
def test_what_is_shown_is_a_mask(way: str) -> None:
    shown = SHOWN[way](Secret(VALUE))
    assert VALUE not in shown
    assert MASK in shown


@pytest.mark.parametrize("way", [json.dumps, pickle.dumps, copy.copy, copy.deepcopy, hash, vars])
def test_no_way_out_but_reveal(way: Callable[[object], object]) -> None:
    with pytest.raises(TypeError) as caught:
        way(Secret(VALUE))
    assert VALUE not in str(caught.value)
    assert Secret(VALUE).reveal() == VALUE


def test_equal_only_to_another_secret() -> None:
    assert Secret(VALUE) == Secret(VALUE)
    assert Secret(VALUE) != Secret("else")
    assert Secret(VALUE) != VALUE


def test_only_an_empty_one_is_false() -> None:
    assert Secret(VALUE)
    assert not Secret("")


def test_holds_text_only() -> None:
    with pytest.raises(TypeError, match="text"):
        Secret(b"bytes")  # type: ignore[arg-type]
