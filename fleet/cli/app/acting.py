"""``fleet app actions``: what may be done to live objects, and doing it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from fleet.cli.app.group import app
from fleet.cli.app.objects import reference
from fleet.cli.command import Group
from fleet.cli.failures import tell_error
from fleet.cli.invocation import Invocation
from fleet.cli.options import Function, Pairs, mapping_of, output_option, watch_option
from fleet.cli.output import Column, Item, Table, to_json, to_yaml
from fleet.cli.watching import show_list
from fleet.errors import FleetError

ACTIONS = Table(
    "action",
    (
        Column("GROUP", lambda it: it["group"]),
        Column("KIND", lambda it: it["kind"]),
        Column("NAMESPACE", lambda it: it["namespace"], wide=True),
        Column("NAME", lambda it: it["name"]),
        Column("ACTION", lambda it: it["action"]),
        Column("DISABLED", lambda it: "true" if it["disabled"] else "false"),
        Column("PARAMS", lambda it: ",".join(entry["name"] for entry in it["params"])),
        Column("TITLE", lambda it: it["displayName"], wide=True),
    ),
    lambda it: str(it["action"]),
    "Nothing can be done to these objects but to sync them.",
    key=lambda it: f"{reference(it)} {it['action']}",
)

_SELECTION = (
    click.option("--group", default=None, help="Only objects of this API group."),
    click.option("--kind", default="", help="Only objects of this kind."),
    click.option("-n", "--namespace", default="", help="Only objects in this namespace."),
    click.option("--resource-name", default="", help="Only the object of this name."),
)


def _selection(function: Function) -> Function:
    for option in reversed(_SELECTION):
        function = option(function)
    return function


@app.group(cls=Group)
def actions() -> None:
    """Restart, scale, pause, promote, …: what may be done to an application's objects."""


@actions.command(
    "list",
    examples=(
        "fleet app actions list web",
        "fleet app actions list web --kind Deployment --resource-name web",
    ),
)
@click.argument("name")
@_selection
@watch_option()
@output_option()
@click.pass_obj
def list_(
    invocation: Invocation,
    name: str,
    group: str | None,
    kind: str,
    namespace: str,
    resource_name: str,
    watch: bool,
    output: str,
) -> None:
    """List what may be done to each object now."""
    query = {"kind": kind, "namespace": namespace, "resourceName": resource_name}
    if group is not None:
        query["group"] = group

    def ask() -> list[Item]:
        found = invocation.api.get("applications", name, "actions", query=query)["items"]
        return [row for entry in found for row in _rows(entry)]

    show_list(invocation, ask, ACTIONS, output, watch=watch)


def _rows(entry: Mapping[str, Any]) -> list[Item]:
    about = {key: entry[key] for key in ("group", "kind", "namespace", "name")}
    return [
        {
            **about,
            "action": offer["name"],
            "disabled": offer["disabled"],
            "params": offer["params"],
            "displayName": offer["displayName"],
        }
        for offer in entry["actions"]
    ]


@actions.command(
    examples=(
        "fleet app actions run web restart --kind Deployment",
        "fleet app actions run web scale --kind Deployment --resource-name web --param replicas=3",
        "fleet app actions run web reconcile --kind HelmRelease --all",
    )
)
@click.argument("name")
@click.argument("action")
@_selection
@click.option("--all", "every", is_flag=True, help="On every object that this means.")
@click.option(
    "--param",
    "parameters",
    type=Pairs(),
    multiple=True,
    metavar="NAME=VALUE",
    help="What the action asks for; repeatable.",
)
@output_option("table", "json", "yaml")
@click.pass_context
def run(
    ctx: click.Context,
    name: str,
    action: str,
    group: str | None,
    kind: str,
    namespace: str,
    resource_name: str,
    every: bool,
    parameters: tuple[tuple[str, str], ...],
    output: str,
) -> None:
    """Run an action on one object, or with --all on every object that is meant."""
    body = {
        "action": action,
        "group": group,
        "kind": kind,
        "namespace": namespace,
        "resourceName": resource_name,
        "all": every,
        "parameters": mapping_of(parameters),
    }
    api = ctx.ensure_object(Invocation).api
    results = api.post("applications", name, "actions", body=body)["results"]
    if output != "table":
        click.echo(to_json(results) if output == "json" else to_yaml(results))
    else:
        for result in results:
            _show(result, action)
    if any("error" in result for result in results):
        ctx.exit(FleetError.exit_code)


def _show(result: Mapping[str, Any], action: str) -> None:
    if error := result.get("error"):
        tell_error(str(error["message"]), str(error.get("hint", "")))
        return
    made = "".join(f", created {reference(it)}" for it in result["created"])
    what = made.removeprefix(", ") or ("done" if result["patched"] else "nothing to change")
    click.echo(f"{reference(result)} {action}: {what}")
