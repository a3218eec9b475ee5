"""Waiting until an application is what it should be, and saying what it still waits for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from fleet.cli.app.group import app, chosen_names
from fleet.cli.app.page import object_name, page
from fleet.cli.invocation import Invocation
from fleet.cli.options import output_option, selector_option
from fleet.cli.output import printable, to_json, to_yaml, word
from fleet.cli.progress import spinner
from fleet.errors import NotConverged

POLL_SECONDS = 0.5
REFRESH_SECONDS = 60.0
FINAL = ("Succeeded", "Failed", "Error")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What has to hold."""

    sync: bool
    health: bool
    operation: bool


def outstanding(document: Mapping[str, Any], wanted: Wanted) -> list[str]:
    """What an application is still waited for: which object, and why. Empty: converged."""
    status = document.get("status") or {}
    found: list[str] = []
    operation = status.get("operationState") or {}
    if wanted.operation and operation and operation.get("phase") not in FINAL:
        message = operation.get("message", "")
        found.append(f"operation {operation.get('phase')}: {message}".rstrip(": "))
    sync = (status.get("sync") or {}).get("status", "Unknown")
    health = (status.get("health") or {}).get("status", "Unknown")
    if wanted.sync and sync != "Synced":
        found += list(_unsynced(status)) or [f"sync status is {sync}"]
    if wanted.health and health != "Healthy":
        found += list(_unhealthy(status)) or [f"health is {health}"]
    if (wanted.sync or wanted.health) and status.get("pending") and not found:
        found.append("what was changed or asked for last was not compared yet")
    elif found:
        found += [
            f"{condition['type']}: {condition.get('message', '')}"
            for condition in status.get("conditions") or ()
        ]
    return found


def _unsynced(status: Mapping[str, Any]) -> Iterator[str]:
    for resource in status.get("resources") or ():
        if resource.get("status") not in ("Synced", None):
            yield _about(resource, resource["status"], resource.get("message", ""))


def _unhealthy(status: Mapping[str, Any]) -> Iterator[str]:
    for resource in status.get("resources") or ():
        health = resource.get("health") or {}
        if health.get("status") not in ("Healthy", None):
            yield _about(resource, health["status"], health.get("message", ""))


def _about(resource: Mapping[str, Any], state: str, message: str) -> str:
    return f"{object_name(resource)} is {state}" + (f": {message}" if message else "")


def stale(document: Mapping[str, Any]) -> str:
    """Since when nothing is known of the application; "" while it is."""
    return str((document.get("status") or {}).get("staleSince") or "")


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
    with spinner(f"Waiting for {name}") as say:
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
            if not left:
                return document
            if left != told:
                _tell(name, left, told)
                say(f"Waiting for {name}: {left[0]}")
                told = left
            if patience.over:
                raise NotConverged(
                    f"Application/{name}: did not converge in time: {'; '.join(left)}",
                    hint=f"`fleet app get {name}` shows more.",
                    object=f"Application/{name}",
                )
            invocation.api.pause(POLL_SECONDS)


def _tell(name: str, left: Sequence[str], told: Sequence[str]) -> None:
    for line in left:
        if line not in told:
            click.echo(printable(f"{name}: {line}"), err=True)


@app.command(
    examples=(
        "fleet app wait web --sync --health --timeout 60",
        "fleet app wait web api --operation",
        "fleet app wait -l team=web",
    )
)
@click.argument("names", nargs=-1, metavar="NAME...")
@selector_option("applications")
@click.option("--sync", is_flag=True, help="Until it is Synced.")
@click.option("--health", is_flag=True, help="Until it is Healthy.")
@click.option("--operation", is_flag=True, help="Until no operation runs.")
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
    **flags: bool,
) -> None:
    """Wait until applications are synced and healthy (or what the flags say).

    Says what it waits for. Exits 1 when the time is up, and at once when an application is
    Unknown because its cluster was not read.
    """
    either = any(flags.values())
    wanted = Wanted(**flags) if either else Wanted(sync=True, health=True, operation=True)
    patience = Patience(timeout)
    found = [
        await_application(invocation, name, wanted, patience)
        for name in chosen_names(invocation, names, selector)
    ]
    if output in ("json", "yaml"):
        shown: Any = found[0] if len(found) == 1 else found
        click.echo(to_json(shown) if output == "json" else to_yaml(shown))
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
