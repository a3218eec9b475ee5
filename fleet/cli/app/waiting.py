"""Waiting until an application is what it should be, and saying what it still waits for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import click

from fleet.cli.app.convergence import Wanted, arrived, outstanding, stale
from fleet.cli.app.group import app, chosen_names
from fleet.cli.app.objects import METAVAR, object_pattern
from fleet.cli.app.page import operation_kind, page
from fleet.cli.invocation import Invocation
from fleet.cli.options import output_option, selector_option
from fleet.cli.output import printable, show_documents, word
from fleet.cli.progress import bar, spinner
from fleet.errors import FleetError, NotConverged, NotFound, UsageError

POLL_SECONDS = 0.5
REFRESH_SECONDS = 60.0
#: Flag → the health that it waits for; several flags: any of them.
HEALTHS = {"health": "Healthy", "suspended": "Suspended", "degraded": "Degraded"}


class Patience:
    """Until when to wait. ``seconds`` 0 is for as long as it takes."""

    def __init__(self, seconds: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends = clock() + seconds if seconds else None

    @property
    def over(self) -> bool:
        return self._ends is not None and self._clock() >= self._ends


def await_application(
    invocation: Invocation, name: str, wanted: Wanted, patience: Patience
) -> Mapping[str, Any]:
    """The application once it converged; prints each change of what is waited for.

    Raises:
        NotConverged: time is up, or nothing is known of it any more.
    """
    told: list[str] = []
    with bar(f"Waiting for {name}") as shown:
        while True:
            document: Mapping[str, Any] = invocation.api.get("applications", name)
            since = stale(document)
            if since:
                raise NotConverged(
                    f"Application/{name}: Unknown: its cluster was not read since {since}",
                    hint="`fleet cluster list` shows which does not answer, and why.",
                    object=f"Application/{name}",
                )
            left = outstanding(document, wanted)
            shown.update(*arrived(document, wanted), f"{name}: {left[0] if left else 'there'}")
            if not left:
                return document
            if left != told:
                for line in left:
                    if line not in told:
                        shown.tell(printable(f"{name}: {line}"), err=True)
                told = left
            if patience.over:
                raise NotConverged(
                    f"Application/{name}: did not converge in time: {'; '.join(left)}",
                    hint=f"`fleet app get {name}` shows more.",
                    object=f"Application/{name}",
                )
            invocation.api.pause(POLL_SECONDS)


def why_not_gone(document: Mapping[str, Any]) -> str:
    """What the deletion of an application waits for, as far as it is known."""
    status = document.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition["type"] == "DeletionError":
            return str(condition["message"])
    state = status.get("operationState") or {}
    return str(state.get("message") or "its cluster was not looked at since; `fleet cluster list`")


def await_gone(invocation: Invocation, name: str, patience: Patience) -> None:
    """Return when there is no such application any more.

    Raises:
        FleetError: it could not be deleted.
        NotConverged: time is up.
    """
    with spinner(f"Deleting {name}") as say:
        while True:
            try:
                document = invocation.api.get("applications", name)
            except NotFound:
                return
            state = (document.get("status") or {}).get("operationState") or {}
            message = why_not_gone(document)
            if operation_kind(state) == "delete" and state.get("phase") in ("Failed", "Error"):
                raise FleetError(f"Application/{name}: could not be deleted: {message}")
            if patience.over:
                raise NotConverged(
                    f"Application/{name}: is not gone yet: {message}", object=f"Application/{name}"
                )
            say(f"Deleting {name}: {message}")
            invocation.api.pause(POLL_SECONDS)


def _wanted(flags: Mapping[str, Any]) -> Wanted:
    """What the flags ask for; without any, all that is usual.

    Raises:
        UsageError: --delete with something else, or no object.
    """
    objects = tuple(object_pattern(text) for text in flags["resources"])
    health = frozenset(state for flag, state in HEALTHS.items() if flags[flag])
    asked = bool(health or flags["sync"] or flags["operation"] or flags["hydrated"])
    if flags["gone"] and (asked or objects):
        raise UsageError("--delete excludes what else could be waited for")
    if not asked:
        healthy = frozenset({"Healthy"})
        # of single objects, an operation says nothing
        return Wanted(sync=True, health=healthy, operation=not objects, objects=objects)
    return Wanted(flags["sync"], health, flags["operation"], flags["hydrated"], objects)


@app.command(
    examples=(
        "fleet app wait web --sync --health --timeout 60",
        "fleet app wait web api --operation",
        "fleet app wait web --resource apps:Deployment:shop/web --health",
        "fleet app wait -l team=web",
    )
)
@click.argument("names", nargs=-1, metavar="NAME...")
@selector_option("applications")
@click.option("--sync", is_flag=True, help="Until it is Synced.")
@click.option("--health", is_flag=True, help="Until it is Healthy.")
@click.option("--suspended", is_flag=True, help="Until it is Suspended, or what else is allowed.")
@click.option("--degraded", is_flag=True, help="Until it is Degraded, or what else is allowed.")
@click.option("--operation", is_flag=True, help="Until no operation runs.")
@click.option("--hydrated", is_flag=True, help="Until its dry source is on its branch.")
@click.option("--delete", "gone", is_flag=True, help="Until it is gone.")
@click.option(
    "--resource",
    "resources",
    multiple=True,
    metavar=METAVAR,
    help="Only look at this object; * stands for anything, ! excludes; repeatable.",
)
@click.option("--timeout", type=click.IntRange(0), default=0, help="Seconds; 0 waits on.")
@output_option("table", "wide", "json", "yaml", "name")
@click.pass_obj
def wait(
    invocation: Invocation,
    /,
    names: tuple[str, ...],
    selector: str,
    timeout: int,
    output: str,
    **flags: Any,
) -> None:
    """Wait until applications are synced and healthy (or what the flags say).

    Says what it waits for. Exits 1 when the time is up, and at once when an application is
    Unknown because its cluster was not read.
    """
    wanted, patience = _wanted(flags), Patience(timeout)
    asked = chosen_names(invocation, names, selector)
    if flags["gone"]:
        for name in asked:
            await_gone(invocation, name, patience)
            click.echo(f"application/{name} deleted", err=output in ("json", "yaml"))
        return
    found = [await_application(invocation, name, wanted, patience) for name in asked]
    if output in ("json", "yaml"):
        show_documents(found, output, many=len(names) != 1)
        return
    for document in found:
        _show_converged(document, output)


def _show_converged(document: Mapping[str, Any], output: str) -> None:
    name, status = document["metadata"]["name"], document.get("status") or {}
    if output == "name":
        click.echo(f"application/{name}")
    elif output == "wide":
        click.echo(page(document))
    else:
        sync = (status.get("sync") or {}).get("status", "Unknown")
        health = (status.get("health") or {}).get("status", "Unknown")
        click.echo(f"application/{name} {word(sync)} {word(health)}")


def refreshed(invocation: Invocation, name: str, *, hard: bool) -> Mapping[str, Any]:
    """The application after a new look at Git and at its cluster.

    Raises:
        NotConverged: nobody looked within a minute.
        NoWorker: nobody would.
    """
    invocation.api.post("applications", name, "refresh", body={"hard": hard})
    patience = Patience(int(REFRESH_SECONDS))
    with spinner(f"Refreshing {name}"):
        while True:
            document: Mapping[str, Any] = invocation.api.get("applications", name)
            if not (document.get("status") or {}).get("refreshing"):
                return document
            if patience.over:
                raise NotConverged(
                    f"Application/{name}: was not compared again within {REFRESH_SECONDS:.0f} s",
                    hint="`fleet cluster list` shows whether its cluster answers.",
                    object=f"Application/{name}",
                )
            invocation.api.pause(POLL_SECONDS)
