"""The API mounted in this process, on the configured database or on our own."""

from __future__ import annotations

import asyncio
import logging
import os
import pwd
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager

import click
import httpx

from fleet.api import create_app
from fleet.cli import serving
from fleet.cli.client import Api
from fleet.cli.failures import DEBUG
from fleet.logs import set_up_logs
from fleet.model.scope import Actor
from fleet.operations.opening import open_runtime
from fleet.settings import Settings

POOL_SIZE = 4


def local_actor() -> Actor:
    """Who calls where there is nothing to sign in to: whoever runs the program, named."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name  # not by variables, which say what they are told
    except KeyError:
        user = str(os.getuid())
    return Actor(f"local:{user}", role="admin")


@contextmanager
def mounted(settings: Settings) -> Iterator[Api]:
    """Start the database if need be, bring its schema up to date, and answer calls.

    Raises:
        RegistryUnavailable: the configured database does not answer.
        SchemaMismatch: a newer Fleet wrote it.
        Refused: our own database is starting or stopping in another process.
    """
    _quiet_logs(settings)
    with _database(settings) as urls, asyncio.Runner() as runner:
        serving.migrate(urls)
        stack = AsyncExitStack()
        try:
            opening = open_runtime(
                settings, urls.application, name="fleet cli", pool_size=POOL_SIZE
            )
            runtime = runner.run(stack.enter_async_context(opening))
            app = create_app(runtime, local=local_actor())
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
            http = httpx.AsyncClient(transport=transport, base_url="http://fleet")
            runner.run(stack.enter_async_context(http))
            yield Api(runner, http, "Fleet", local=True)
        finally:
            runner.run(stack.aclose())


@contextmanager
def _database(settings: Settings) -> Iterator[serving.Databases]:
    ours = settings.database_url is None and serving.running_databases(settings) is None
    if ours:
        click.echo(
            "No server is running; using the database of this home for this one command.", err=True
        )
    with serving.databases(settings) as urls:
        yield urls


def _quiet_logs(settings: Settings) -> None:
    """Failures are told by the command; the log is for who debugs it."""
    if os.environ.get(DEBUG):
        set_up_logs(level=settings.log_level, style=settings.log_format)
    else:
        logging.getLogger().handlers[:] = [logging.NullHandler()]
