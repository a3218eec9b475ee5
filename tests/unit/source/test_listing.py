"""Listings, symlinks and paths, judged before anything is written."""

from __future__ import annotations

import pytest

from fleet.errors import SourceError
from fleet.source.listing import Limits, judge_links, normalise_path, parse_listing
from fleet.source.objects import parse_batch_check

SHA = b"a" * 40


def line(path: bytes, size: bytes = b"5", mode: bytes = b"100644") -> bytes:
    kind = b"commit" if mode == b"160000" else b"blob"
    return mode + b" " + kind + b" " + SHA + b"    " + size + b"\t" + path + b"\0"


def test_a_listing_is_read() -> None:
    output = line(b"a b/x.yaml") + line(b"sub", b"-", b"160000") + line(b"l", b"3", b"120000")
    entries = parse_listing(output, Limits())
    assert [entry.path for entry in entries] == ["a b/x.yaml", "sub", "l"]
    assert [entry.size for entry in entries] == [5, 0, 3]
    assert entries[1].is_submodule
    assert entries[2].is_link


@pytest.mark.parametrize(
    "path", [b"../x", b"a/../b", b".git/config", b"a/.GIT/x", b"a//b", b"./a", b"/a", b"\xff"]
)
def test_hostile_names_are_refused(path: bytes) -> None:
    with pytest.raises(SourceError):
        parse_listing(line(path), Limits())


def test_limits() -> None:
    with pytest.raises(SourceError, match="more than 1 files"):
        parse_listing(line(b"a") + line(b"b"), Limits(files=1))
    with pytest.raises(SourceError, match="larger than 9 bytes"):
        parse_listing(line(b"a") + line(b"b"), Limits(size_bytes=9))


@pytest.mark.parametrize(
    "links",
    [
        {},
        {"a": "b"},
        {"a": "dir/missing"},
        {"d/a": "../b"},
        {"d/a": "../d/../e"},
        {"a": "b", "b": "c"},
        {"a": "."},
        {"d/up": "..", "x": "d/up/y"},
    ],
)
def test_links_inside_the_tree_are_kept(links: dict[str, str]) -> None:
    judge_links(links)


@pytest.mark.parametrize(
    ("links", "named"),
    [
        ({"a": "/etc/passwd"}, "a"),
        ({"a": ".."}, "a"),
        ({"a": "../../etc"}, "a"),
        ({"d/a": "../../x"}, "d/a"),
        ({"a": "b/../../x"}, "a"),
        ({"a": "b", "b": "../x"}, "a"),
        ({"d": "..", "x": "y"}, "d"),
        ({"d/up": "..", "x": "d/up/../secret"}, "x"),
        ({"a": "a"}, "a"),
        ({"a": "b", "b": "a"}, "a"),
        ({"a": "a/b"}, "a"),
        ({"a": ""}, "a"),
        ({"a": "x\0y"}, "a"),
    ],
)
def test_links_out_of_the_tree_are_named(links: dict[str, str], named: str) -> None:
    with pytest.raises(SourceError, match=rf"^{named}: the symlink"):
        judge_links(links)


@pytest.mark.parametrize(
    ("path", "normal"), [("", ""), (".", ""), ("./a/", "a"), ("a//b", "a/b"), ("a/./b", "a/b")]
)
def test_paths_are_normalised(path: str, normal: str) -> None:
    assert normalise_path(path) == normal


@pytest.mark.parametrize("path", ["/etc", "../x", "a/../../b", "a/..", "a\nb", "a\0b"])
def test_paths_stay_inside(path: str) -> None:
    with pytest.raises(SourceError):
        normalise_path(path)


def test_batch_check_answers_are_counted_right() -> None:
    sha = "b" * 40
    # git prints the length of the text that follows, without its line feed.
    nowhere = "dangling 10\nx:dir/link\n"
    output = f"{sha}\nx:nope missing\n{nowhere}{sha}\nloop 3\nx:l\nsymlink 4\n../x\n"
    assert parse_batch_check(output.encode()) == [sha, None, None, sha, None, None]
