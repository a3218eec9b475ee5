"""``fleet proj``: projects say what applications may use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from fleet.cli.asking import confirm, confirm_by_name
from fleet.cli.command import Group
from fleet.cli.documents import one_document
from fleet.cli.editing import edited
from fleet.cli.failures import tell_warnings
from fleet.cli.invocation import Invocation
from fleet.cli.options import Function, output_option, watch_option, yes_option
from fleet.cli.output import Column, Item, Table, show_done, show_item
from fleet.cli.proj_lists import LIST_VERBS
from fleet.cli.proj_page import Beside, destination, kind, page
from fleet.cli.proj_roles import role
from fleet.cli.proj_syncs import cancel_sync, sync, syncs
from fleet.cli.proj_windows import windows
from fleet.cli.project_changes import put_changed
from fleet.cli.projects import (
    CLUSTER_ALLOW,
    NAMESPACE_DENY,
    new_project,
)
from fleet.cli.watching import show_list
from fleet.errors import UsageError

_spec: Callable[[Item], Any] = lambda it: it.get("spec") or {}  # noqa: E731


def _many(items: Any, none: str = "none") -> str:
    found = list(items or ())
    return none if not found else found[0] if len(found) == 1 else f"{len(found)} of them"


PROJECTS = Table(
    "project",
    (
        Column("NAME", lambda it: it["metadata"]["name"]),
        Column("DESCRIPTION", lambda it: _spec(it).get("description", "")),
        Column(
            "DESTINATIONS", lambda it: _many(map(destination, _spec(it).get("destinations", ())))
        ),
        Column("SOURCES", lambda it: _many(_spec(it).get("sourceRepos"))),
        Column("CLUSTER KINDS", lambda it: _many(map(kind, _spec(it).get(CLUSTER_ALLOW, ())))),
        Column(
            "DENIED KINDS",
            lambda it: _many(map(kind, _spec(it).get(NAMESPACE_DENY, ())), ""),
            wide=True,
        ),
    ),
    lambda it: str(it["metadata"]["name"]),
    "No projects. Create one with `fleet proj create NAME --src URL --dest CLUSTER,NAMESPACE`.",
)


@click.group(cls=Group)
def proj() -> None:
    """Projects: what applications may use."""


def _project_options(function: Function) -> Function:
    for option in (
        click.option(
            "--deny-namespaced-resource",
            "namespace_deny",
            multiple=True,
            metavar="GROUP/KIND",
            help="Forbid a namespaced kind; repeatable.",
        ),
        click.option(
            "--allow-namespaced-resource",
            "namespace_allow",
            multiple=True,
            metavar="GROUP/KIND",
            help="Allow only these namespaced kinds.",
        ),
        click.option(
            "--deny-cluster-resource",
            "cluster_deny",
            multiple=True,
            metavar="GROUP/KIND",
            help="Forbid a cluster-scoped kind; repeatable.",
        ),
        click.option(
            "--allow-cluster-resource",
            "cluster_allow",
            multiple=True,
            metavar="GROUP/KIND",
            help="Allow a cluster-scoped kind; repeatable.",
        ),
        click.option(
            "-d",
            "--dest",
            "destinations",
            multiple=True,
            metavar="CLUSTER,NAMESPACE",
            help="Where to; cluster by name, glob or URL; repeatable.",
        ),
        click.option(
            "-s",
            "--src",
            "sources",
            multiple=True,
            metavar="URL",
            help="Repository or glob; repeatable.",
        ),
        click.option("--description", default=None, help="What it is for."),
    ):
        function = option(function)
    return function


@proj.command(
    examples=(
        "fleet proj create shop --src 'https://git.example/*' --dest 'eu-*,shop'",
        "fleet proj create shop -f project.yaml --upsert",
    )
)
@click.argument("name", required=False, default="")
@_project_options
@click.option("-f", "--file", help="AppProject to create; - is standard input.")
@click.option("--upsert", is_flag=True, help="Replace it if it exists.")
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def create(
    invocation: Invocation, /, name: str, file: str | None, upsert: bool, output: str, **flags: Any
) -> None:
    """Create a project. What is not allowed in it is forbidden; namespaced kinds are allowed."""
    base = one_document(file) if file else None
    document = new_project(name, flags, base)
    answer = invocation.api.post("projects", body={"document": document, "upsert": upsert})
    tell_warnings(answer.get("warnings"))
    made = answer["project"]["metadata"]["name"]
    show_done(answer["project"], "project", made, answer["action"], output)


@proj.command("list", examples=("fleet proj list", "fleet proj list -o yaml"))
@click.option("--name", default="", help="Only with this in their name.")
@watch_option()
@output_option()
@click.pass_obj
def list_(invocation: Invocation, name: str, watch: bool, output: str) -> None:
    """List projects."""
    show_list(
        invocation,
        lambda: invocation.api.items("projects", query={"name": name}),
        PROJECTS,
        output,
        watch=watch,
    )


@proj.command(examples=("fleet proj get shop", "fleet proj get shop -o yaml > shop.yaml"))
@click.argument("name")
@output_option()
@click.pass_obj
def get(invocation: Invocation, name: str, output: str) -> None:
    """Show one project."""
    document = invocation.api.get("projects", name)
    if output in ("json", "yaml", "name"):
        show_item(document, PROJECTS, output, lambda it: page(it, Beside()))
        return
    beside = Beside(
        _planned(invocation, name), _globals(invocation, name), _tokens(invocation, document)
    )
    show_item(document, PROJECTS, output, lambda it: page(it, beside))


def _planned(invocation: Invocation, name: str) -> list[Item]:
    """Syncs that are still to come, the first first."""
    found = invocation.api.items("projects", name, "syncs")
    return [it for it in found if it["state"] == "Planned"][::-1]


def _globals(invocation: Invocation, name: str) -> list[str]:
    """The projects that it inherits from."""
    return [it["name"] for it in invocation.api.items("projects", name, "globalprojects")]


def _tokens(invocation: Invocation, document: Item) -> dict[str, list[Item]]:
    """Of each role of the project."""
    name, roles = document["metadata"]["name"], _spec(document).get("roles") or ()
    return {
        role["name"]: invocation.api.items("projects", name, "roles", role["name"], "tokens")
        for role in roles
    }


@proj.command("set", examples=("fleet proj set shop --description 'The shop' --src '*'",))
@click.argument("name")
@_project_options
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def set_(invocation: Invocation, /, name: str, output: str, **flags: Any) -> None:
    """Change a project. A list that is given replaces the one that was there."""
    if not any(value not in (None, ()) for value in flags.values()):
        raise UsageError("nothing to change", hint="`fleet proj set --help` lists what can be.")
    put_changed(invocation, name, lambda document: new_project(name, flags, document), output)


@proj.command(examples=("EDITOR=vim fleet proj edit shop",))
@click.argument("name")
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def edit(invocation: Invocation, name: str, output: str) -> None:
    """Change a project in your editor."""
    put_changed(invocation, name, lambda document: edited(document, f"project-{name}"), output)


@proj.command(examples=("fleet proj delete shop -y",))
@click.argument("name")
@yes_option()
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def delete(invocation: Invocation, name: str, yes: bool, output: str) -> None:
    """Delete a project. Refused while applications are in it."""
    confirm_by_name(f"Project {name} is deleted", name, yes=yes)
    show_done(invocation.api.delete("projects", name), "project", name, "deleted", output)


@proj.command(examples=("fleet proj close default -y",))
@click.argument("name")
@yes_option()
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def close(invocation: Invocation, name: str, yes: bool, output: str) -> None:
    """Take every permission out of the default project, so that each team needs its own."""
    confirm(f"Applications in project {name} can then be synced no more. Close it?", yes=yes)
    answer = invocation.api.post("projects", name, "close")
    show_done(answer["project"], "project", name, "closed", output)


for command in (role, windows, sync, syncs, cancel_sync, *LIST_VERBS):
    proj.add_command(command)
