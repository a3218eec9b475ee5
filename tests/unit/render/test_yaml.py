"""Scalars, keys, merges and refusals; the tables were compared with Helm's ``fromYaml``."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.errors import SpecInvalid
from fleet.render.yaml import documents_with_lines, dump, load_all, load_one

SCALARS: dict[str, Any] = {
    # booleans of YAML 1.1
    "y": True,
    "Y": True,
    "yes": True,
    "on": True,
    "True": True,
    "n": False,
    "NO": False,
    "OFF": False,
    "false": False,
    "!!bool yes": True,
    "tRue": "tRue",
    "'yes'": "yes",
    # nothing
    "": None,
    "~": None,
    "Null": None,
    '!!null ""': None,
    '""': "",
    # integers
    "+1": 1,
    "-0": 0,
    "0777": 511,
    "0o777": 511,
    "0O17": 15,
    "0o_7": 7,
    "0x1F": 31,
    "-0x1f": -31,
    "0b11": 3,
    "-0b11": -3,
    "1_000": 1000,
    "1__0": 10,
    "00": 0,
    "9223372036854775808": 2**63,
    "18446744073709551615": 2**64 - 1,
    "-9223372036854775808": -(2**63),
    '!!int "3"': 3,
    # not integers
    "08": 8,
    "0b2": "0b2",
    "0o8": "0o8",
    "0x": "0x",
    "0b": "0b",
    "_1": "_1",
    "+": "+",
    # floats: a whole one is an integer in JSON
    "1e3": 1000,
    "1E5": 100000,
    "12e03": 12000,
    "1.0": 1,
    "1.": 1,
    ".5": 0.5,
    "+.5": 0.5,
    ".5e3": 500,
    ".1_0": 0.1,
    "._5": "._5",
    ".5_": ".5_",
    "1_0.5_0": 10.5,
    "09.5": 9.5,
    "1e-7": 1e-07,
    "1e21": 1e21,
    "-0.0": 0,
    "!!float 3": 3,
    "1e999": "1e999",
    "123e": "123e",
    "1.2.3": "1.2.3",
    "0x1p3": "0x1p3",
    ".": ".",
    # text
    "1:30": "1:30",
    "12:30:45": "12:30:45",
    "2001-01-01": "2001-01-01",
    "2001-12-14t21:59:43.10-05:00": "2001-12-14t21:59:43.10-05:00",
    "!!timestamp 2001-01-01": "2001-01-01",
    "=": "=",
    "<<": "<<",
    "!!str 1": "1",
    "!!str": "",
    "! 1": "1",
    "!!binary aGVsbG8=": "hello",
    '"\\U0001F600"': "😀",
}

KEYS = {
    "1": "1",
    "0777": "511",
    "0x10": "16",
    "1.0": "1",
    "1.5": "1.5",
    ".5": "0.5",
    "1e3": "1000",
    "1e6": "1e+06",
    "1e20": "1e+20",
    "1e21": "1e+21",
    "1e300": ".inf",
    "0.0001": "0.0001",
    "0.00001": "1e-05",
    "1.5e-7": "1.5e-07",
    "123456789.25": "1.2345679e+08",
    "1234567.5": "1.2345675e+06",
    "-0.0": "-0",
    ".inf": ".inf",
    "-.inf": "-.inf",
    ".nan": ".nan",
    "true": "true",
    "y": "true",
    "off": "false",
    "2001-01-01": "2001-01-01",
    "'1.0'": "1.0",
    "!!str 1.0": "1.0",
}

MERGES = {
    "{<<: {a: 2, b: 3}, a: 1}": {"a": 1, "b": 3},
    "{a: 1, <<: {a: 2, b: 3}}": {"a": 2, "b": 3},  # go-yaml v2 merges where it stands
    "<<: [{a: 1}, {a: 2, b: 3}]": {"a": 1, "b": 3},
    "x: &a {b: 1}\nz:\n  <<: *a\n  b: 2": {"x": {"b": 1}, "z": {"b": 2}},
    '"<<": {a: 1}': {"<<": {"a": 1}},
    "!!str <<: {a: 1}": {"<<": {"a": 1}},
    "&k a: 1\nb: *k": {"a": 1, "b": "a"},
    "a: &x [1, {b: 2}]\nc: *x": {"a": [1, {"b": 2}], "c": [1, {"b": 2}]},
}

REFUSED = {
    "a: 123456789012345678901234": "64 bits",
    "a: -9223372036854775809": "64 bits",
    f"a: 0x{'f' * 5000}": "64 bits",
    f"a: {'9' * 5000}": "64 bits",
    "a: .inf": "infinity",
    "a: .nan": "infinity",
    "a: !!int 1.5": "no int",
    "a: !!bool 3": "no bool",
    "a: !!binary //8=": "base64 of UTF-8",
    "a: !foo bar": "tag",
    "a: !!set {b}": "tag",
    "!!omap [a: 1]": "tag",
    "~: a": "a key must be",
    "? [1]\n: a": "a key must be",
    "? {a: b}\n: a": "a key must be",
    "18446744073709551615: a": "a key must be",
    "a: 1\na: 2": "twice",
    "1: a\n'1': b": "twice",
    "x: &x {<<: *x}": "contains itself",
    "x: &x [*x]": "contains itself",
    "*k : 1": "not defined",
    "a: &x 1\n---\nb: *x": "not defined",
    "<<: 3": "merge key needs",
    "<<: [1]": "merge key needs",
    "l: &l [{a: 1}]\nm:\n  <<: *l": "merge key needs",
    'a: "\\ud83d"': "not YAML",
    "a: [": "not YAML",
    "a:\n\tb: 1": "not YAML",
    "- a\nb: 1": "not YAML",
}


@pytest.mark.parametrize("text", SCALARS)
def test_scalar(text: str) -> None:
    value = load_one(f"a: {text}")["a"]
    assert value == SCALARS[text]
    assert type(value) is type(SCALARS[text])


@pytest.mark.parametrize("text", KEYS)
def test_key(text: str) -> None:
    assert load_one(f"{text}: x") == {KEYS[text]: "x"}


@pytest.mark.parametrize("text", MERGES)
def test_merges_and_aliases(text: str) -> None:
    assert load_one(text) == MERGES[text]


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text: str) -> None:
    with pytest.raises(SpecInvalid, match=f"x.yaml:\\d+: .*{REFUSED[text]}"):
        load_all(text, file="x.yaml")


def test_aliases_share_nothing() -> None:
    value = load_one("a: &x {b: [1]}\nc: *x")
    value["a"]["b"].append(2)
    assert value["c"] == {"b": [1]}


def test_documents_and_lines() -> None:
    text = "# nothing\n---\na: 1\n---\n---\n\n- b\n...\n"
    assert list(documents_with_lines(text)) == [(3, {"a": 1}), (5, None), (7, ["b"])]
    assert load_all("# only a comment\n") == []
    assert load_one("") is None


def test_load_one_refuses_a_second_document() -> None:
    with pytest.raises(SpecInvalid, match=r"x:3: only one document"):
        load_one("a: 1\n---\nb: 1", file="x")


def test_bytes_with_a_byte_order_mark() -> None:
    assert load_one("﻿a: ü".encode()) == {"a": "ü"}


@pytest.mark.parametrize("text", [b"\xff\xfea\x00", b"a: \x80", "a: \ud800"])
def test_not_utf8(text: str | bytes) -> None:
    with pytest.raises(SpecInvalid, match="not UTF-8"):
        load_all(text)


def test_tab_has_a_hint() -> None:
    with pytest.raises(SpecInvalid) as caught:
        load_all("a:\n  b: 1\n\tc: 1\n", file="x.yaml")
    assert (caught.value.place.line, caught.value.hint[:22]) == (3, "YAML is indented with ")


def test_duplicate_keys_may_be_told_instead() -> None:
    told: list[tuple[int, str]] = []
    documents = documents_with_lines(
        "a: 1\na: 2", "x", on_duplicate_key=lambda line, message: told.append((line, message))
    )
    assert list(documents) == [(1, {"a": 2})]
    assert told == [(2, "the key 'a' is there twice")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 101 + "]" * 101, "more than 100 levels"),
        ("[" * 100_000, "more than 100 levels"),
        ("{a: " * 100_000, "more than 100 levels"),
        ("? " * 100_000, "more than 100 levels|a key must be"),
        ("- " * 100_000, "more than 100 levels"),
        ("--- 1\n" * 10_001, "more than 10000 documents"),
        ("a: &a 1\nb: [" + "*a, " * 1001 + "]", "more than 1000 aliases"),
        ("\n".join("- {<<: {}}" for _ in range(201)), "more than 200 merge keys"),
        ("a" * 101, "more than 100 bytes"),
    ],
)
def test_limits(text: str, message: str) -> None:
    size = 100 if len(text) == 101 else 1 << 20
    with pytest.raises(SpecInvalid, match=message):
        load_all(text, max_bytes=size)


def test_100_levels_are_fine() -> None:
    assert load_one("[" * 100 + "]" * 100) is not None


def test_aliases_cannot_deepen() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 105)]
    with pytest.raises(SpecInvalid, match="more than 100 levels"):
        load_all("\n".join(lines))


def test_bomb_is_refused_before_it_goes_off() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    with pytest.raises(SpecInvalid, match=r"line \d: aliases make this document too large"):
        load_all("\n".join(lines))


def test_a_file_of_many_anchors_is_fine() -> None:
    """Shared settings in a big file are no bomb."""
    text = "base: &b {a: 1, b: 2, c: 3}\n" + "".join(f"k{n}: *b\n" for n in range(900))
    assert len(load_one(text)) == 901


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
TRICKY = st.sampled_from([*SCALARS, *KEYS, *MERGES, "a: b", "- a", "a #b", "#a", "\t", "\n", " a "])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False).map(lambda f: f if f % 1 else int(f) % 2**63)
    | TEXT
    | TRICKY,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT | TRICKY, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_round_trip(value: Any) -> None:
    assert load_one(dump(value)) == value


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.binary(max_size=60))
def test_any_input_is_read_or_refused(text: str | bytes) -> None:
    with contextlib.suppress(SpecInvalid):
        load_all(text)


PUNCTUATION = st.text(st.sampled_from("ab01-:?[]{}&*!|>'\"%@`#,. \n\t~<=y"), max_size=40)


@settings(max_examples=500, deadline=None)
@given(PUNCTUATION)
def test_any_yaml_is_read_or_refused(text: str) -> None:
    try:
        values = load_all(text)
    except SpecInvalid:
        return
    for value in values:
        assert load_one(dump(value)) == value


def test_dump_shape() -> None:
    value = {"b": [1, {"c": None}], "a": "on", "t": "x\ny\n", "y": 1.5, "e": {}, "f": []}
    assert dump(value) == ('b:\n- 1\n- c: null\na: "on"\nt: |\n  x\n  y\n"y": 1.5\ne: {}\nf: []\n')


@pytest.mark.parametrize("value", [math.nan, math.inf, {1, 2}, object(), "\ud800"])
def test_dump_refuses(value: Any) -> None:
    with pytest.raises(SpecInvalid):
        dump({"a": value})
