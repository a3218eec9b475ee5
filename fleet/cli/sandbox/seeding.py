"""Filling a sandbox: the sample repository, and what a user would type to run it everywhere."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import click

from fleet.cli.contexts import contexts_file, load_contexts
from fleet.cli.invocation import Invocation
from fleet.cli.output import styled
from fleet.cli.running import running_address
from fleet.cli.sandbox import sample
from fleet.cli.sandbox.group import sandbox
from fleet.cli.sandbox.place import Place, told, write_private
from fleet.errors import FleetError, NotConverged, Refused

REPOSITORY, PROJECT = "shop", "shop"
POLL_SECONDS = 0.3
INTERVAL = "10s"
SHOWN_BYTES = 20_000  # beyond, what `apply` says about each application is too much to read
SETTLED = ("Synced", "Healthy")
ON_THE_WAY = ("Progressing", "Missing", "Unknown")


@sandbox.command(examples=("fleet sandbox seed", "fleet sandbox seed --timeout 300"))
@click.option(
    "--timeout",
    type=click.IntRange(1),
    default=120,
    show_default=True,
    help="Seconds until all must be Healthy.",
)
@click.pass_obj
def seed(invocation: Invocation, timeout: int) -> None:
    """Run the sample applications on every cluster.

    Writes a git repository below Fleet's home and makes clusters, repository, project and
    applications known to the Fleet that runs, by the commands that are printed. Again, it
    adds what is new. That Fleet has to allow repositories on this machine's disk: start it with
    FLEET_ALLOWED_FILE_ROOTS set to its home.
    """
    from fleet.cli.sandbox.control import running
    from fleet.cli.sandbox.viewing import document_of
    from fleet.source.founding import found_repository

    place = Place(invocation.settings.home)
    with running(place) as control:
        clusters = control.clusters()
    if not clusters:
        raise Refused("the sandbox has no clusters", hint="Add some: fleet sandbox up --clusters 3")
    _refuse_without_fleet(invocation)
    for name in [it["name"] for it in clusters if it["broken"]]:
        click.echo(f"{name} is broken and left out: fleet sandbox heal {name}")
    clusters = [it for it in clusters if not it["broken"]]
    with told(place.folder):
        new = not place.checkout.exists()
        repository = found_repository(sample.shop(), place.checkout, "The shop opens").as_uri()
    if new:
        click.echo(f"A repository to change: {place.checkout}")
    write_private(place.kubeconfig, document_of(clusters) + "\n")
    members = [sample.member(it["name"], it["labels"]) for it in clusters]
    _make_known(invocation, place, clusters, repository, members)
    await_settled(invocation, sample.application_names(members), timeout)


def _refuse_without_fleet(invocation: Invocation) -> None:
    """A command alone can register things, but deploys nothing."""
    from fleet.cli.target import chosen

    configured = chosen(invocation, load_contexts(contexts_file()))
    if configured is None and not running_address(invocation.settings.home):
        raise Refused("no Fleet runs that could deploy anything", hint="Start one: fleet up")


def _make_known(
    invocation: Invocation,
    place: Place,
    clusters: Sequence[Mapping[str, Any]],
    repository: str,
    members: Sequence[sample.Member],
) -> None:
    """Type what is missing. What is there is the user's: it may have been changed since."""
    api, typist = invocation.api, Typist(invocation)
    registered = {it["name"]: it["server"] for it in api.items("clusters")}
    for each in clusters:
        if registered.get(each["name"]) != each["server"]:
            typist.run(*_adding(each, place))
    if repository not in {it["url"] for it in api.items("repositories")}:
        typist.run("repo", "add", repository, "--name", REPOSITORY, "--interval", INTERVAL)
    if PROJECT not in {it["metadata"]["name"] for it in api.items("projects")}:
        typist.run(*_project(repository))
    known = {it["name"] for it in api.items("applications")}
    if documents := sample.applications(members, repository, known):
        write_private(place.applications, documents)
        typist.run("apply", "-f", str(place.applications), quiet=len(documents) > SHOWN_BYTES)


