"""Log lines: both forms, fields, and nothing in them that looks like a credential."""

from __future__ import annotations

import json
import logging

import pytest

from fleet.logs import fields, redact, set_up_logs

pytestmark = pytest.mark.usefixtures("logging_as_before")

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
    "fine-grained token of GitHub": ("github_pat_11ABCDEFG0_abcdefghij", "11ABCDEFG0_abcdefghij"),
    "token of GitLab": ("with glpat-abcdefghij0123456789", "abcdefghij0123456789"),
    "key of AWS": ("as AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
    "token of PyPI": ("pypi-AgEIcHlwaS5vcmcabcdef", "AgEIcHlwaS5vcmcabcdef"),
    "token in a URL": ("cloning https://hunter2@git.example/shop.git", "hunter2"),
    "token as user of a URL": ("https://hunter2:x-oauth-basic@git.example/a", "hunter2"),
    "password of a database": ("postgresql://fleet:hunter2@db/fleet", "hunter2"),
    "assignment": ("password=hunter2secret", "hunter2secret"),
    "environment": ("DB_PASS=swordfish ./run", "swordfish"),
    "JSON": ('{"clientSecret": "swordfish", "id": 7}', "swordfish"),
    "JSON in JSON": (r"body {\"password\":\"swordfish\"}", "swordfish"),
    "YAML": ("db:\n  password: swordfish\n  port: 5", "swordfish"),
    "flag": ("helm --password hunter2 pull", "hunter2"),
    "signed URL": ("GET /blob?sig=c2VjcmV0c2ln&x=1", "c2VjcmV0c2ln"),
}


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


@pytest.mark.parametrize(
    "line",
    [
        "token: expired an hour ago",
        "Secret/shop/web: not found in eu-1",
        "the password is wrong, and no token was given",
        "pass --auth-token or FLEET_AUTH_TOKEN",
        "registry.example/token-service:v1.2.3 pulled",
        "token-service:v1.2.3 is there",
        "secretName=tls tokens=3 token_id=7 passwordSet=true",
        "ssh://git@git.example/shop.git and oci://git.example/charts",
        "see https://git.example/a?page=2&sort=key",
        "mail a@b.example about https://git.example",
        "commit 4a662ac4a662ac4a662ac4a662ac4a662ac4a662 of Deployment/shop/web: applied",
        "topologyKey: zone",
        "a basic rule of a bearer",
        "glass-houses, glpat and ghost_town",
    ],
)
def test_words_of_a_sentence_stay(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(level="info", style="json")
    logging.getLogger("fleet.test").info("%s", line)
    assert json.loads(capsys.readouterr().err)["message"] == line


def test_a_private_key_that_was_cut_off_goes_to_the_end() -> None:
    assert redact("-----BEGIN RSA PRIVATE KEY-----\nMIGHAgEAMB") == "••••••"


def test_fields_are_judged_by_their_name(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(level="info", style="json")
    logging.getLogger("fleet.test").info("here", extra=fields(password="swordfish", cluster="eu"))
    line = json.loads(capsys.readouterr().err)
    assert (line["password"], line["cluster"]) == ("••••••", "eu")


@pytest.mark.parametrize("hostile", ["a", " ", "password ", "https://", '"', "a:", "a=\\", "?key"])
def test_a_long_line_is_filtered_in_time_that_grows_with_it(hostile: str) -> None:
    """Quadratic, this would take minutes."""
    assert len(redact(hostile * (200_000 // len(hostile)))) > 0


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
