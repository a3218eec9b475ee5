"""``helm.valuesFrom``: which entries are taken, and which places their paths name."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.errors import SpecInvalid
from fleet.model.applications import ValuesReference
from fleet.model.reading import Fields, Origin
from fleet.model.values_from import (
    LARGEST_INDEX,
    MOST_PARTS,
    MOST_REFERENCES,
    parse_reference,
    read_values_from,
    spelled,
    value_path,
)

SECRET = {"kind": "Secret", "name": "db"}


def read(*entries: Any) -> tuple[ValuesReference, ...]:
    return read_values_from(Fields({"valuesFrom": list(entries)}, "helm", Origin()))


def test_an_entry_and_what_stands_for_what_it_leaves_out() -> None:
    assert read({"kind": "ConfigMap", "name": "web.values"}, {**SECRET, "optional": True}) == (
        ValuesReference("ConfigMap", "web.values", "values.yaml", "", optional=False),
        ValuesReference("Secret", "db", "values.yaml", "", optional=True),
    )
    whole = {**SECRET, "valuesKey": "password", "targetPath": "db.users[0].password"}
    assert read(whole) == (
        ValuesReference("Secret", "db", "password", "db.users[0].password", optional=False),
    )


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({"name": "db"}, "kind"),
        ({"kind": "Pod", "name": "db"}, "kind"),
        ({"kind": "secret", "name": "db"}, "kind"),
        ({"kind": "Secret"}, "name"),
        ({"kind": "Secret", "name": "../db"}, "name"),
        ({"kind": "Secret", "name": "Db"}, "name"),
        ({"kind": "Secret", "name": "d" * 254}, "name"),
        ({**SECRET, "valuesKey": "a/b"}, "valuesKey"),
        ({**SECRET, "targetPath": "a..b"}, "targetPath"),
        ({**SECRET, "optional": "yes"}, "optional"),
    ],
)
def test_what_names_nothing_is_refused_at_its_field(entry: Any, field: str) -> None:
    with pytest.raises(SpecInvalid, match=re.escape(f"helm.valuesFrom[0].{field}")):
        read(entry)


def test_there_is_an_end_to_how_many() -> None:
    assert len(read(*[SECRET] * MOST_REFERENCES)) == MOST_REFERENCES
    with pytest.raises(SpecInvalid, match=f"more than {MOST_REFERENCES}"):
        read(*[SECRET] * (MOST_REFERENCES + 1))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a", ("a",)),
        ("a.b", ("a", "b")),
        (r"a\.b.c", ("a.b", "c")),
        (r"a\[0\]", ("a[0]",)),
        ("a[0]", ("a", 0)),
        ("a[1][2].b", ("a", 1, 2, "b")),
        (f"a[{LARGEST_INDEX}]", ("a", LARGEST_INDEX)),
        ("a b-c/d", ("a b-c/d",)),
    ],
)
def test_paths(text: str, parts: tuple[str | int, ...]) -> None:
    assert value_path(text) == parts


@pytest.mark.parametrize(
    "text",
    ["", ".", "a.", ".a", "a..b", "[0]", "a[", "a[x]", "a[-1]", "a[0]b", f"a[{LARGEST_INDEX + 1}]",
     "a\\", ".".join("a" * (MOST_PARTS + 1))],
)  # fmt: skip
def test_no_paths(text: str) -> None:
    assert value_path(text) is None


KEYS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\n"), min_size=1)


@given(st.lists(KEYS, min_size=1, max_size=MOST_PARTS))
def test_any_key_can_be_named(keys: list[str]) -> None:
    escaped = [re.sub(r"([\\.\[\]])", r"\\\1", key) for key in keys]
    assert value_path(".".join(escaped)) == tuple(keys)


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("Secret/db", {"kind": "Secret", "name": "db"}),
        ("configmap/db?", {"kind": "ConfigMap", "name": "db", "optional": True}),
        (
            "Secret/db:password@db.users[0].password?",
            {
                "kind": "Secret",
                "name": "db",
                "valuesKey": "password",
                "targetPath": "db.users[0].password",
                "optional": True,
            },
        ),
        ("db", None),
        ("Pod/db", None),
        ("Secret/", None),
        ("Secret/db:", None),
    ],
)
def test_an_entry_on_a_command_line(text: str, entry: dict[str, object] | None) -> None:
    assert parse_reference(text) == entry
    if entry is not None:
        kind, _, rest = text.partition("/")
        assert spelled(entry) == f"{entry['kind']}/{rest.rstrip('?')}"
        assert str(entry["kind"]).lower() == kind.lower()


def test_the_key_that_nobody_has_to_say_is_not_said() -> None:
    assert spelled({**SECRET, "valuesKey": "values.yaml"}) == spelled(SECRET) == "Secret/db"
    assert spelled("no entry") == ""
