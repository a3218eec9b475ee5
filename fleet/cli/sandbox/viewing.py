"""Looking at a sandbox: list, kubeconfig."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from time import sleep
from typing import Any

import click

from fleet.cli.invocation import Invocation
from fleet.cli.options import output_option, watch_option
from fleet.cli.output import Column, Table, pairs_text, to_yaml
from fleet.cli.sandbox.group import sandbox
from fleet.cli.sandbox.names import counted
from fleet.cli.sandbox.place import Place, write_private
from fleet.cli.watching import show_list
from fleet.errors import NotFound

Cluster = Mapping[str, Any]

CLUSTERS = Table(
    "sandbox",
    (
        Column("NAME", lambda it: it["name"]),
        Column("STATE", lambda it: it["broken"] or "Running"),
        Column("LABELS", lambda it: pairs_text(it["labels"])),
        Column("OBJECTS", lambda it: str(it["objects"])),
        Column("SERVER", lambda it: it["server"]),
    ),
    lambda it: str(it["name"]),
    "No clusters. Add some: fleet sandbox up --clusters 3",
)


@sandbox.command("list", examples=("fleet sandbox list", "fleet sandbox list -o name"))
@watch_option()
@output_option()
@click.pass_obj
def list_(invocation: Invocation, watch: bool, output: str) -> None:
    """List the clusters, and which are broken."""
    from fleet.cli.sandbox.control import running

    with running(Place(invocation.settings.home)) as control:

        def ask() -> list[dict[str, Any]]:
            return [{key: it[key] for key in SHOWN} for it in control.clusters()]

        show_list(invocation, ask, CLUSTERS, output, watch=watch, pause=sleep)


#: What a list says; tokens are for ``kubeconfig``.
SHOWN = ("name", "labels", "broken", "objects", "server")


@sandbox.command(
    examples=(
        "fleet sandbox kubeconfig eu-1 > eu-1.yaml",
        "fleet sandbox kubeconfig --write ~/.kube/sandbox",
        "kubectl --kubeconfig <(fleet sandbox kubeconfig eu-1) get pods -A",
    )
)
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "--write", type=click.Path(dir_okay=False, path_type=Path), help="Into this file, mode 0600."
)
@click.pass_obj
def kubeconfig(invocation: Invocation, names: tuple[str, ...], write: Path | None) -> None:
    """Print a kubeconfig with an administrator's token: a context a cluster, of all by default."""
    from fleet.cli.sandbox.control import running

    with running(Place(invocation.settings.home)) as control:
        chosen = choose(control.clusters(), names)
    document = document_of(chosen)
    if write is None:
        click.echo(document)
        return
    write_private(write, document + "\n")
    click.echo(f"{write}: {counted(len(chosen))}")


def choose(clusters: Sequence[Cluster], names: Collection[str]) -> list[Cluster]:
    """Those of these names, in the order of the list; all when none is named.

    Raises:
        NotFound: one is not there; names those that are.
    """
    known = [str(it["name"]) for it in clusters]
    for name in names:
        if name not in known:
            there = ", ".join(known[:10]) + (", …" if len(known) > 10 else "")
            raise NotFound(
                f"no cluster {name!r} in the sandbox; there are: {there or 'none'}",
                hint="`fleet sandbox list` shows all.",
                object=f"Cluster/{name}",
            )
    return [it for it in clusters if not names or it["name"] in names]


def document_of(clusters: Sequence[Cluster]) -> str:
    """A kubeconfig as YAML; the first cluster is the current context."""
    from base64 import b64encode

    return to_yaml(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": clusters[0]["name"] if clusters else "",
            "clusters": [
                {
                    "name": it["name"],
                    "cluster": {
                        "server": it["server"],
                        "certificate-authority-data": b64encode(it["ca"].encode()).decode(),
                    },
                }
                for it in clusters
            ],
            "users": [{"name": it["name"], "user": {"token": it["token"]}} for it in clusters],
            "contexts": [
                {"name": it["name"], "context": {"cluster": it["name"], "user": it["name"]}}
                for it in clusters
            ],
        }
    )
