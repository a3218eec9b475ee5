"""Log lines: both forms, fields, and nothing in them that looks like a credential."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from fleet.logs import fields, set_up_logs

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJmbGVldCJ9.c2lnbmF0dXJl"
PEM = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----"
CREDENTIALS = {
    "bearer": ("Authorization: Bearer abcdef0123456789", "abcdef0123456789"),
    "basic": ("authorization: basic Y2k6aHVudGVyMg==", "Y2k6aHVudGVyMg"),
    "password in a URL": ("cloning https://ci:hunter2@git.example/shop.git", "hunter2"),
    "JWT": (f"got {JWT} back", JWT),
    "private key": (f"read {PEM}", "MIGHAgEAMBMGByqGSM49"),
    "API token of ours": (
        f"flt_{'a' * 22}_{'b' * 43}_{'c' * 6} was sent",
        "b" * 43,
    ),
    "token of GitHub": ("ghp_0123456789abcdefghij", "0123456789abcdefghij"),
    "signed URL": ("GET /blob?sig=c2VjcmV0c2ln&x=1", "c2VjcmV0c2ln"),
}


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.getLogger().setLevel(level)


@pytest.mark.parametrize("style", ["text", "json"])
@pytest.mark.parametrize("kind", CREDENTIALS)
def test_credentials_are_blotted_out(
    kind: str, style: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line, secret = CREDENTIALS[kind]
    set_up_logs(level="info", style=style)
    logging.getLogger("fleet.test").info("%s", line, extra=fields(detail=line))
    shown = capsys.readouterr().err
    assert secret not in shown
    assert shown.count("••••••") == 2


@pytest.mark.parametrize("style", ["text", "json"])
def test_tracebacks_are_too(style: str, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(level="info", style=style)
    try:
        raise ValueError(f"server said {JWT}")
    except ValueError:
        logging.getLogger("fleet.test").exception("broken")
    shown = capsys.readouterr().err
    assert "ValueError" in shown
    assert JWT not in shown


def test_json_has_the_fields_and_leaves_empty_ones_out(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(level="info", style="json")
    logging.getLogger("fleet.test").warning("applied", extra=fields(cluster="eu-1", sync=""))
    line = json.loads(capsys.readouterr().err)
    assert line.pop("at").endswith("+00:00")
    assert line == {
        "level": "warning",
        "logger": "fleet.test",
        "message": "applied",
        "cluster": "eu-1",
    }


def test_auto_is_json_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(level="info", style="auto")
    logging.getLogger("fleet.test").info("here")
    assert json.loads(capsys.readouterr().err)["message"] == "here"


def test_the_level_counts_and_libraries_are_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(level="info", style="text")
    logging.getLogger("fleet.test").debug("a detail")
    logging.getLogger("apscheduler.scheduler").info("a detail")
    assert capsys.readouterr().err == ""
