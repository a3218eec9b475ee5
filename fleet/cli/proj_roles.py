"""``fleet proj role``: roles of a project, and the tokens by which pipelines have them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from fleet.cli.account import TOKENS
from fleet.cli.asking import confirm
from fleet.cli.command import Group
from fleet.cli.invocation import Invocation
from fleet.cli.options import Function, output_option, watch_option, yes_option
from fleet.cli.output import Column, Item, Table, page_of, show_done, show_item, to_json, to_yaml
from fleet.cli.project_changes import put_changed
from fleet.cli.projects import Document
from fleet.cli.times import Span
from fleet.cli.watching import show_list
from fleet.errors import AlreadyExists, NotFound, UsageError

ROLES = Table(
    "role",
    (
        Column("ROLE-NAME", lambda it: it["name"]),
        Column("DESCRIPTION", lambda it: it.get("description", "")),
        Column("POLICIES", lambda it: str(len(it.get("policies") or ()))),
        Column("GROUPS", lambda it: ",".join(it.get("groups") or ())),
    ),
    lambda it: str(it["name"]),
    "No roles. Create one with `fleet proj role create PROJECT ROLE`.",
)


@click.group(cls=Group)
def role() -> None:
    """Roles of a project: rules for groups of people, and tokens for pipelines."""


def _names(function: Function) -> Function:
    for name in ("role_name", "project"):
        metavar = "ROLE" if name == "role_name" else "PROJECT"
        function = click.argument(name, metavar=metavar)(function)
    return function


@role.command(examples=("fleet proj role create shop ci --description 'Pipelines'",))
@_names
@click.option("--description", default="", help="What it is for.")
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def create(
    invocation: Invocation, project: str, role_name: str, description: str, output: str
) -> None:
    """Create a role. It may look at its project, and nothing else until it has policies."""

    def change(document: Document) -> Document:
        if any(it.get("name") == role_name for it in _roles(document)):
            raise AlreadyExists(f"project {project} has a role {role_name!r} already")
        new = {"name": role_name} | ({"description": description} if description else {})
        return _with_roles(document, [*_roles(document), new])

    put_changed(invocation, project, change, output)


@role.command(examples=("fleet proj role delete shop ci -y",))
@_names
@yes_option()
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def delete(invocation: Invocation, project: str, role_name: str, yes: bool, output: str) -> None:
    """Delete a role. Its tokens are refused from then on, for good."""
    confirm(f"Delete role {role_name} of project {project}, and its tokens?", yes=yes)

    def change(document: Document) -> Document:
        gone = _the_role(document, role_name)
        return _with_roles(document, [it for it in _roles(document) if it["name"] != gone["name"]])

    put_changed(invocation, project, change, output)


@role.command("list", examples=("fleet proj role list shop",))
@click.argument("project")
@watch_option()
@output_option()
@click.pass_obj
def list_(invocation: Invocation, project: str, watch: bool, output: str) -> None:
    """List the roles of a project."""
    show_list(
        invocation,
        lambda: _roles(invocation.api.get("projects", project)),
        ROLES,
        output,
        watch=watch,
    )


@role.command(examples=("fleet proj role get shop ci",))
@_names
@output_option()
@click.pass_obj
def get(invocation: Invocation, project: str, role_name: str, output: str) -> None:
    """Show one role: its policies, its groups and its tokens."""
    found = _the_role(invocation.api.get("projects", project), role_name)
    tokens = [] if output in ("json", "yaml", "name") else _tokens(invocation, project, role_name)
    show_item(found, ROLES, output, lambda it: _page(project, it, tokens))


def _page(project: str, it: Item, tokens: list[Item]) -> str:
    return page_of(
        [
            ("Role", f"proj:{project}:{it['name']}"),
            ("Description", it.get("description", "")),
            ("Policies", "\n".join(it.get("policies") or ["none"])),
            ("Groups", "\n".join(it.get("groups") or ())),
            ("Tokens", "\n".join(map(_until, tokens))),
        ]
    )


def _until(token: Item) -> str:
    return f"{token['name']} until {token['expiresAt']}"


def _rule_options(function: Function) -> Function:
    for option in (
        click.option(
            "-p",
            "--permission",
            type=click.Choice(["allow", "deny"]),
            default="allow",
            show_default=True,
            help="What the rule does.",
        ),
        click.option("--object", "object_", required=True, help="Name within the project."),
        click.option("--resource", default="applications", show_default=True, help="Of what."),
        click.option("-a", "--action", required=True, help="get, sync, delete, …"),
    ):
        function = option(function)
    return function


def _require_action(action: str) -> None:
    """Raises UsageError where no such action exists. An import may bring one, with a warning: it
    was written for something else; whoever types one means one that there is."""
    from fleet.policy import ACTIONS, why_no_action  # it takes RE2, which other commands need not

    if why := why_no_action(action):
        raise UsageError(
            f"--action {action}: {why}",
            hint=f"The actions are {', '.join(sorted(ACTIONS))}; a wildcard means several, and"
            " action/GROUP/KIND/NAME one of an object.",
        )


def _rule_verb(
    verb: str,
    text: str,
    change: Callable[[list[str], str], list[str]],
    *,
    check: Callable[[str], None] = lambda _: None,
) -> None:
    @role.command(
        verb, help=text, examples=(f"fleet proj role {verb} shop ci -a sync --object '*'",)
    )
    @_names
    @_rule_options
    @output_option("table", "json", "yaml", "name")
    @click.pass_obj
    def command(
        invocation: Invocation, /, project: str, role_name: str, output: str, **flags: Any
    ) -> None:
        check(flags["action"])
        object_ = f"{project}/{flags['object_'].removeprefix(f'{project}/')}"
        subject, effect = f"proj:{project}:{role_name}", flags["permission"]
        parts = ("p", subject, flags["resource"], flags["action"], object_, effect)
        rule = ", ".join(parts)
        _change_list(
            invocation, project, role_name, "policies", lambda held: change(held, rule), output
        )


def _group_verb(verb: str, text: str, change: Callable[[list[str], str], list[str]]) -> None:
    @role.command(verb, help=text, examples=(f"fleet proj role {verb} shop ci devs",))
    @_names
    @click.argument("group")
    @output_option("table", "json", "yaml", "name")
    @click.pass_obj
    def command(
        invocation: Invocation, project: str, role_name: str, group: str, output: str
    ) -> None:
        _change_list(
            invocation, project, role_name, "groups", lambda held: change(held, group), output
        )


def _change_list(
    invocation: Invocation,
    project: str,
    role_name: str,
    key: str,
    change: Callable[[list[str]], list[str]],
    output: str,
) -> None:
    def changed(document: Document) -> Document | None:
        found = _the_role(document, role_name)
        before = list(found.get(key) or ())
        after = change(before)
        roles = [{**it, key: after} if it is found else it for it in _roles(document)]
        return None if after == before else _with_roles(document, roles)

    put_changed(invocation, project, changed, output)


def _added(held: list[str], entry: str) -> list[str]:
    return held if _spelled(entry) in map(_spelled, held) else [*held, entry]


def _removed(held: list[str], entry: str) -> list[str]:
    left = [it for it in held if _spelled(it) != _spelled(entry)]
    if left == held:
        raise NotFound(
            f"the role has no {entry!r}", hint="`fleet proj role get PROJECT ROLE` shows all."
        )
    return left


def _spelled(entry: str) -> str:
    return ",".join(part.strip() for part in entry.split(","))


_rule_verb(
    "add-policy", "Give a role a rule, for objects of its project.", _added, check=_require_action
)
_rule_verb("remove-policy", "Take a rule from a role.", _removed)
_group_verb("add-group", "Give a role to a group.", _added)
_group_verb("remove-group", "Take a role from a group.", _removed)


@role.command(
    "create-token",
    examples=("FLEET_AUTH_TOKEN=$(fleet proj role create-token shop ci --expires-in 30d)",),
)
@_names
@click.option("--id", "--name", "name", default="cli", show_default=True, help="Its name.")
@click.option(
    "-e", "--expires-in", type=Span(), default="90d", show_default=True, help="Valid for."
)
@output_option("table", "json", "yaml")
@click.pass_obj
def create_token(
    invocation: Invocation, project: str, role_name: str, name: str, expires_in: int, output: str
) -> None:
    """Create a token of a role and print it. It is shown this once and never again."""
    path = ("projects", project, "roles", role_name, "tokens")
    body = {"name": name, "expiresInSeconds": expires_in}
    made = invocation.api.post(*path, body=body, once=True)
    if output == "table":
        click.echo(made["token"])
        click.echo(f"Valid until {made['expiresAt']}; it is not shown again.", err=True)
    else:
        click.echo(to_json(made) if output == "json" else to_yaml(made))


@role.command("list-tokens", examples=("fleet proj role list-tokens shop ci",))
@_names
@watch_option()
@output_option()
@click.pass_obj
def list_tokens(
    invocation: Invocation, project: str, role_name: str, watch: bool, output: str
) -> None:
    """List the tokens of a role; not the tokens themselves, which nobody has."""
    show_list(
        invocation,
        lambda: _tokens(invocation, project, role_name),
        TOKENS,
        output,
        watch=watch,
    )


@role.command("delete-token", examples=("fleet proj role delete-token shop ci cli -y",))
@_names
@click.argument("token")
@yes_option()
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def delete_token(
    invocation: Invocation, project: str, role_name: str, token: str, yes: bool, output: str
) -> None:
    """End a token, by its name or id. Calls with it are refused from then on."""
    confirm(f"Revoke token {token} of role {role_name} of project {project}?", yes=yes)
    gone = invocation.api.delete("projects", project, "roles", role_name, "tokens", token)
    show_done(gone, "token", token, "revoked", output)


def _tokens(invocation: Invocation, project: str, role_name: str) -> list[Item]:
    return invocation.api.items("projects", project, "roles", role_name, "tokens")


def _roles(document: Document) -> list[Item]:
    return list((document.get("spec") or {}).get("roles") or ())


def _the_role(document: Document, name: str) -> Item:
    for entry in _roles(document):
        if entry.get("name") == name:
            return entry
    project = document["metadata"]["name"]
    raise NotFound(
        f"project {project} has no role {name!r}",
        hint=f"`fleet proj role list {project}` lists those it has.",
        object=f"AppProject/{project}",
    )


def _with_roles(document: Document, roles: list[Item]) -> Document:
    spec = {key: value for key, value in (document.get("spec") or {}).items() if key != "roles"}
    return {**document, "spec": {**spec, "roles": roles} if roles else spec}
