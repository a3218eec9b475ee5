"""The file of contexts, and which server a run talks to."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from fleet.cli.contexts import Context, Contexts, load_contexts, save_contexts
from fleet.cli.invocation import Invocation
from fleet.cli.running import running_address, sole_fleet
from fleet.cli.target import checked_url, chosen, nearby
from fleet.errors import NotFound, Refused, SettingsInvalid, UsageError

PROD = Context("https://fleet.example", token="flt_prod", account="ci")
TEST = Context("https://test.example", token="flt_test", server_crt="ca.pem")
BOTH = Contexts("prod", {"prod": PROD, "test": TEST})


def test_what_is_saved_is_loaded_and_nobody_else_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "config" / "contexts.json"
    assert load_contexts(path) == Contexts()
    save_contexts(path, BOTH)
    assert load_contexts(path) == BOTH
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [it.name for it in path.parent.iterdir()] == ["contexts.json"]


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "contexts.json"
    save_contexts(path, BOTH)
    path.chmod(0o644)
    with pytest.raises(SettingsInvalid, match="can be read by others") as caught:
        load_contexts(path)
    assert "chmod 600" in caught.value.hint


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"contexts": {"a": {"nonsense": 1}}}', "\x00"])
def test_a_damaged_file_is_an_error_that_says_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "contexts.json"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(SettingsInvalid, match="damaged"):
        load_contexts(path)


def test_a_token_is_in_no_repr() -> None:
    assert "flt_" not in repr(BOTH)


def test_signing_out_keeps_the_server() -> None:
    out = BOTH.without_token("prod").get("prod")
    assert (out.server, out.token, out.account) == (PROD.server, "", "")


def test_removing_the_current_context_leaves_none_current() -> None:
    left = BOTH.without("prod")
    assert (left.current, list(left.named)) == ("", ["test"])
    assert BOTH.without("test").current == "prod"


def test_an_unknown_context_names_those_that_are_there() -> None:
    with pytest.raises(NotFound, match="prod, test"):
        BOTH.get("staging")


def invocation(**options: object) -> Invocation:
    made = Invocation()
    for name, value in options.items():
        setattr(made, name, value)
    return made


def test_nothing_configured_means_this_machine() -> None:
    assert chosen(invocation(), Contexts()) is None
    assert chosen(invocation(), Contexts("", {"prod": PROD})) is None


def test_the_current_context_is_used_unless_another_is_named() -> None:
    found = chosen(invocation(), BOTH)
    assert found is not None
    assert (found.server, found.token) == (PROD.server, "flt_prod")
    named = chosen(invocation(context="test"), BOTH)
    assert named is not None
    assert (named.server, named.server_crt) == (TEST.server, "ca.pem")


def test_a_server_on_the_command_line_beats_contexts_but_uses_their_token() -> None:
    found = chosen(invocation(server="https://test.example/"), BOTH)
    assert found is not None
    assert (found.server, found.token, found.server_crt) == (TEST.server, "flt_test", "ca.pem")


def test_a_token_of_one_server_is_never_sent_to_another() -> None:
    found = chosen(invocation(server="https://evil.example"), BOTH)
    assert found is not None
    assert found.token == ""


def test_a_token_on_the_command_line_wins() -> None:
    found = chosen(invocation(auth_token="flt_mine"), BOTH)
    assert found is not None
    assert found.token == "flt_mine"


@pytest.mark.parametrize(
    ("text", "plaintext", "expected"),
    [
        ("https://fleet.example/", False, "https://fleet.example"),
        ("fleet.example:8443", False, "https://fleet.example:8443"),
        ("127.0.0.1:8080", False, "http://127.0.0.1:8080"),
        ("localhost:8080", False, "http://localhost:8080"),
        ("http://[::1]:8080", False, "http://[::1]:8080"),
        ("http://fleet.internal", True, "http://fleet.internal"),
        ("fleet.internal", True, "http://fleet.internal"),
    ],
)
def test_urls_have_one_spelling(text: str, plaintext: bool, expected: str) -> None:
    assert checked_url(text, plaintext=plaintext) == expected


@pytest.mark.parametrize(
    "text",
    ["", "ftp://fleet.example", "https://", "https://a:99999", "https://a?x=1", "http://10.0.0.1"],
)
def test_other_urls_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        checked_url(text, plaintext=False)


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        checked_url("https://me:geheim@fleet.example", plaintext=False)
    assert "geheim" not in caught.value.message


def test_the_fleet_of_this_home_is_found_while_it_runs(tmp_path: Path) -> None:
    assert nearby(tmp_path) is None
    with sole_fleet(tmp_path) as announce:
        assert running_address(tmp_path) == ""
        announce("http://127.0.0.1:8080")
        assert running_address(tmp_path) == "http://127.0.0.1:8080"
        assert nearby(tmp_path) is None, "without the administrator's token it is of no use"
        (tmp_path / "admin.token").write_text("flt_admin\n")
        found = nearby(tmp_path)
        assert found is not None
        assert (found.server, found.token) == ("http://127.0.0.1:8080", "flt_admin")
    assert nearby(tmp_path) is None


def test_an_address_that_a_crash_left_behind_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "api.address").write_text("4711 http://127.0.0.1:8080\n")
    (tmp_path / "admin.token").write_text("flt_admin\n")
    assert nearby(tmp_path) is None


def test_a_home_has_one_fleet(tmp_path: Path) -> None:
    with sole_fleet(tmp_path) as announce:
        announce("http://127.0.0.1:8080")
        with pytest.raises(Refused, match=r"http://127\.0\.0\.1:8080"), sole_fleet(tmp_path):
            pass
