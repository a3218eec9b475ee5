"""Files, projects, kubeconfigs, durations: what the command line reads."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import click
import pytest

from fleet.cli.app.diffing import columns
from fleet.cli.app.local_render import place_of
from fleet.cli.cluster.connections import (
    connection_from,
    connection_options,
    kubeconfig_files,
)
from fleet.cli.documents import documents_of
from fleet.cli.editing import desired_part
from fleet.cli.invocation import Invocation
from fleet.cli.projects import destination, kind_rule, new_project, with_entry, without_entry
from fleet.cli.repo_auth import auth_body, auth_options
from fleet.cli.times import age, seconds_of
from fleet.errors import FleetError, NotFound, SpecInvalid, UsageError


def parsed(decorate: Any, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    @click.command()
    @decorate
    def command(**given: Any) -> None:
        found.update(given)

    command.main(list(arguments), standalone_mode=False)
    return found


def test_documents_know_where_they_are_from(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("a: 1\n---\n---\nb: 2\n")
    (tmp_path / "a.json").write_text('{"c": 3}')
    (tmp_path / "notes.txt").write_text("not read")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "d.yml").write_text("d: 4\n")
    found = documents_of([str(tmp_path)], recursive=False)
    assert [(Path(it["file"]).name, it["line"], it["document"]) for it in found] == [
        ("a.json", 1, {"c": 3}),
        ("b.yaml", 1, {"a": 1}),
        ("b.yaml", 4, {"b": 2}),
    ]
    assert len(documents_of([str(tmp_path)], recursive=True)) == 4


def test_standard_input_is_a_file_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a: 1\n")))
    assert documents_of(["-"], recursive=False)[0]["file"] == "stdin"


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("a: 1\n\tb: 2\n", SpecInvalid, "x.yaml:2"),
        ("- a\n- b\n", SpecInvalid, "not an object"),
        ("a: 1\na: 2\n", SpecInvalid, "twice"),
        ("", UsageError, "no documents"),
        ("a: &a [*a]\n", SpecInvalid, "contains itself"),
    ],
)
def test_bad_documents_name_their_place(
    tmp_path: Path, text: str, error: type[FleetError], said: str
) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(error, match=said):
        documents_of([str(tmp_path / "x.yaml")], recursive=False)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "x.yaml").open("wb") as file:
        file.truncate(100 << 20)
    with pytest.raises(SpecInvalid, match="MiB"):
        documents_of([str(tmp_path / "x.yaml")], recursive=False)


def test_a_folder_without_documents(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="-R"):
        documents_of([str(tmp_path)], recursive=False)


def test_an_edited_document_has_nothing_of_ours() -> None:
    document = {"metadata": {"name": "a", "uid": "u", "generation": 3}, "spec": {}, "status": {}}
    assert desired_part(document) == {"metadata": {"name": "a"}, "spec": {}}


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("eu-*,shop", {"name": "eu-*", "namespace": "shop"}),
        ("https://10.0.0.1:6443,*", {"server": "https://10.0.0.1:6443", "namespace": "*"}),
        ("*,*", {"server": "*", "namespace": "*"}),
    ],
)
def test_destinations(text: str, entry: dict[str, str]) -> None:
    assert destination(text) == entry


@pytest.mark.parametrize("text", ["eu-1", ",shop", "eu-1,", ""])
def test_destinations_that_are_none(text: str) -> None:
    with pytest.raises(UsageError):
        destination(text)


def test_kinds() -> None:
    assert kind_rule("apps/DaemonSet") == {"group": "apps", "kind": "DaemonSet"}
    assert kind_rule("/Secret") == kind_rule("Secret") == {"group": "", "kind": "Secret"}
    with pytest.raises(UsageError):
        kind_rule("apps/")


NO_FLAGS: dict[str, Any] = {
    "sources": (), "destinations": (), "cluster_allow": (), "cluster_deny": (),
    "namespace_allow": (), "namespace_deny": (), "description": None,
}  # fmt: skip


def test_entries_of_projects_come_and_go() -> None:
    document = new_project("shop", {**NO_FLAGS, "sources": ("a",)}, None)
    added = with_entry(document, "sourceRepos", "b")
    assert added is not None
    assert added["spec"]["sourceRepos"] == ["a", "b"]
    assert with_entry(added, "sourceRepos", "b") is None
    removed = without_entry(added, "sourceRepos", "a")
    assert removed is not None
    assert removed["spec"]["sourceRepos"] == ["b"]
    emptied = without_entry(removed, "sourceRepos", "b")
    assert emptied is not None
    assert "sourceRepos" not in emptied["spec"]
    with pytest.raises(NotFound):
        without_entry(document, "sourceRepos", "z")
    entry = {"server": "", "name": "eu-*", "namespace": "shop"}
    with_empty = {"metadata": {"name": "shop"}, "spec": {"destinations": [entry]}}
    assert without_entry(with_empty, "destinations", destination("eu-*,shop")) is not None


def kubeconfig(tmp_path: Path, **user: Any) -> Path:
    path = tmp_path / "config"
    path.write_text(
        json.dumps(
            {
                "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443"}}],
                "users": [{"name": "u", "user": user or {"token": "geheim"}}],
                "contexts": [{"name": "eu-1", "context": {"cluster": "c", "user": "u"}}],
            }
        )
    )
    return path


def connect(name: str, *arguments: str) -> dict[str, Any]:
    return connection_from(Invocation(), name, parsed(connection_options, *arguments))


def test_the_context_is_called_as_the_cluster_unless_told_otherwise(tmp_path: Path) -> None:
    path = str(kubeconfig(tmp_path))
    expected = {"server": "https://10.0.0.1:6443", "token": "geheim"}
    assert connect("eu-1", "--kubeconfig", path) == expected
    assert connect("other", "--kubeconfig", path, "--context", "eu-1") == expected


def test_certificates_beside_the_kubeconfig_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.crt").write_text("CERT")
    (tmp_path / "a.key").write_text("KEY")
    path = kubeconfig(tmp_path, **{"client-certificate": "a.crt", "client-key": "a.key"})
    found = connect("eu-1", "--kubeconfig", str(path))
    assert (found["clientCertificate"], found["clientKey"]) == ("CERT", "KEY")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--context", "nope"), "no context 'nope'; there are: eu-1"),
        (("--in-cluster", "--server", "https://a"), "exclude"),
        (("--token", "x"), "go with --server"),
    ],
)
def test_connections_that_make_no_sense(
    tmp_path: Path, arguments: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path)))
    with pytest.raises(UsageError, match=said):
        connect("eu-1", *arguments)


@pytest.mark.parametrize("text", ["", "just text", "{}", "a: [1", "apiVersion: v1\nkind: Pod\n"])
def test_what_is_no_kubeconfig_is_a_usage_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(UsageError):
        connect("eu-1", "--kubeconfig", str(path))


def test_explicit_connections() -> None:
    server = ("--server", "https://10.0.0.1:6443")
    assert connect("a", *server, "--token", "x") == {"server": server[1], "token": "x"}
    with pytest.raises(UsageError, match="one way"):
        connect("a", *server)
    with pytest.raises(UsageError, match="one way"):
        connect("a", *server, "--token", "x", "--username", "y")
    with pytest.raises(UsageError, match="go together"):
        connect("a", *server, "--client-cert", "x")
    assert connect("a", "--in-cluster") == {"inCluster": True}


def test_no_verification_is_loud(capsys: pytest.CaptureFixture[str]) -> None:
    found = connect("a", "--server", "https://a", "--token", "x", "--insecure-skip-tls-verify")
    assert found["insecure"] is True
    assert "NOT verified" in capsys.readouterr().err


def test_kubeconfigs_are_where_kubectl_looks(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.touch()
    several = os.pathsep.join([str(tmp_path / "gone"), str(there)])
    assert kubeconfig_files("~/k", {}) == [Path("~/k").expanduser()]
    assert kubeconfig_files(None, {"KUBECONFIG": several}) == [there]
    assert kubeconfig_files(None, {}) == [Path("~/.kube/config").expanduser()]


def test_credentials_of_repositories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "key"
    key.write_text("PRIVATE")
    monkeypatch.setattr("sys.stdin", io.StringIO("geheim\n"))
    flags = parsed(
        auth_options, "--username", "ci", "--password-stdin", "--ssh-private-key-path", str(key),
        "--enable-lfs", "--depth", "1", "--github-app-id", "7",
    )  # fmt: skip
    assert auth_body(flags) == {
        "username": "ci",
        "password": "geheim",
        "sshPrivateKey": "PRIVATE",
        "enableLfs": True,
        "depth": 1,
        "githubAppId": "7",
    }
    both = parsed(auth_options, "--password-stdin", "--bearer-token-stdin")
    with pytest.raises(UsageError, match="standard input"):
        auth_body(both)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90d", 7776000), ("2h30m", 9000), ("45", 45), ("1w", 604800), ("0s", 0)]
)
def test_durations(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "1.5h", "-3m", "3 m", "h"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        seconds_of(text)


def test_ages_are_short() -> None:
    from datetime import UTC, datetime

    now = datetime(2026, 1, 3, tzinfo=UTC)
    shown = [
        age(f"2026-01-0{day}T{time}Z", now)
        for day, time in ((2, "23:59:18"), (2, "23:00:00"), (2, "12:00:00"), (1, "00:00:00"))
    ]
    assert shown == ["42s", "60m", "12h", "2d"]
    assert age(None) == ""


def test_the_tree_of_a_local_folder_is_its_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "apps" / "web").mkdir(parents=True)
    root = tmp_path.resolve()
    assert place_of(tmp_path / "apps" / "web", None) == (root, "apps/web")
    assert place_of(tmp_path, None) == (root, ".")
    assert place_of(tmp_path / "apps" / "web", tmp_path / "apps") == (root / "apps", "web")
    with pytest.raises(UsageError, match="not below"):
        place_of(tmp_path, tmp_path / "apps")
    with pytest.raises(UsageError, match="no directory"):
        place_of(tmp_path / "gone", None)


def test_side_by_side() -> None:
    item = {"live": {"a": 1, "b": 2}, "predicted": {"a": 1, "b": 3, "c": 4}}
    assert [line.split() for line in columns(item, 40)] == [
        ["a:", "1", "a:", "1"],
        ["b:", "2", "|", "b:", "3"],
        [">", "c:", "4"],
    ]
    created = {"live": None, "predicted": {"a": 1}}
    assert [line.strip() for line in columns(created, 40)] == ["> a: 1"]
