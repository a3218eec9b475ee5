"""Live objects of an application by hand: delete-resource, patch-resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from fleet.cli.app.group import app
from fleet.cli.asking import confirm
from fleet.cli.invocation import Invocation
from fleet.cli.options import Function, given, output_option, yes_option
from fleet.cli.output import show_done
from fleet.errors import UsageError

#: What argocd calls a kind of patch, in full and in short.
PATCH_TYPES = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "json": "json",
    "merge": "merge",
    "strategic": "strategic",
}

_OPTIONS = (
    click.option("--kind", required=True, help="Its kind."),
    click.option("--resource-name", default="", metavar="NAME", help="Its name."),
    click.option("--group", default="", help="Its API group."),
    click.option("--namespace", default="", metavar="NAME", help="Its namespace."),
    click.option("--all", "every", is_flag=True, help="All that match, not only one."),
)


def _object_options(function: Function) -> Function:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def _chosen(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Which objects, in a request.

    Raises:
        UsageError: neither a name nor all.
    """
    if not flags["resource_name"] and not flags["every"]:
        raise UsageError("say which object: --resource-name NAME, or --all")
    return given(
        kind=flags["kind"],
        name=flags["resource_name"],
        group=flags["group"],
        namespace=flags["namespace"],
        all=flags["every"] or None,
    )


@app.command(
    "delete-resource",
    examples=(
        "fleet app delete-resource web --kind Pod --resource-name web-1",
        "fleet app delete-resource web --kind Job --group batch --all -y",
    ),
)
@click.argument("name")
@_object_options
@click.option("--force", is_flag=True, help="At once: its processes get no time to end.")
@click.option("--orphan", is_flag=True, help="What it owns stays.")
@yes_option()
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def delete_resource(
    invocation: Invocation,
    /,
    name: str,
    force: bool,
    orphan: bool,
    yes: bool,
    output: str,
    **flags: Any,
) -> None:
    """Delete a live object of an application. What Git says is put back by the next sync."""
    body = {**_chosen(flags), **given(force=force or None, orphan=orphan or None)}
    what = f"{flags['kind']} {flags['resource_name'] or '(all)'}"
    confirm(f"Delete {what} of {name} from its cluster?", yes=yes)
    answer = invocation.api.post("applications", name, "resources", "delete", body=body)
    show_done(answer, "application", name, _told("deleted", answer), output)


@app.command(
    "patch-resource",
    examples=(
        (
            "fleet app patch-resource web --kind Deployment --group apps --resource-name web"
            """ --patch '{"spec": {"paused": true}}'"""
        ),
    ),
)
@click.argument("name")
@_object_options
@click.option("--patch", required=True, metavar="TEXT", help="The patch, as JSON or YAML.")
@click.option(
    "--patch-type",
    type=click.Choice(list(PATCH_TYPES)),
    default="merge",
    show_default=True,
    help="Which kind of patch.",
)
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def patch_resource(
    invocation: Invocation, /, name: str, patch: str, patch_type: str, output: str, **flags: Any
) -> None:
    """Patch a live object of an application. Self-heal takes back what Git says otherwise."""
    from fleet.render.yaml import load_one

    content = load_one(patch, file="--patch")
    if not isinstance(content, dict | list):
        raise UsageError("--patch: is neither an object nor a list of steps")
    body = {**_chosen(flags), "patch": content, "patchType": PATCH_TYPES[patch_type]}
    answer = invocation.api.post("applications", name, "resources", "patch", body=body)
    show_done(answer, "application", name, _told("patched", answer), output)


def _told(done: str, answer: Mapping[str, Any]) -> str:
    return f"{done} {', '.join(answer['objects']) or 'nothing: it was gone'}"
