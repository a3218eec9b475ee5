"""Starting and stopping a sandbox: up, down."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

import click

from fleet.cli.asking import confirm
from fleet.cli.invocation import Invocation
from fleet.cli.options import Pairs, mapping_of, yes_option
from fleet.cli.running import end, sole
from fleet.cli.sandbox.group import sandbox
from fleet.cli.sandbox.names import counted, missing
from fleet.cli.sandbox.place import COMMAND, Place, told
from fleet.errors import FleetError, Refused

PORT = 16443
CLUSTERS = 3
STOP_SECONDS = 30


@sandbox.command(
    examples=(
        "fleet sandbox up",
        "fleet sandbox up --clusters 10 --label team=shop",
        "fleet sandbox up --port 7443 --foreground",
    )
)
@click.option(
    "--clusters",
    type=click.IntRange(1, 5000),
    help=f"Have at least so many.  [default: as last time, or {CLUSTERS}]",
)
@click.option(
    "--label", "labels", type=Pairs(), multiple=True, help="Label of those added; repeatable."
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help=f"Port to listen on.  [default: as last time, or {PORT}]",
)
@click.option("--foreground", is_flag=True, help="Serve in this process, until interrupted.")
@click.pass_obj
def up(
    invocation: Invocation,
    clusters: int | None,
    labels: tuple[tuple[str, str], ...],
    port: int | None,
    foreground: bool,
) -> None:
    """Start the clusters, in the background.

    They are called eu-1, us-2, ap-3 and so on, with the labels region and env. What is in them
    is kept below Fleet's home: started again, they go on where they were. While they run, it
    adds clusters.
    """
    place = Place(invocation.settings.home)
    wanted = Wanted(clusters, mapping_of(labels), port)
    if foreground:
        _serve(place, wanted)
        return
    place.make()
    found = place.holder()
    if found is None:
        address = _start(place, wanted)
    elif not found.address:
        raise Refused(
            f"{place.folder}: a `{COMMAND}` is starting already (process {found.pid})",
            hint="Wait for it, or end it with `fleet sandbox down`.",
        )
    else:
        address = found.address
        _refuse_other_port(address, port)
    _report(place, wanted, address, was_there=found is not None)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What ``up`` was asked for; None is what there is, or the usual."""

    clusters: int | None
    labels: dict[str, str]
    port: int | None


def _refuse_other_port(address: str, port: int | None) -> None:
    if port is not None and urlsplit(address).port != port:
        raise Refused(
            f"the sandbox runs at {address} already",
            hint="`fleet sandbox down` first; then `up --port` moves it, and clusters that Fleet"
            " knows have to be added again.",
        )


def _start(place: Place, wanted: Wanted) -> str:
    from fleet.cli.progress import bar
    from fleet.cli.sandbox.detached import start

    arguments = ["sandbox", "up", "--foreground"]
    if wanted.clusters is not None:
        arguments.append(f"--clusters={wanted.clusters}")
    if wanted.port is not None:
        arguments.append(f"--port={wanted.port}")
    arguments += [f"--label={key}={value}" for key, value in wanted.labels.items()]
    with bar("Starting clusters") as shown, told(place.folder):
        return start(arguments, place.log, shown, "Starting clusters")


def _report(place: Place, wanted: Wanted, address: str, *, was_there: bool) -> None:
    """Add what is missing to a sandbox that ran already; say what there is now."""
    from fleet.cli.sandbox.control import opened

    with opened(place) as control:
        known = [it["name"] for it in control.clusters()]
        new = list(missing(wanted.clusters or 0, known, wanted.labels)) if was_there else []
        if new:
            control.add([{"name": name, "labels": labels} for name, labels in new])
    count = len(known) + len(new)
    added = f", {len(new)} of them new" if new else ""
    state = "runs already" if was_there else "is up"
    click.echo(f"The sandbox {state}: {counted(count)}{added}, at {address}")
    click.echo("  see them   fleet sandbox list")
    click.echo("  use one    fleet sandbox kubeconfig NAME")
    click.echo("  fill them  fleet sandbox seed")
    click.echo("  end them   fleet sandbox down")


def _serve(place: Place, wanted: Wanted) -> None:
    """Be the process that serves."""
    import asyncio

    from fleet.cli.sandbox.detached import telling
    from fleet.cli.sandbox.endpoint import read_endpoint

    with telling() as teller, told(place.folder):
        from fleet.cli.sandbox.serving import serve  # what fails in there is told, too

        place.make()
        with sole(place.address_file, COMMAND) as announce:

            def ready(address: str, count: int) -> None:
                announce(address)
                if not teller.heard:
                    click.echo(f"The sandbox is up: {counted(count)}, at {address}")
                teller.ready(address)

            def choose(known: Collection[str]) -> list[tuple[str, dict[str, str]]]:
                count = wanted.clusters or (0 if known else CLUSTERS)
                return list(missing(count, known, wanted.labels))

            kept = read_endpoint(place)
            port = wanted.port or (kept.port if kept else PORT)
            asyncio.run(serve(place, port, choose, progress=teller.progress, ready=ready))


@sandbox.command(examples=("fleet sandbox down", "fleet sandbox down --delete -y"))
@click.option("--delete", is_flag=True, help="Remove the clusters and the sample repository, too.")
@yes_option("Delete without asking.")
@click.pass_obj
def down(invocation: Invocation, delete: bool, yes: bool) -> None:
    """Stop the clusters. What is in them is kept for the next start, unless it is deleted."""
    place = Place(invocation.settings.home)
    if delete and place.folder.exists():
        confirm(f"Delete the sandbox in {place.folder}?", yes=yes)
    stopped = _stop(place)
    click.echo("The sandbox is stopped." if stopped else "No sandbox runs.")
    if delete and place.folder.exists():
        with told(place.folder):
            shutil.rmtree(place.folder)
        click.echo(f"Removed {place.folder}")


def _stop(place: Place) -> bool:
    """Ask the process to end and wait until it has; False when there is none.

    Raises:
        FleetError: it does not end.
    """
    found = place.holder()
    if found is None or not found.pid:
        return False
    if not end(found.pid, STOP_SECONDS):
        raise FleetError(
            f"the sandbox (process {found.pid}) does not end",
            hint=f"`kill -KILL {found.pid}` ends it; what it kept last is still there.",
        )
    return True
