"""Errors become two lines and an exit code."""

from __future__ import annotations

import json

import pytest

from fleet import errors
from fleet.cli.failures import error_from, show, show_unexpected
from fleet.cli.program import run
from fleet.errors import FleetError, ServerUnreachable, SpecInvalid


def members(of: type[FleetError] = FleetError) -> list[type[FleetError]]:
    return [it for sub in of.__subclasses__() for it in (sub, *members(sub))]


@pytest.mark.parametrize("kind", [FleetError, *members()], ids=lambda it: it.__name__)
def test_an_answer_becomes_the_error_that_it_was(kind: type[FleetError]) -> None:
    shape = {"type": kind.__name__, "message": "m", "hint": "h", "object": "Cluster/eu-1"}
    error = error_from(shape, kind.http_status)
    assert type(error) is kind
    assert (error.message, error.hint, error.object) == ("m", "h", "Cluster/eu-1")
    assert error.exit_code == kind.exit_code


def test_a_field_is_not_named_twice() -> None:
    shape = {"type": "SpecInvalid", "message": "spec.source: is required", "field": "spec.source"}
    error = error_from(shape, 422)
    assert isinstance(error, SpecInvalid)
    assert error.as_dict() == shape


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [
        ("OfTheFuture", 409, FleetError),
        ("OfTheFuture", 503, ServerUnreachable),
        ("Place", 400, FleetError),  # in the module, but no error
        ("", 500, FleetError),
    ],
)
def test_an_unknown_type_is_judged_by_its_status(
    name: str, status: int, kind: type[FleetError]
) -> None:
    assert type(error_from({"type": name, "message": "m"}, status)) is kind
    assert hasattr(errors, "Place")


def test_message_and_hint_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    code = show(FleetError("it is\x1b[2J broken", hint="Mend it."), "table")
    printed = capsys.readouterr()
    assert (code, printed.out) == (3, "")
    assert printed.err == "Error: it is�[2J broken\nHint: Mend it.\n"


def test_as_json_it_is_the_one_error_shape(capsys: pytest.CaptureFixture[str]) -> None:
    assert show(ServerUnreachable("gone"), "json") == 4
    shape = json.loads(capsys.readouterr().err)
    assert shape == {"error": {"type": "ServerUnreachable", "message": "gone", "transient": True}}


def test_a_bug_is_one_line_unless_asked_for_more(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLEET_DEBUG", raising=False)
    assert show_unexpected(KeyError("items"), "table") == 3
    plain = capsys.readouterr().err
    assert "KeyError" in plain
    assert "FLEET_DEBUG=1" in plain
    assert "Traceback" not in plain
    monkeypatch.setenv("FLEET_DEBUG", "1")
    show_unexpected(KeyError("items"), "table")
    assert "KeyError" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["app", "nonsense"],
        ["app", "list", "--nonsense"],
        ["app", "list", "-o", "xml"],
        ["app", "wait"],
        ["app", "delete", "web"],  # no terminal, no -y
        ["cluster", "pause", "eu-1"],
        ["cluster", "set", "eu-1"],
        ["db", "sql"],
        ["apply", "-f", "/nonexistent.yaml"],
        ["--config", "/nonexistent.yaml", "worker"],
        ["login", "http://10.0.0.1"],
    ],
    ids=" ".join,
)
def test_misuse_is_exit_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_SERVER", "http://127.0.0.1:1")  # would be exit 4, were it asked
    assert run(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Error:" in printed.err
    assert "Traceback" not in printed.err


def test_a_misspelt_command_is_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    run(["clutser", "list"])
    assert "cluster" in capsys.readouterr().err


def test_misuse_can_be_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["app", "list", "-o", "json", "--nonsense"]) == 2
    shape = json.loads(capsys.readouterr().err)
    assert shape["error"]["type"] == "UsageError"
