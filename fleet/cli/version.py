"""``fleet version``: of the client, the server, its schema and its tools."""

from __future__ import annotations

import platform
from typing import Any

import click

from fleet import __version__
from fleet.cli.command import Command
from fleet.cli.invocation import Invocation
from fleet.cli.options import output_option
from fleet.cli.output import Item, page_of, to_json, to_yaml


@click.command(cls=Command, examples=("fleet version", "fleet version --client -o json"))
@click.option("--client", is_flag=True, help="Only this program; asks no server.")
@output_option("table", "json", "yaml")
@click.pass_obj
def version(invocation: Invocation, client: bool, output: str) -> None:
    """Show the versions of client and server, and of the tools that render."""
    found: dict[str, Any] = {
        "client": {"version": __version__, "python": platform.python_version()}
    }
    if not client:
        found["server"] = invocation.api.get("version")
    if output == "table":
        click.echo(_page(found))
    else:
        click.echo(to_json(found) if output == "json" else to_yaml(found))


def _page(found: Item) -> str:
    pairs = [("Client", f"fleet {found['client']['version']}, Python {found['client']['python']}")]
    server = found.get("server")
    if server is None:
        return page_of(pairs)
    pairs += [
        ("Server", f"fleet {server['version']}, Python {server['python']}"),
        ("Instance", server["instance"]),
        ("Schema", f"{server['schema']['current']} ({server['schema']['age']})"),
        ("PostgreSQL", server["database"]["version"]),
    ]
    pairs += [(tool["name"], _tool(tool)) for tool in server["tools"]]
    sandbox = server["sandbox"]
    pairs.append(("Sandbox", f"{sandbox['kind']}: {sandbox['message']}".removesuffix(": ")))
    return page_of(pairs)


def _tool(tool: Item) -> str:
    if tool.get("problem"):
        return str(tool["problem"])
    return f"{tool['version']} ({tool['path']})" if tool["version"] else "not found"
