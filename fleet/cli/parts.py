"""Parts of Fleet on their own: they share nothing but PostgreSQL."""

from __future__ import annotations

import click

from fleet.cli.command import Command, Group
from fleet.cli.invocation import Invocation
from fleet.cli.options import output_option, watch_option
from fleet.cli.output import Column, Table
from fleet.cli.times import age
from fleet.cli.watching import show_list
from fleet.errors import UsageError
from fleet.model.selectors import parse_selector
from fleet.settings import Settings


def _run(
    settings: Settings, *, api: bool = False, leader: bool = False, worker: bool = False
) -> None:
    """Run one part until a signal. The schema is not touched: `fleet db upgrade` is for that."""
    import uvloop

    from fleet.cli import serving
    from fleet.logs import set_up_logs

    set_up_logs(level=settings.log_level, style=settings.log_format)
    urls = serving.external_databases(settings) or serving.running_databases(settings)
    if urls is None:
        raise UsageError(
            "there is no database to work with",
            hint="Set FLEET_DATABASE_URL to a PostgreSQL server; or run `fleet up`, which brings"
            " its own.",
        )

    def ready(address: str) -> None:
        click.echo(f"ready{': ' + address if address else ''}", err=True)

    uvloop.run(
        serving.run_parts(settings, urls, api=api, leader=leader, worker=worker, ready=ready)
    )


@click.command(cls=Command, examples=("fleet api --host 0.0.0.0 --port 8080",))
@click.option("--host", metavar="ADDRESS", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on.  [default: 8080]")
@click.pass_obj
def api(invocation: Invocation, host: str | None, port: int | None) -> None:
    """Run the API alone.

    Any number may run on one database. Somewhere a leader (`fleet daemon`) and a worker
    (`fleet worker`) have to run too, or nothing is ever deployed.
    """
    _run(invocation.settings_with({"host": host, "port": port}), api=True)


@click.command(
    cls=Command,
    examples=(
        "fleet worker",
        "fleet worker --concurrency 32",
        "fleet worker --select region=eu",
        "fleet worker --select 'region in (eu,us),!edge'",
    ),
)
@click.option("--concurrency", type=click.IntRange(1), help="Jobs side by side.  [default: 128]")
@click.option("--select", metavar="SELECTOR", help="Serve only the clusters with these labels.")
@click.pass_obj
def worker(invocation: Invocation, concurrency: int | None, select: str | None) -> None:
    """Run a worker alone.

    Any number may run, on any machine that reaches the database, the repositories and the
    clusters.

    With --select it serves the clusters with these labels, and other workers leave them to it
    while it lives. It needs to reach the database and those clusters only: repositories are
    asked by workers without --select, of which there has to be one. A cluster with the annotation
    fleet.dev/reserved=true is never tried by a worker that does not select it.
    """
    wanted = {"worker_concurrency": concurrency, "worker_select": select}
    settings = invocation.settings_with(wanted)
    parse_selector(settings.worker_select)  # told before anything is opened
    _run(settings, worker=True)


@click.group(cls=Group, invoke_without_command=True, examples=("fleet daemon", "fleet daemon jobs"))
@click.pass_context
def daemon(ctx: click.Context) -> None:
    """Run the leader alone.

    Any number may run on one database: one leads, the others stand by and take over within
    seconds.
    """
    if ctx.invoked_subcommand is None:
        _run(ctx.ensure_object(Invocation).settings, leader=True)


JOBS = Table(
    "job",
    (
        Column("JOB", lambda job: job["name"]),
        Column(
            "EVERY", lambda job: f"{job['intervalSeconds']}s" if job["intervalSeconds"] else "once"
        ),
        Column("NEXT", lambda job: "paused" if job["paused"] else _until(job["nextRunAt"])),
        Column("LAST", lambda job: _ago(job["lastRunAt"])),
        Column("KEY", lambda job: job["key"], wide=True),
    ),
    lambda job: str(job["name"]),
    "No jobs. Register a cluster with `fleet cluster add`; a leader (`fleet up`) schedules it.",
    key=lambda job: str(job["key"]),
)


def _until(moment: str | None) -> str:
    return f"in {age(moment)}" if moment else ""


def _ago(moment: str | None) -> str:
    return f"{age(moment)} ago" if moment else ""


@daemon.command(examples=("fleet daemon jobs", "fleet daemon jobs -o json"))
@watch_option()
@output_option()
@click.pass_obj
def jobs(invocation: Invocation, watch: bool, output: str) -> None:
    """Show what the leader has scheduled: next and last run of each job."""
    show_list(invocation, lambda: invocation.api.items("jobs"), JOBS, output, watch=watch)


WORKERS = Table(
    "worker",
    (
        Column("WORKER", lambda it: it["holder"] or str(it["id"])),
        Column("SELECT", lambda it: it["selector"]),
        Column("STATE", lambda it: "live" if it["live"] else "gone"),
        Column("LAST SIGN", lambda it: _ago(it["lastSeenAt"])),
        Column("ID", lambda it: str(it["id"]), wide=True),
    ),
    lambda it: str(it["id"]),
    "No workers. `fleet up` runs one; `fleet worker` is one.",
)


@daemon.command(examples=("fleet daemon workers", "fleet daemon workers -o json"))
@watch_option()
@output_option()
@click.pass_obj
def workers(invocation: Invocation, watch: bool, output: str) -> None:
    """Show the workers: where each runs, which clusters it selects, whether it lives."""
    show_list(invocation, lambda: invocation.api.items("workers"), WORKERS, output, watch=watch)
