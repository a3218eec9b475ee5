"""Who commits what a hydrator writes."""

from __future__ import annotations

import pytest

from fleet.errors import SpecInvalid
from fleet.model.global_projects import parse_settings_config
from fleet.model.hydration import author_of

NAME, EMAIL = "commit.author.name", "commit.author.email"


@pytest.mark.parametrize(
    ("settings", "author"),
    [
        ({}, "Fleet <fleet@localhost>"),
        ({NAME: "Shop Bot"}, "Shop Bot <fleet@localhost>"),
        ({NAME: "Ümit", EMAIL: "u@shop.example"}, "Ümit <u@shop.example>"),
    ],
)
def test_author(settings: dict[str, str], author: str) -> None:
    assert author_of(settings) == author


@pytest.mark.parametrize("key", [NAME, EMAIL])
@pytest.mark.parametrize(
    "value", ["", "  ", "a\nfrom refs/heads/main", "a\rb", "a <b", "a> b", "a\0", "a" * 201]
)
def test_what_git_would_read_as_something_else(key: str, value: str) -> None:
    with pytest.raises(SpecInvalid, match=rf"data\.{key}"):
        author_of({key: value})
    with pytest.raises(SpecInvalid, match=rf"data\.{key}"):
        parse_settings_config({"kind": "ConfigMap", "data": {key: value}})


def test_the_keys_are_read() -> None:
    found = parse_settings_config({"kind": "ConfigMap", "data": {NAME: "a", EMAIL: "b", "url": ""}})
    assert found.warnings == ("data: kept, and not read from here: url",)
