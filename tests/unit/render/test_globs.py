from __future__ import annotations

import pytest

from fleet.errors import SpecInvalid
from fleet.render.globs import fixed_folder, matches

TABLE = [
    ("*.yaml", "a.yaml", True),
    ("*.yaml", "sub/a.yaml", True),  # no separators, as in Argo CD
    ("*.yaml", "a.yml", False),
    ("a?c", "abc", True),
    ("a?c", "ac", False),
    ("{config.yaml,env-a/*}", "config.yaml", True),
    ("{config.yaml,env-a/*}", "env-a/x/y.yaml", True),
    ("{config.yaml,env-a/*}", "env-b/x.yaml", False),
    ("{a,{b,c}d}", "cd", True),
    ("{a,}b", "b", True),
    ("[a-c]x", "bx", True),
    ("[!a-c]x", "bx", False),
    ("[!a-c]x", "dx", True),
    ("[ab]x", "bx", True),
    (r"a\*", "a*", True),
    (r"a\*", "ab", False),
    ("a.b", "axb", False),
    ("a,b", "a,b", True),
    ("a}", "a}", True),
    ("", "", True),
    ("**", "a/b", True),
]
BY_SEGMENT = [
    ("*.yaml", "sub/a.yaml", False),
    ("**/*.yaml", "sub/deep/a.yaml", True),
    ("**/*.yaml", "a.yaml", True),
    ("env/*/v.yaml", "env/a/v.yaml", True),
    ("env/*/v.yaml", "env/a/b/v.yaml", False),
    ("env/**", "env/a/b", True),
    ("a?c", "a/c", False),
]


@pytest.mark.parametrize(("pattern", "path", "expected"), TABLE)
def test_glob(pattern: str, path: str, expected: bool) -> None:
    assert matches(pattern, path) is expected


@pytest.mark.parametrize(("pattern", "path", "expected"), BY_SEGMENT)
def test_glob_by_segment(pattern: str, path: str, expected: bool) -> None:
    assert matches(pattern, path, by_segment=True) is expected


@pytest.mark.parametrize("pattern", ["{a", "[a", "[]", "[!]", "[z-a]", "x" * 5000])
def test_no_glob(pattern: str) -> None:
    with pytest.raises(SpecInvalid):
        matches(pattern, "a")


@pytest.mark.parametrize(
    ("pattern", "folder"),
    [("a/b/*.yaml", "a/b"), ("*.yaml", ""), ("a/b*/c", "a"), ("a/{b,c}/d", "a"), ("a/b", "a")],
)
def test_fixed_folder(pattern: str, folder: str) -> None:
    assert fixed_folder(pattern) == folder
