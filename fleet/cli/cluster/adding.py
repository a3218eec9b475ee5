"""Making clusters known: add, rotate-auth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from fleet.cli.asking import confirm
from fleet.cli.cluster.connections import connection_from, connection_options
from fleet.cli.cluster.group import cluster
from fleet.cli.cluster.plugins import names_plugin
from fleet.cli.failures import tell_warnings
from fleet.cli.invocation import Invocation
from fleet.cli.options import Pairs, given, mapping_of, output_option, yes_option
from fleet.cli.output import show_done
from fleet.cli.progress import in_steps
from fleet.errors import UsageError

NAMESPACE, ACCOUNT = "kube-system", "fleet-manager"


@cluster.command(
    examples=(
        "fleet cluster add eu-1",
        "fleet cluster add eu-1 --kubeconfig K --context admin@eu-1 --label env=prod -y",
        "fleet cluster add eu-2 --keep-credentials --namespace shop --namespace web",
        "fleet cluster add eu-3 --server https://10.0.0.3:6443 --ca ca.pem --token-stdin < token",
        "fleet cluster add in-cluster --in-cluster",
        "fleet cluster add eks --context eks --aws-cluster-name shop --aws-role-arn ARN",
    )
)
@click.argument("name")
@connection_options
@click.option("--label", "labels", type=Pairs(), multiple=True, help="Label; repeatable.")
@click.option(
    "--annotation", "annotations", type=Pairs(), multiple=True, help="Annotation; repeatable."
)
@click.option("--namespace", "namespaces", multiple=True, help="Manage only this; repeatable.")
@click.option(
    "--cluster-resources", is_flag=True, help="With --namespace: cluster-scoped kinds too."
)
@click.option("--project", default="", help="Only this project may deploy here.")
@click.option("--keep-credentials", is_flag=True, help="Use the kubeconfig's own; make no account.")
@click.option("--service-account", metavar="NAME", help=f"Account to make.  [default: {ACCOUNT}]")
@click.option("--system-namespace", default=NAMESPACE, show_default=True, help="Where to make it.")
@click.option("--upsert", is_flag=True, help="Change a cluster of this name if there is one.")
@yes_option("Make the ServiceAccount without asking.")
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def add(invocation: Invocation, /, name: str, yes: bool, output: str, **flags: Any) -> None:
    """Register a cluster.

    From a context of the kubeconfig (the one called NAME unless --context says otherwise), Fleet
    makes itself a ServiceAccount in the cluster, whose token it renews; it asks before. With
    --keep-credentials, --server, --in-cluster or a plugin (--exec-command, --aws-cluster-name)
    the given credentials are used as they are. A plugin has to be on the server's allow-list.
    """
    making = makes_account(flags)
    connection = connection_from(invocation, name, flags)
    account = flags["service_account"] or ACCOUNT
    if making:
        scope = flags["namespaces"], flags["cluster_resources"]
        confirm(question(connection, f"{flags['system_namespace']}/{account}", *scope), yes=yes)
    body = {
        "name": name,
        "connection": connection,
        "createServiceAccount": making,
        **_description(flags, account),
    }
    steps = _steps(name, account if making else "")
    answer = in_steps(steps, lambda: invocation.api.post("clusters", body=body))
    tell_warnings(answer.get("warnings"))
    show_done(answer["cluster"], "cluster", name, answer["action"], output)


def _description(flags: dict[str, Any], account: str) -> dict[str, Any]:
    return given(
        labels=mapping_of(flags["labels"]),
        annotations=mapping_of(flags["annotations"]),
        namespaces=list(flags["namespaces"]),
        clusterResources=flags["cluster_resources"] or None,
        project=flags["project"],
        serviceAccountName=account,
        serviceAccountNamespace=flags["system_namespace"],
        upsert=flags["upsert"] or None,
    )


def _steps(name: str, account: str) -> tuple[str, ...]:
    """What is done already when a request is sent, and what the server does with it."""
    makes = f", making ServiceAccount {account}" if account else ""
    return f"{name}: its credentials are read", f"{name}: asking it who it is{makes}"


def makes_account(flags: dict[str, Any]) -> bool:
    """Whether Fleet makes itself an account there: by default only out of a kubeconfig.

    Raises:
        UsageError: asked for both.
    """
    if flags["keep_credentials"] and flags["service_account"]:
        raise UsageError("--keep-credentials and --service-account exclude each other")
    explicit = bool(flags["server"] or flags["in_cluster"]) or names_plugin(flags)
    return bool(flags["service_account"]) or not (flags["keep_credentials"] or explicit)


def question(
    connection: Mapping[str, Any], account: str, namespaces: Sequence[str], cluster_resources: bool
) -> str:
    """What a person agrees to when Fleet makes itself an account, with the rights it gets."""
    where = connection.get("server", "the cluster that Fleet runs in")
    rights = "in the cluster"
    if namespaces:
        beside = " and to change cluster-scoped objects" if cluster_resources else ""
        rights = f"in {', '.join(namespaces)}{beside}"
    return f"Make ServiceAccount {account} with all rights {rights} on {where}?"


@cluster.command(
    "rotate-auth",
    examples=(
        "fleet cluster rotate-auth eu-1",
        "fleet cluster rotate-auth eu-1 --context admin@eu-1 --keep-credentials",
    ),
)
@click.argument("name")
@connection_options
@click.option("--keep-credentials", is_flag=True, help="Use the kubeconfig's own; make no account.")
@click.option("--service-account", metavar="NAME", help=f"Account to make.  [default: {ACCOUNT}]")
@click.option("--system-namespace", default=NAMESPACE, show_default=True, help="Where to make it.")
@yes_option("Make the ServiceAccount without asking.")
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def rotate_auth(invocation: Invocation, /, name: str, yes: bool, output: str, **flags: Any) -> None:
    """Renew a cluster's credentials.

    Alone, it renews the token that Fleet manages. With a kubeconfig, --server or --in-cluster it
    replaces address and credentials by those; another cluster there is refused.
    """
    body: dict[str, Any] = {}
    account = flags["service_account"] or ACCOUNT
    reached = ("kubeconfig", "context", "server", "in_cluster", "exec_command", "aws_cluster_name")
    if any(flags[key] for key in reached):
        body["connection"] = connection_from(invocation, name, flags)
        body["createServiceAccount"] = makes_account(flags)
        if body["createServiceAccount"]:
            known = invocation.api.get("clusters", name)
            scope = known["namespaces"], known["clusterResources"]
            whose = f"{flags['system_namespace']}/{account}"
            confirm(question(body["connection"], whose, *scope), yes=yes)
            body["serviceAccountName"] = account
            body["serviceAccountNamespace"] = flags["system_namespace"]
    steps = _steps(name, account if body.get("createServiceAccount") else "")
    answer = in_steps(
        steps, lambda: invocation.api.post("clusters", name, "rotate-auth", body=body)
    )
    show_done(answer, "cluster", name, "rotated", output)
