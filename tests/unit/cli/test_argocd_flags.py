"""Flags and arguments in argocd's spelling, up to the request that they become."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from fleet.cli.cluster.connections import connection_from, connection_options
from fleet.cli.invocation import Invocation
from fleet.cli.program import fleet
from fleet.cli.proj_lists import Noun
from fleet.errors import UsageError

SERVER = ("--server", "https://10.0.0.3:6443")


def connection(*arguments: str) -> dict[str, Any]:
    """What ``fleet cluster add`` would send with these flags."""
    found: dict[str, Any] = {}

    @click.command()
    @connection_options
    def command(**flags: Any) -> None:
        found.update(connection_from(Invocation(), "eu-1", flags))

    done = CliRunner().invoke(command, arguments)
    if done.exception is not None:
        raise done.exception
    return found


def test_a_plugin_is_the_proof_of_who_we_are() -> None:
    made = connection(
        *SERVER, "--exec-command", "kubelogin", "--exec-command-args", "get-token,--login,spn",
        "--exec-command-args", "--server-id", "--exec-command-env", "AAD_LOGIN_METHOD=spn",
        "--exec-command-install-hint", "Install kubelogin.",
    )  # fmt: skip
    assert made == {
        "server": SERVER[1],
        "exec": {
            "command": "kubelogin",
            "args": ["get-token", "--login", "spn", "--server-id"],
            "env": {"AAD_LOGIN_METHOD": "spn"},
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "installHint": "Install kubelogin.",
        },
    }


def test_eks_is_asked_by_aws(tmp_path: Any) -> None:
    config = tmp_path / "config"
    config.write_text(
        "contexts: [{name: eu-1, context: {cluster: c, user: u}}]\n"
        "clusters: [{name: c, cluster: {server: 'https://10.0.0.3:6443'}}]\n"
        "users: [{name: u, user: {token: abc}}]\n"
    )
    flags = ("--aws-cluster-name", "shop", "--aws-role-arn", "arn:aws:iam::1:role/fleet")
    made = connection("--kubeconfig", str(config), *flags)
    assert made["server"] == SERVER[1]
    assert "token" not in made
    assert made["exec"]["command"] == "aws"
    assert made["exec"]["args"] == [
        "eks", "get-token", "--output", "json", "--cluster-name", "shop",
        "--role-arn", "arn:aws:iam::1:role/fleet",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "flags",
    [
        ("--exec-command", "aws", "--aws-cluster-name", "shop"),
        ("--exec-command-args", "get-token"),
        ("--aws-role-arn", "arn"),
        ("--exec-command", "aws", "--token", "abc"),
    ],
)
def test_flags_that_do_not_go_together(flags: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        connection(*SERVER, *flags)


@pytest.mark.parametrize(
    ("noun", "parts", "entry"),
    [
        (Noun("CLUSTER,NAMESPACE", ","), ("eu-*,shop",), "eu-*,shop"),
        (Noun("CLUSTER,NAMESPACE", ","), ("https://10.0.0.3", "shop"), "https://10.0.0.3,shop"),
        (Noun("GROUP/KIND", "/"), ("apps", "DaemonSet"), "apps/DaemonSet"),
        (Noun("GROUP/KIND", "/"), ("", "Namespace"), "/Namespace"),
        (Noun("GROUP/KIND", "/"), ("/Namespace",), "/Namespace"),
    ],
)
def test_entries_of_projects_are_written_in_one_word_or_two(
    noun: Noun, parts: tuple[str, ...], entry: str
) -> None:
    assert noun.entry(parts) == entry


def test_an_entry_of_another_number_of_words_is_refused() -> None:
    for noun, parts in (
        (Noun("URL"), ("a", "b")),
        (Noun("URL"), ()),
        (Noun("GROUP/KIND", "/"), ("a", "b", "c")),
    ):
        with pytest.raises(UsageError, match="expected"):
            noun.entry(parts)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("app", "sync", "web", "--revision", "v2", "--local", "."), "--local excludes"),
        (("app", "sync", "web", "--revisions", "v2"), "needs its --source-positions"),
        (
            (
                "app",
                "sync",
                "web",
                "--revisions",
                "v2",
                "--source-positions",
                "1",
                "--source-names",
                "a",
            ),
            "exclude each other",
        ),
        (("app", "sync", "web", "--break-glass"), "needs --reason"),
        (("app", "wait", "web", "--delete", "--health"), "--delete excludes"),
        (("app", "wait", "web", "--resource", "web"), "names no object"),
        (("app", "sync", "web", "--project", "shop"), "one of the two"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_asked(
    arguments: tuple[str, ...], said: str
) -> None:
    done = CliRunner().invoke(fleet, arguments)
    assert isinstance(done.exception, UsageError)
    assert said in done.exception.message
