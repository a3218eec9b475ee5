"""``fleet plugin``: what renders sources beside the built-in tools."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from fleet.cli.asking import confirm
from fleet.cli.command import Group
from fleet.cli.invocation import Invocation
from fleet.cli.options import output_option, watch_option, yes_option
from fleet.cli.output import Column, Table, show_done, show_item, show_items, to_yaml
from fleet.cli.watching import show_list


def _name(document: Mapping[str, Any]) -> str:
    version = document["spec"].get("version")
    name: str = document["metadata"]["name"]
    return f"{name}-{version}" if version else name


def _rule(document: Mapping[str, Any]) -> str:
    rule = document["spec"].get("discover") or {}
    find = rule.get("find") or {}
    command = " ".join([*find.get("command", ()), *find.get("args", ())])
    return rule.get("fileName") or find.get("glob") or command


PLUGINS = Table(
    "plugin",
    (
        Column("NAME", _name),
        Column("DISCOVERS", _rule),
        Column("GENERATE", lambda it: " ".join(it["spec"]["generate"]["command"])),
    ),
    _name,
    "No plugins. Register a ConfigManagementPlugin with `fleet apply -f FILE`.",
    key=_name,
)


def _value(parameter: Mapping[str, Any]) -> str:
    values = (parameter.get(kind) for kind in ("string", "array", "map"))
    found = next((value for value in values if value is not None), "")
    return found if isinstance(found, str) else json.dumps(found)


PARAMETERS = Table(
    "parameter",
    (
        Column("NAME", lambda it: it["name"]),
        Column("TYPE", lambda it: it.get("collectionType", "string")),
        Column("REQUIRED", lambda it: "yes" if it.get("required") else ""),
        Column("DEFAULT", _value),
        Column("TITLE", lambda it: it.get("title", "")),
        Column("TOOLTIP", lambda it: it.get("tooltip", ""), wide=True),
    ),
    lambda it: it["name"],
    "The plugin announces no parameters.",
    key=lambda it: it["name"],
)


@click.group(cls=Group)
def plugin() -> None:
    """Config management plugins. `fleet apply -f` registers one."""


@plugin.command("list", examples=("fleet plugin list",))
@watch_option()
@output_option()
@click.pass_obj
def list_(invocation: Invocation, watch: bool, output: str) -> None:
    """List the plugins that sources may name, or that find their sources."""
    show_list(invocation, lambda: invocation.api.items("plugins"), PLUGINS, output, watch=watch)


@plugin.command(examples=("fleet plugin get cdk8s-v2 -o yaml > plugin.yaml",))
@click.argument("name")
@output_option()
@click.pass_obj
def get(invocation: Invocation, name: str, output: str) -> None:
    """Show a plugin: its commands, and how it finds its sources."""
    document = invocation.api.get("plugins", name)
    show_item(document, PLUGINS, output, to_yaml)


@plugin.command(examples=("fleet plugin parameters web",))
@click.argument("application")
@output_option()
@click.pass_obj
def parameters(invocation: Invocation, application: str, output: str) -> None:
    """List the parameters that the plugin of an application's source knows.

    What `spec.source.plugin.parameters` may say. The plugin's own command is asked, too.
    """
    found = invocation.api.items("applications", application, "plugin-parameters")
    show_items(found, PARAMETERS, output)


@plugin.command(examples=("fleet plugin rm cdk8s-v1 -y",))
@click.argument("name")
@yes_option()
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def rm(invocation: Invocation, name: str, yes: bool, output: str) -> None:
    """Let a plugin go. What it rendered stays deployed; it can no longer change."""
    confirm(f"Let plugin {name} go?", yes=yes)
    result = invocation.api.delete("plugins", name)
    show_done(result, "plugin", name, "deleted", output)
