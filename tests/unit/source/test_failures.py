"""What git says, and what it means."""

from __future__ import annotations

import pytest

from fleet.errors import (
    AddressForbidden,
    RevisionNotFound,
    SourceAuthFailed,
    SourceError,
    SourceUnreachable,
)
from fleet.model.secret import Secret
from fleet.source.failures import failure, is_corrupt, scrub
from fleet.source.urls import parse_url

TARGET = parse_url("https://git.example/shop.git")


@pytest.mark.parametrize(
    ("stderr", "kind"),
    [
        ("fatal: unable to access 'x': Could not resolve host: x", SourceUnreachable),
        ("fatal: unable to access 'x': The requested URL returned error: 503", SourceUnreachable),
        ("fatal: unable to access 'x': The requested URL returned error: 429", SourceUnreachable),
        ("error: RPC failed; curl 28 Operation too slow", SourceUnreachable),
        ("ssh: connect to host h port 22: Connection refused", SourceUnreachable),
        ("ssh: connect to host h port 22: Connection timed out", SourceUnreachable),
        ("fatal: could not read Username for 'x': terminal prompts disabled", SourceAuthFailed),
        ("fatal: unable to access 'x': The requested URL returned error: 403", SourceAuthFailed),
        ("fatal: unable to access 'x': SSL certificate problem: expired", SourceAuthFailed),
        ("Host key verification failed.", SourceAuthFailed),
        ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @", SourceAuthFailed),
        ("git@h: Permission denied (publickey).", SourceAuthFailed),
        ("fatal: unable to access 'x': The requested URL returned error: 301", AddressForbidden),
        ("fatal: transport 'ext' not allowed", AddressForbidden),
        ("fatal: couldn't find remote ref refs/heads/x", RevisionNotFound),
        ("fatal: remote error: upload-pack: not our ref abc", RevisionNotFound),
        ("fatal: repository 'https://git.example/shop.git/' not found", SourceError),
        ("fatal: something that nobody has seen", SourceError),
        ("", SourceError),
    ],
)
def test_the_meaning(stderr: str, kind: type[SourceError]) -> None:
    error = failure(stderr, TARGET)
    assert type(error) is kind
    assert error.message.startswith("https://git.example/shop.git: ")


def test_secrets_are_taken_out() -> None:
    secrets = (Secret("Basic Y2k6cGFzcw=="), Secret("hunter22"))
    text = scrub("said hunter22 and Y2k6cGFzcw== at https://me:pw@h/\x1b[31m", secrets)
    assert "hunter22" not in text
    assert "Y2k6cGFzcw" not in text
    assert "pw" not in text
    assert "\x1b" not in text


def test_a_long_complaint_is_cut() -> None:
    assert len(failure("fatal: " + "x" * 5000, TARGET).message) < 400


@pytest.mark.parametrize(
    "stderr",
    [
        "fatal: not a git repository: '/home/mirrors/x'",
        "error: object file objects/ab/cd is empty",
        "fatal: packfile /x/pack-1.pack cannot be accessed",
        "error: file /x/pack-1.pack is far too short to be a packfile",
        "fatal: unable to read tree abc",
    ],
)
def test_a_broken_mirror_is_told_from_a_broken_remote(stderr: str) -> None:
    assert is_corrupt(stderr)


@pytest.mark.parametrize(
    "stderr",
    [
        "fatal: '/srv/none' does not appear to be a git repository",
        "fatal: repository 'x' not found",
        "error: RPC failed; curl 18 transfer closed",
        "fatal: early EOF",
    ],
)
def test_a_remote_in_trouble_does_not_cost_the_mirror(stderr: str) -> None:
    assert not is_corrupt(stderr)
