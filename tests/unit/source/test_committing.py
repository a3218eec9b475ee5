"""What git is told to commit, and what it says of a push."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.errors import SourceError
from fleet.source.committing import NewCommit, blob_id, came_too_late, import_of
from fleet.source.objects import parse_commit

REJECTED = "To https://git.example/a\n!\tHEAD:refs/heads/env\t[{}] ({})\nDone\n"


def new(**changes: object) -> NewCommit:
    given: dict[str, object] = {
        "parent": "a" * 40,
        "files": {"apps/web/manifest.yaml": b"x"},
        "message": "abc: change",
        "author": "Fleet <fleet@localhost>",
        "seconds": 1,
    }
    return NewCommit(**given | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "why", "late"),
    [
        ("rejected", "fetch first", True),
        ("rejected", "non-fast-forward", True),
        ("remote rejected", "cannot lock ref 'refs/heads/env': is at a but expected b", True),
        ("remote rejected", "failed to update ref", True),
        ("remote rejected", "pre-receive hook declined", False),
        ("remote rejected", "protected branch hook declined", False),
    ],
)
def test_only_a_branch_that_moved_is_pushed_to_again(kind: str, why: str, late: bool) -> None:
    assert came_too_late(REJECTED.format(kind, why)) is late


def test_what_is_not_about_a_ref_is_no_late_push() -> None:
    assert not came_too_late("remote: (fetch first)\n")


@pytest.mark.parametrize("path", ['a"b', "a\nb", "a\\b"])
def test_a_path_that_would_end_its_quotes_is_refused(path: str) -> None:
    with pytest.raises(SourceError):
        import_of(new(files={path: b""}), "refs/fleet/made/x")


@given(message=st.text(max_size=80), content=st.binary(max_size=80))
def test_message_and_content_are_counted_whatever_they_hold(message: str, content: bytes) -> None:
    stream = import_of(new(message=message, files={"f": content}), "refs/fleet/made/x").stdin
    said = message.encode()
    assert b"data %d\n" % len(said) + said + b"\nfrom " in stream
    assert stream.endswith(b"data %d\n" % len(content) + content + b"\ndone\n")


def test_a_blob_is_named_in_the_format_of_its_repository() -> None:
    assert blob_id(b"", "a" * 40) == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert blob_id(b"", "a" * 64) == hashlib.sha256(b"blob 0\0").hexdigest()


@pytest.mark.parametrize(
    ("raw", "facts"),
    [
        (
            b"author A \x1b[31m <a@b> 5 +0000\ncommitter C <c@d> 7 +0100\n\nfix\x00 it\nmore",
            ("A [31m <a@b>", 7, "fix it"),
        ),
        (b"tree x\ncommitter C <c@d> 99999999999999 +0000\n\n", ("", 0, "")),
        (b"", ("", 0, "")),
    ],
)
def test_a_commit_is_told_in_printable_letters(raw: bytes, facts: tuple[str, int, str]) -> None:
    assert parse_commit(raw) == facts