def _adding(cluster: Mapping[str, Any], place: Place) -> list[str]:
    labels = [f"--label={key}={value}" for key, value in sorted(cluster["labels"].items())]
    known = ("--kubeconfig", str(place.kubeconfig), "--context", cluster["name"])
    return ["cluster", "add", cluster["name"], *known, *labels, "--upsert", "--yes"]


def _project(repository: str) -> list[str]:
    destinations = [part for it in sample.NAMESPACES for part in ("--dest", f"*,{it}")]
    allowed = ("--allow-cluster-resource", sample.CLUSTER_RESOURCE)
    return ["proj", "create", PROJECT, "--src", repository, *destinations, *allowed]


class Typist:
    """Types commands as a user would: each is shown, then run."""

    def __init__(self, invocation: Invocation) -> None:
        given = {
            "FLEET_SERVER": invocation.server,
            "FLEET_AUTH_TOKEN": invocation.auth_token,
            "FLEET_CONFIG": invocation.config,
        }
        self._environment = {**os.environ, **{key: it for key, it in given.items() if it}}

    def run(self, *arguments: str, quiet: bool = False) -> None:
        """Run ``fleet`` with these arguments.

        Args:
            quiet: what it prints is shown only when it fails.

        Raises:
            FleetError: it failed; what it said stands above.
        """
        click.echo(styled(f"$ {shlex.join(['fleet', *arguments])}", "bright_white"))
        done = subprocess.run(
            [sys.executable, "-m", "fleet", *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if quiet else None,
            text=True,
            check=False,
        )
        if done.returncode:
            click.echo(done.stdout or "", nl=False)
            raise FleetError(
                f"that command failed with exit code {done.returncode}",
                hint="What it said stands above. `fleet sandbox seed` goes on from here.",
            )


def await_settled(invocation: Invocation, names: Collection[str], timeout: int) -> None:
    """Return when none of these applications is on its way any more, under a bar that counts
    those that are Synced and Healthy; say which are not, and stay so.

    Raises:
        NotConverged: some still are after ``timeout`` seconds; names a few.
    """
    from fleet.cli.progress import bar

    wanted, started = set(names), time.monotonic()
    with bar("Waiting until all is Healthy") as shown:
        while True:
            found = [it for it in invocation.api.items("applications") if it["name"] in wanted]
            rest = [it for it in found if _state(it) != SETTLED]
            left = [it for it in rest if is_moving(it)]
            shown.update(len(found) - len(rest), len(wanted), _told(left))
            if not left:
                break
            if time.monotonic() - started > timeout:
                raise NotConverged(
                    f"after {timeout} s {len(left)} of {len(wanted)} applications are not"
                    f" Healthy: {', '.join(it['name'] for it in left[:5])}",
                    hint=f"`fleet app get {left[0]['name']}` says why.",
                )
            invocation.api.pause(POLL_SECONDS)
    _report(found, rest)


def _report(found: Sequence[Mapping[str, Any]], rest: Sequence[Mapping[str, Any]]) -> None:
    if not rest:
        click.echo(f"All {len(found)} applications are Healthy.")
        return
    click.echo(f"{len(found) - len(rest)} of {len(found)} applications are Healthy, but for:")
    for each in rest:
        click.echo(f"  {each['name']}: {', '.join(_state(each))}")


def _state(application: Mapping[str, Any]) -> tuple[str, str]:
    return application["sync"], application["health"]["status"]


def is_moving(application: Mapping[str, Any]) -> bool:
    """Whether Fleet or the cluster is still at it; what waits for a person is not."""
    sync, health = _state(application)
    automatic = application["syncPolicy"].startswith("Auto")
    return health in ON_THE_WAY or sync == "Unknown" or (sync == "OutOfSync" and automatic)


def _told(left: Sequence[Mapping[str, Any]]) -> str:
    return f"{left[0]['name']}: {left[0]['health']['status']}" if left else "all Healthy"
