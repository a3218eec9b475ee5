"""Looking at applications: list, get, resources, manifests, history, events."""

from __future__ import annotations

from typing import Any

import click

from fleet.cli.app.group import app
from fleet.cli.app.page import ORPHANS, RESOURCES, object_name, page, short
from fleet.cli.app.waiting import refreshed
from fleet.cli.invocation import Invocation
from fleet.cli.options import output_option, selector_option, watch_option
from fleet.cli.output import (
    Column,
    Item,
    Table,
    pairs_text,
    show_item,
    to_json,
    to_yaml,
)
from fleet.cli.watching import show_list

SYNC = click.Choice(["Synced", "OutOfSync", "Unknown"])
HEALTH = click.Choice(["Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown"])


def _conditions(it: Item) -> str:
    return ",".join(condition["type"] for condition in it["conditions"])


APPLICATIONS = Table(
    "application",
    (
        Column("NAME", lambda it: it["name"]),
        Column("CLUSTER", lambda it: it["cluster"] or it["server"]),
        Column("NAMESPACE", lambda it: it["namespace"]),
        Column("PROJECT", lambda it: it["project"]),
        Column("STATUS", lambda it: "Deleting" if it["deleting"] else it["sync"]),
        Column("HEALTH", lambda it: it["health"]["status"]),
        Column("SYNCPOLICY", lambda it: it["syncPolicy"]),
        Column("CONDITIONS", _conditions),
        Column("REPO", lambda it: it["repoURL"], wide=True),
        Column("PATH", lambda it: it["path"], wide=True),
        Column("TARGET", lambda it: it["targetRevision"] or "HEAD", wide=True),
        Column("REVISION", lambda it: short(it["revision"]), wide=True),
        Column("LABELS", lambda it: pairs_text(it["labels"]), wide=True),
    ),
    lambda it: str(it["name"]),
    "No applications. Create one with `fleet app create NAME --repo URL --path DIR"
    " --dest-name CLUSTER`.",
)


@app.command(
    "list",
    examples=(
        "fleet app list",
        "fleet app list -p shop --sync OutOfSync -o wide",
        "fleet app list -l team=web -w",
    ),
)
@selector_option("applications")
@click.option("-p", "--project", multiple=True, help="Only of this project; repeatable.")
@click.option("-c", "--cluster", default="", help="Only on this cluster.")
@click.option("-n", "--namespace", default="", help="Only into this namespace.")
@click.option("-r", "--repo", default="", help="Only from this repository.")
@click.option("--sync", type=SYNC, help="Only with this sync status.")
@click.option("--health", type=HEALTH, help="Only with this health.")
@click.option("--name", default="", help="Only with this in their name.")
@watch_option()
@output_option()
@click.pass_obj
def list_(invocation: Invocation, /, watch: bool, output: str, **wanted: Any) -> None:
    """List applications and how they do."""
    show_list(
        invocation,
        lambda: invocation.api.items("applications", query=wanted),
        APPLICATIONS,
        output,
        watch=watch,
    )


DOCUMENT = Table("application", (), lambda it: str(it["metadata"]["name"]), "")


@app.command(
    examples=("fleet app get web", "fleet app get web --refresh", "fleet app get web -o yaml")
)
@click.argument("name")
@click.option("--refresh", is_flag=True, help="Look at Git and at the cluster first.")
@click.option("--hard-refresh", is_flag=True, help="Render again, too.")
@output_option()
@click.pass_obj
def get(invocation: Invocation, name: str, refresh: bool, hard_refresh: bool, output: str) -> None:
    """Show one application: status, resources, and what differs with who wrote it.

    As JSON or YAML it is the Application, with its status as Argo CD writes it.
    """
    if refresh or hard_refresh:
        document = refreshed(invocation, name, hard=hard_refresh)
    else:
        document = invocation.api.get("applications", name)
    show_item(document, DOCUMENT, output, page)


