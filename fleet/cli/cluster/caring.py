"""Changing known clusters: set, rm, pause, resume, confirm-identity."""

from __future__ import annotations

from typing import Any

import click

from fleet.cli.asking import confirm, confirm_by_name
from fleet.cli.cluster.group import cluster
from fleet.cli.failures import tell_warnings
from fleet.cli.invocation import Invocation
from fleet.cli.options import Pairs, mapping_of, output_option, yes_option
from fleet.cli.output import show_done
from fleet.cli.times import Moment, Span
from fleet.errors import UsageError


@cluster.command(
    "set",
    examples=(
        "fleet cluster set eu-1 --label env=prod --label old-",
        "fleet cluster set eu-1 --name eu-west-1 --interval 60s",
    ),
)
@click.argument("name")
@click.option("--name", "new_name", help="New name.")
@click.option(
    "--label", "labels", type=Pairs(removable=True), multiple=True, help="Set, or key- to remove."
)
@click.option(
    "--annotation",
    "annotations",
    type=Pairs(removable=True),
    multiple=True,
    help="Set, or key- to remove.",
)
@click.option("--namespace", "namespaces", multiple=True, help="Manage only these; repeatable.")
@click.option("--all-namespaces", is_flag=True, help="Manage every namespace again.")
@click.option(
    "--cluster-resources/--no-cluster-resources", default=None, help="Cluster-scoped kinds too."
)
@click.option("--project", help="Only this project may deploy here; '' for any.")
@click.option("--interval", type=Span(), help="Read it this often; 0 for the setting.")
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def set_(invocation: Invocation, /, name: str, output: str, **flags: Any) -> None:
    """Change a cluster's name, labels or scope. Only what is given is changed.

    Applications on it name it anew after a rename. Fleet's ServiceAccount keeps the rights that
    it has when the scope changes: rotate-auth with a kubeconfig gives it others.
    """
    body = _changes(flags)
    if not body:
        raise UsageError("nothing to change", hint="`fleet cluster set --help` lists what can be.")
    answer = invocation.api.patch("clusters", name, body=body)
    tell_warnings(answer.pop("warnings", ()))
    show_done(answer, "cluster", answer["name"], "configured", output)


def _changes(flags: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "name": flags["new_name"],
        "project": flags["project"],
        "clusterResources": flags["cluster_resources"],
        "labels": mapping_of(flags["labels"]) or None,
        "annotations": mapping_of(flags["annotations"]) or None,
        "namespaces": list(flags["namespaces"]) or None,
    }
    body = {key: value for key, value in body.items() if value is not None}
    if flags["all_namespaces"]:
        body["namespaces"] = []
    if flags["interval"] is not None:
        body["intervalSeconds"] = flags["interval"] or None
    return body


@cluster.command(examples=("fleet cluster rm eu-1", "fleet cluster rm eu-1 --applications keep -y"))
@click.argument("name")
@click.option(
    "--applications",
    type=click.Choice(["keep", "delete"]),
    help="What becomes of applications that target it. Neither touches objects in the cluster.",
)
@click.option("--remove-service-account", is_flag=True, help="Remove Fleet's account there, too.")
@yes_option()
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def rm(
    invocation: Invocation,
    name: str,
    applications: str | None,
    remove_service_account: bool,
    yes: bool,
    output: str,
) -> None:
    """Forget a cluster. Refused while applications target it, unless told what becomes of them.

    What Fleet applied stays in the cluster: to remove it, delete the applications first.
    """
    confirm_by_name(f"Fleet forgets cluster {name}", name, yes=yes)
    query = {
        "applications": applications,
        "removeServiceAccount": "true" if remove_service_account else "",
    }
    answer = invocation.api.delete("clusters", name, query=query)
    tell_warnings(answer.get("warnings"))
    for app in answer["applications"] if output == "table" else ():
        click.echo(f"application/{app} {'kept without a cluster' if answer['kept'] else 'deleted'}")
    show_done(answer, "cluster", name, "removed", output)


@cluster.command(examples=("fleet cluster pause eu-1 --reason 'node upgrade' --until 2h",))
@click.argument("name")
@click.option("--reason", required=True, help="Why; shown to everyone who looks.")
@click.option("--until", type=Moment(ahead=True), help="Resume by itself: in 2h, or at a time.")
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def pause(invocation: Invocation, name: str, reason: str, until: str | None, output: str) -> None:
    """Leave a cluster alone: nothing is read or written there until it is resumed.

    The token of Fleet's ServiceAccount is not renewed meanwhile. It ends within a day; after a
    longer pause, rotate-auth with a kubeconfig gives Fleet another.
    """
    body = {"reason": reason, "until": until}
    answer = invocation.api.post("clusters", name, "pause", body=body)
    show_done(answer, "cluster", name, f"paused{f' until {until}' if until else ''}", output)


@cluster.command(examples=("fleet cluster resume eu-1",))
@click.argument("name")
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def resume(invocation: Invocation, name: str, output: str) -> None:
    """Go on with a paused cluster."""
    show_done(invocation.api.post("clusters", name, "resume"), "cluster", name, "resumed", output)


@cluster.command("confirm-identity", examples=("fleet cluster confirm-identity eu-1",))
@click.argument("name")
@yes_option()
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def confirm_identity(invocation: Invocation, name: str, yes: bool, output: str) -> None:
    """Accept that another cluster answers at this address, and deploy to it.

    Everything for the cluster stands still until then: it may have been rebuilt, or the address
    may have been given to somebody else's.
    """
    confirm(f"Another cluster answers at the address of {name}. Deploy to it?", yes=yes)
    answer = invocation.api.post("clusters", name, "confirm-identity")
    show_done(answer, "cluster", name, "confirmed", output)
