"""Globs: Argo CD's meaning, and work that stays bounded whatever the pattern."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.policy.globs import is_glob, matches_glob


@pytest.mark.parametrize(
    ("pattern", "text", "separator", "expected"),
    [
        ("*", "", "", True),
        ("*", "a/b", "", True),
        ("*", "a/b", "/", False),
        ("**", "a/b", "/", True),
        ("a*", "a", "/", True),
        ("https://git.example/*", "https://git.example/shop", "/", True),
        ("https://git.example/*", "https://git.example/team/shop", "/", False),
        ("https://git.example/**", "https://git.example/team/shop", "/", True),
        ("?", "a", "", True),
        ("?", "", "", False),
        ("?", "/", "/", False),
        ("[a-c]x", "bx", "", True),
        ("[!a-c]x", "bx", "", False),
        ("[^a-c]x", "dx", "", True),
        ("[a-]", "-", "", True),
        ("{eu,us}-*", "us-1", "", True),
        ("{eu,us}-*", "ap-1", "", False),
        ("{a,b{c,d}}e", "bde", "", True),
        ("{,x}y", "y", "", True),
        (r"\*", "*", "", True),
        (r"\*", "a", "", False),
        ("Deployment", "deployment", "", False),
        ("eu", "eu-1", "", False),
        ("}", "}", "", True),
        ("", "", "", True),
        ("", "x", "", False),
    ],
)
def test_matches(pattern: str, text: str, separator: str, expected: bool) -> None:
    assert matches_glob(pattern, text, separator=separator) is expected


@pytest.mark.parametrize(
    "pattern", ["[", "[]", "[!]", "[a", "[z-a]", "{a", "{a,b", "\\", "x" * 3000, "{" * 9 + "}" * 9]
)
def test_what_is_no_glob_matches_nothing(pattern: str) -> None:
    assert not is_glob(pattern)
    assert not matches_glob(pattern, pattern)


def test_patterns_that_defeat_backtracking_are_answered() -> None:
    assert not matches_glob("*a" * 500 + "b", "a" * 2000)
    assert not matches_glob("{a,aa}*" * 100 + "b", "a" * 500)


@given(st.text(alphabet="ab*?[]!-{},\\/", max_size=20), st.text(alphabet="ab/-", max_size=20))
def test_any_pattern_is_answered(pattern: str, text: str) -> None:
    matched = matches_glob(pattern, text, separator="/")
    assert is_glob(pattern) or not matched
    if matched:
        assert matches_glob(pattern, text)  # without a separator nothing matches less


@given(st.text(alphabet="ab*?", max_size=12), st.text(alphabet="ab", max_size=12))
def test_stars_and_question_marks_agree_with_fnmatch(pattern: str, text: str) -> None:
    assert matches_glob(pattern, text) is fnmatch.fnmatchcase(text, pattern)


@given(st.text(max_size=30))
def test_an_escaped_text_matches_itself_only(text: str) -> None:
    pattern = "".join("\\" + letter for letter in text)
    assert matches_glob(pattern, text, separator="/")
    assert not matches_glob(pattern, text + "x", separator="/")
