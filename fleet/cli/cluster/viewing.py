"""Looking at clusters: list, get, test."""

from __future__ import annotations

import click

from fleet.cli.cluster.group import cluster
from fleet.cli.invocation import Invocation
from fleet.cli.options import output_option, selector_option, watch_option
from fleet.cli.output import Column, Item, Table, page_of, pairs_text, show_item
from fleet.cli.times import age
from fleet.cli.watching import show_list


def _status(it: Item) -> str:
    if it["identityChanged"]:
        return "IdentityChanged"
    if it["unserved"]:
        return "NoWorker"
    return "Paused" if it["paused"] else str(it["connectionState"]["status"])


def _seen(it: Item) -> str:
    return f"{age(it['lastSeenAt'])} ago" if it["lastSeenAt"] else "never"


def _workers(it: Item) -> str:
    """Who serves it, of those that live."""
    crew = it["workers"]
    if crew is None:
        return "none: it is reserved, and no live worker selects it" if it["unserved"] else "none"
    return f"{crew['live']}" + (f", which select {crew['selector']}" if crew["selector"] else "")


CLUSTERS = Table(
    "cluster",
    (
        Column("NAME", lambda it: it["name"]),
        Column("SERVER", lambda it: it["server"]),
        Column("VERSION", lambda it: it["version"]),
        Column("STATUS", _status),
        Column("APPS", lambda it: str(it["applications"])),
        Column("LAST SEEN", _seen),
        Column("PROJECT", lambda it: it["project"], wide=True),
        Column("AUTH", lambda it: it["auth"], wide=True),
        Column("LABELS", lambda it: pairs_text(it["labels"]), wide=True),
        Column("MESSAGE", lambda it: it["connectionState"]["message"], wide=True),
    ),
    lambda it: str(it["name"]),
    "No clusters. Add one with `fleet cluster add NAME --context CONTEXT`.",
)


@cluster.command(
    "list",
    examples=(
        "fleet cluster list",
        "fleet cluster list -l env=prod -o wide",
        "fleet cluster list -w",
    ),
)
@selector_option("clusters")
@click.option("--project", default="", help="Only clusters of this project.")
@click.option("--name", default="", help="Only clusters with this in their name.")
@click.option(
    "--status", type=click.Choice(["Successful", "Failed", "Unknown"]), help="Only in this state."
)
@watch_option()
@output_option()
@click.pass_obj
def list_(invocation: Invocation, /, watch: bool, output: str, **wanted: str) -> None:
    """List clusters and whether they answer."""
    show_list(
        invocation,
        lambda: invocation.api.items("clusters", query=wanted),
        CLUSTERS,
        output,
        watch=watch,
    )


@cluster.command(examples=("fleet cluster get eu-1", "fleet cluster get eu-1 -o yaml"))
@click.argument("name")
@output_option()
@click.pass_obj
def get(invocation: Invocation, name: str, output: str) -> None:
    """Show one cluster: how it is reached, what it is, how it does."""
    show_item(invocation.api.get("clusters", name), CLUSTERS, output, page)


def page(it: Item) -> str:
    state, managed, pause = it["connectionState"], it["managedAuth"] or {}, it["pause"] or {}
    account = f"{managed.get('namespace')}/{managed.get('serviceAccount')}"
    pairs = [
        ("Name", it["name"]),
        ("Server", it["server"]),
        ("TLS", "NOT VERIFIED (insecure)" if it["insecure"] else ""),
        ("Status", _status(it)),
        ("Message", state["message"]),
        ("Last seen", f"{it['lastSeenAt']} ({_seen(it)})" if it["lastSeenAt"] else "never"),
        ("Reserved", "for workers that select it" if it["reserved"] else ""),
        ("Workers", _workers(it)),
        ("Version", it["version"]),
        ("Identity", it["uid"]),
        ("Paused", f"{pause.get('reason')} (by {pause.get('by')})" if pause else ""),
        ("Paused until", pause.get("until") or ""),
        ("Credentials", it["auth"]),
        ("ServiceAccount", account if managed else ""),
        ("Token expires", managed.get("expiresAt") or ""),
        ("Project", it["project"]),
        ("Namespaces", ", ".join(it["namespaces"]) or "all"),
        ("Labels", "\n".join(f"{k}={v}" for k, v in it["labels"].items())),
        ("Annotations", "\n".join(f"{k}={v}" for k, v in it["annotations"].items())),
        ("Applications", str(it["applications"])),
    ]
    return page_of(pairs)


@cluster.command(examples=("fleet cluster test eu-1",))
@click.argument("name")
@output_option("table", "json", "yaml")
@click.pass_obj
def test(invocation: Invocation, name: str, output: str) -> None:
    """Ask a cluster now whether it answers. Exits 4 when it cannot be reached."""
    found = invocation.api.post("clusters", name, "test")

    def line(it: Item) -> str:
        return f"cluster/{name} answers: {it['version']}, in {it['seconds']:.2f} s"

    show_item(found, CLUSTERS, output, line)