@app.command(
    examples=(
        "fleet app resources web",
        "fleet app resources web -o wide",
        "fleet app resources web --orphaned",
    )
)
@click.argument("name")
@click.option(
    "--orphaned",
    is_flag=True,
    help="What lives in its namespace and belongs to no application, if its project asks.",
)
@watch_option()
@output_option()
@click.pass_obj
def resources(invocation: Invocation, name: str, orphaned: bool, watch: bool, output: str) -> None:
    """List the objects of an application."""
    show_list(
        invocation,
        lambda: invocation.api.items(
            "applications", name, "resources", query={"orphaned": orphaned or None}
        ),
        ORPHANS if orphaned else RESOURCES,
        output,
        watch=watch,
    )


@app.command(
    examples=(
        "fleet app manifests web",
        "fleet app manifests web --revision v1.2.3",
        "fleet app manifests web --source live -o json",
    )
)
@click.argument("name")
@click.option(
    "--source",
    type=click.Choice(["git", "live"]),
    default="git",
    show_default=True,
    help="What should run, or what runs.",
)
@click.option("--revision", default="", help="Rendered at this revision instead of the current.")
@output_option("yaml", "json", "name", default="yaml")
@click.pass_obj
def manifests(invocation: Invocation, name: str, source: str, revision: str, output: str) -> None:
    """Print the manifests of an application; the values of Secrets are masked."""
    query = {"source": source, "revision": revision}
    items = invocation.api.items("applications", name, "manifests", query=query)
    if output == "json":
        click.echo(to_json(items))
    elif output == "name":
        for item in items:
            metadata = item.get("metadata") or {}
            click.echo(object_name({**metadata, "kind": item.get("kind", "")}))
    elif items:
        click.echo("\n---\n".join(to_yaml(item) for item in items))


def _by(it: Item) -> str:
    by = it.get("initiatedBy") or {}
    return str(by.get("username") or ("automated" if by.get("automated") else ""))


def _kept(it: Item) -> str:
    return ", ".join(f"{pair['name']}={pair['value']}" for pair in it.get("info") or ())


HISTORY = Table(
    "deployment",
    (
        Column("ID", lambda it: str(it["id"])),
        Column("DATE", lambda it: it.get("deployedAt", "")),
        Column("REVISION", lambda it: short(it.get("revision", ""))),
        Column("INITIATED BY", _by),
        Column("HEALTHY", lambda it: it.get("healthyAt", "")),
        Column("INFO", _kept, wide=True),
        Column("UNTIL", lambda it: it.get("deployedUntil", ""), wide=True),
        Column("MANIFESTS", lambda it: it.get("manifestsSha256", ""), wide=True),
    ),
    lambda it: str(it["id"]),
    "Never deployed. `fleet app sync NAME` deploys it.",
)


@app.command(examples=("fleet app history web", "fleet app history web -o json"))
@click.argument("name")
@watch_option()
@output_option()
@click.pass_obj
def history(invocation: Invocation, name: str, watch: bool, output: str) -> None:
    """List what was deployed when, the newest last. The ID is what `fleet app rollback` takes."""
    show_list(
        invocation,
        lambda: invocation.api.items("applications", name, "history")[::-1],
        HISTORY,
        output,
        watch=watch,
    )


def _fields(it: Item) -> str:
    return ", ".join(str(change.get("path", "")) or "the object" for change in it["fields"])


EVENTS = Table(
    "drift",
    (
        Column("FIRST SEEN", lambda it: it["firstSeen"]),
        Column("OBJECT", lambda it: it["object"]),
        Column("FIELDS", _fields),
        Column("WRITTEN BY", lambda it: it["manager"]),
        Column("HEALED", lambda it: it["healedAt"] or ""),
        Column("BY", lambda it: it["healedBy"]),
        Column("CLUSTER", lambda it: it["cluster"], wide=True),
        Column("LAST SEEN", lambda it: it["lastSeen"], wide=True),
    ),
    lambda it: str(it["object"]),
    "No drift was seen.",
    key=lambda it: f"{it['firstSeen']} {it['cluster']} {it['object']}",
)


@app.command(examples=("fleet app events web", "fleet app events web --limit 10"))
@click.argument("name")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most.")
@watch_option()
@output_option()
@click.pass_obj
def events(invocation: Invocation, name: str, limit: int, watch: bool, output: str) -> None:
    """List the drift of an application: which fields, who wrote them, what became of it."""
    show_list(
        invocation,
        lambda: invocation.api.items("applications", name, "events", most=limit),
        EVENTS,
        output,
        watch=watch,
        log=True,
    )
