"""Envelopes open where they belong and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.errors import SealBroken
from fleet.model.secret import Secret
from fleet.registry.keyring import KeyRing
from fleet.registry.sealing import (
    Place,
    kid_of,
    open_bytes,
    open_sealed,
    rewrap,
    seal,
    seal_bytes,
)

OLD = ("k1", b"1" * 32)
NEW = ("k2", b"2" * 32)
RING = KeyRing((OLD,))
PLACE = Place("clusters", "7f3c", "sealed", "https://eu-1.example:6443")
SECRET = Secret("correct horse")
ENVELOPE = seal(RING, PLACE, SECRET)


@given(st.text())
def test_opens_where_it_belongs(text: str) -> None:
    assert open_sealed(RING, PLACE, seal(RING, PLACE, Secret(text))) == Secret(text)


@given(st.binary())
def test_bytes(data: bytes) -> None:
    sealed = seal_bytes(RING, PLACE, data)
    assert open_bytes(RING, PLACE, sealed) == data
    assert not data or len(data) < 8 or data not in sealed


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(PLACE, table="repositories"),
        replace(PLACE, row="7f3d"),
        replace(PLACE, column="connection"),
        replace(PLACE, url="https://attacker.example:6443"),
        replace(PLACE, url=""),
        # fields that run together must not spell the same place
        Place("clusters7f3c", "", "sealed", PLACE.url),
        Place("clusters", '7f3c", "sealed', "", PLACE.url),
    ],
)
def test_stays_shut_elsewhere(elsewhere: Place) -> None:
    with pytest.raises(SealBroken, match="another row, column or URL") as raised:
        open_sealed(RING, elsewhere, ENVELOPE)
    assert raised.value.hint
    assert "correct" not in str(raised.value)


@pytest.mark.parametrize("part", range(1, 5))
def test_a_changed_part_is_noticed(part: int) -> None:
    parts = ENVELOPE.split(":")
    other = seal(KeyRing((OLD, NEW)), PLACE, Secret("correct zebra")).split(":")
    parts[part] = other[part] if part > 1 else "k9"
    with pytest.raises(SealBroken):
        open_sealed(RING, PLACE, ":".join(parts))


@given(st.text())
def test_no_text_crashes_it(text: str) -> None:
    with pytest.raises(SealBroken):
        open_sealed(RING, PLACE, text)
    with pytest.raises(SealBroken):
        open_sealed(RING, PLACE, f"v1:k1:{text}")


def test_two_envelopes_of_one_secret_have_nothing_in_common() -> None:
    other = seal(RING, PLACE, SECRET).split(":")
    assert not set(other[2:]) & set(ENVELOPE.split(":")[2:])


def test_wrong_key_under_the_right_id() -> None:
    with pytest.raises(SealBroken, match="not the one that sealed it"):
        open_sealed(KeyRing((("k1", b"x" * 32),)), PLACE, ENVELOPE)


def test_unknown_key() -> None:
    with pytest.raises(SealBroken, match="k1 is not in the key ring"):
        open_sealed(KeyRing((NEW,)), PLACE, ENVELOPE)


def test_rewrapped_needs_the_new_key_only() -> None:
    moved = rewrap(KeyRing((NEW, OLD)), ENVELOPE)
    assert (kid_of(ENVELOPE), kid_of(moved)) == ("k1", "k2")
    assert open_sealed(KeyRing((NEW,)), PLACE, moved) == SECRET
    assert moved.split(":")[3:] == ENVELOPE.split(":")[3:]


def test_rewrapping_does_not_move_it() -> None:
    moved = rewrap(KeyRing((NEW, OLD)), ENVELOPE)
    with pytest.raises(SealBroken):
        open_sealed(KeyRing((NEW,)), replace(PLACE, url="https://attacker.example"), moved)
