"""``fleet up``: everything in one process tree."""

from __future__ import annotations

import click

from fleet import __version__
from fleet.cli.command import Command
from fleet.cli.invocation import Invocation
from fleet.errors import SettingsInvalid


@click.command(
    cls=Command,
    examples=(
        "fleet up",
        "fleet up --host 0.0.0.0 --port 9000",
        "FLEET_DATABASE_URL=postgresql://fleet@db/fleet fleet up",
    ),
)
@click.option("--host", metavar="ADDRESS", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on.  [default: 8080]")
@click.pass_obj
def up(invocation: Invocation, host: str | None, port: int | None) -> None:
    """Run everything in one process.

    Starts PostgreSQL (unless FLEET_DATABASE_URL names one), brings the schema up to date, and
    runs the API, the leader and a worker until it is interrupted. The first start makes an
    administrator, whose token is written to admin.token in Fleet's home.
    """
    import uvloop

    from fleet.api.serving import refuse_taken
    from fleet.cli import serving
    from fleet.cli.running import sole_fleet
    from fleet.logs import set_up_logs

    settings = invocation.settings_with({"host": host, "port": port})
    set_up_logs(level=settings.log_level, style=settings.log_format)
    if settings.worker_select:
        raise SettingsInvalid(
            "worker_select: `fleet up` serves every cluster, and asks the repositories",
            hint="Take it away here, and run `fleet worker --select` beside this one.",
        )
    with sole_fleet(settings.home) as announce:
        # told before a database is made for a server that nobody could reach
        refuse_taken(settings.host, settings.port)
        with serving.databases(settings) as urls:

            def ready(address: str) -> None:
                announce(address)
                click.echo(f"Fleet {__version__} is up: {address}")
                click.echo(f"  home      {settings.home}")
                click.echo(f"  admin     {settings.home / serving.ADMIN_FILE}")
                click.echo(
                    f"  database  {'embedded' if settings.database_url is None else 'yours'}"
                )

            serving.migrate(urls)
            uvloop.run(
                serving.run_parts(settings, urls, api=True, leader=True, worker=True, ready=ready)
            )
