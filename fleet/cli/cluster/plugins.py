"""Credential plugins from flags, as ``argocd cluster add`` spells them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from typing import Any

import click

from fleet.cli.options import Pairs, given, mapping_of
from fleet.errors import UsageError

V1BETA1 = "client.authentication.k8s.io/v1beta1"
VERSIONS = click.Choice([V1BETA1, "client.authentication.k8s.io/v1"])

PLUGIN_OPTIONS = (
    click.option("--exec-command", metavar="NAME", help="Plugin that prints a credential."),
    click.option(
        "--exec-command-args",
        "exec_args",
        multiple=True,
        metavar="ARG[,ARG...]",
        help="Its arguments; repeatable.",
    ),
    click.option(
        "--exec-command-env",
        "exec_env",
        type=Pairs(),
        multiple=True,
        help="Variable for it; repeatable.",
    ),
    click.option(
        "--exec-command-api-version",
        "exec_api_version",
        type=VERSIONS,
        help=f"What it answers in.  [default: {V1BETA1}]",
    ),
    click.option(
        "--exec-command-install-hint",
        "exec_install_hint",
        metavar="TEXT",
        help="What to say where it is missing.",
    ),
    click.option("--aws-cluster-name", metavar="NAME", help="EKS cluster; asks `aws` for tokens."),
    click.option("--aws-role-arn", metavar="ARN", help="Role to take for it."),
    click.option("--aws-profile", metavar="NAME", help="Profile of `aws` to use for it."),
)
_OF_EXEC = ("exec_args", "exec_env", "exec_api_version", "exec_install_hint")
_OF_AWS = ("aws_role_arn", "aws_profile")


def names_plugin(flags: Mapping[str, Any]) -> bool:
    return bool(flags["exec_command"] or flags["aws_cluster_name"])


def plugin_from(flags: Mapping[str, Any]) -> dict[str, Any] | None:
    """The ``exec`` of a connection; None when no flag asks for a plugin.

    Raises:
        UsageError: flags without the one that they belong to, or two plugins.
    """
    if flags["exec_command"] and flags["aws_cluster_name"]:
        raise UsageError("--exec-command and --aws-cluster-name exclude each other")
    if any(flags[key] for key in _OF_EXEC) and not flags["exec_command"]:
        raise UsageError("--exec-command-... go with --exec-command NAME")
    if any(flags[key] for key in _OF_AWS) and not flags["aws_cluster_name"]:
        raise UsageError("--aws-role-arn and --aws-profile go with --aws-cluster-name NAME")
    if flags["aws_cluster_name"]:
        return _aws(flags)
    if not flags["exec_command"]:
        return None
    return given(
        command=flags["exec_command"],
        args=_split(flags["exec_args"]),
        env=mapping_of(flags["exec_env"]),
        apiVersion=flags["exec_api_version"] or V1BETA1,
        installHint=flags["exec_install_hint"],
    )


def _split(texts: Iterable[str]) -> list[str]:
    """Arguments, also several with commas between them; quotes keep a comma inside one."""
    return [arg for text in texts for row in csv.reader([text]) for arg in row]


def _aws(flags: Mapping[str, Any]) -> dict[str, Any]:
    from fleet.cluster import aws_token_arguments

    args = aws_token_arguments(
        flags["aws_cluster_name"], flags["aws_role_arn"] or "", flags["aws_profile"] or ""
    )
    return {"command": "aws", "args": list(args), "apiVersion": V1BETA1}
