"""The worker: takes wake-ups from the queue and runs the operation they name.

One job a cluster or repository at a time (the queue's lock); the job's number is the epoch
that its writes check, because it only grows. A job that fails is not tried again by the
queue: the rows say what is left to do, and the next wake-up finds it.

A worker that selects clusters takes jobs of their queue only, so it neither polls repositories
nor does what has to do with no cluster (``registry.routing``).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from uuid import UUID

from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.exceptions import ConnectorException

from fleet import metrics
from fleet.daemon.jobs import Jobs
from fleet.errors import FleetError, RegistryUnavailable
from fleet.logs import fields
from fleet.model.ids import ClusterId, PlannedSyncId, ProjectId, RepositoryId
from fleet.operations.desiring import poll_repository, sweep
from fleet.operations.openings import open_windows
from fleet.operations.passes import reconcile_cluster
from fleet.operations.planned import start_planned
from fleet.operations.renewing import renew_token_of, renew_tokens
from fleet.operations.retiring import drop_old_history
from fleet.operations.runtime import Runtime
from fleet.registry import routing
from fleet.registry.faults import translated

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 2.0
#: New jobs are announced; one announced while the worker is asking is found by this.
POLLING_SECONDS = 1.0
#: Polls side by side: each may run git, while a pass that waits for a cluster costs nothing.
POLLS = 16
#: After SIGTERM a pass may finish what it has in hand; then it is cut off.
GRACE_SECONDS = 20.0
#: A cache is a machine's own, so every worker looks after the one beside it.
TIDY_SECONDS = 3600.0
#: Between attempts to reach a PostgreSQL that is away.
REOPEN_SECONDS = 2.0


def queue_app(runtime: Runtime, holder: str = "") -> App:
    """The queue with our tasks, named as ``registry.queue`` enqueues them."""
    connector = PsycopgConnector(conninfo=runtime.db.conninfo().reveal(), max_size=4)
    app = App(connector=connector)
    app.job_manager = Jobs(connector, runtime, holder)

    async def run(what: str, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
            metrics.JOBS.labels(what.partition(":")[0], "done").inc()
        except FleetError as error:
            metrics.JOBS.labels(what.partition(":")[0], error.type).inc()
            log.warning("%s", error.message, extra=fields(job=what, error=error.type))
        except Exception:
            # a bug: the traceback is logged, the worker lives on, the rows stay as they are
            metrics.JOBS.labels(what.partition(":")[0], "bug").inc()
            log.exception("a job failed in a way it should not", extra=fields(job=what))

    @app.task(name="reconcile", pass_context=True)
    async def reconcile(context: JobContext, key: str) -> None:
        epoch = context.job.id or 0
        await run(
            f"reconcile:{key}", lambda: reconcile_cluster(runtime, ClusterId(UUID(key)), epoch)
        )

    polls = asyncio.Semaphore(POLLS)

    @app.task(name="poll")
    async def poll(key: str) -> None:
        async with polls:
            await run(f"poll:{key}", lambda: poll_repository(runtime, RepositoryId(UUID(key))))

    @app.task(name="window")
    async def window(key: str) -> None:
        await run(f"window:{key}", lambda: open_windows(runtime, ProjectId(UUID(key))))

    @app.task(name="planned")
    async def planned(key: str) -> None:
        await run(f"planned:{key}", lambda: start_planned(runtime, PlannedSyncId(UUID(key))))

    @app.task(name="renew")
    async def renew(key: str) -> None:
        await run(f"renew:{key}", lambda: renew_tokens(runtime))

    @app.task(name="token")
    async def token(key: str) -> None:
        await run(f"token:{key}", lambda: renew_token_of(runtime, ClusterId(UUID(key))))

    @app.task(name="retain")
    async def retain(key: str) -> None:
        await run(f"retain:{key}", lambda: drop_old_history(runtime))

    return app


async def run_worker(runtime: Runtime, stop: asyncio.Event, holder: str = "") -> None:
    """Work until ``stop`` is set, then finish the jobs in hand and return.

    While PostgreSQL is away nothing is taken; the queue is opened anew once it is back.

    Args:
        holder: names this process to people, as in leases.
    """
    tidying = asyncio.create_task(_tidy(runtime))
    try:
        while not stop.is_set():
            try:
                await _work(runtime, stop, holder)
            except (ConnectorException, RegistryUnavailable) as error:
                log.warning("the queue cannot be reached", extra=fields(why=_cause(error)))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), REOPEN_SECONDS)
    finally:
        tidying.cancel()
        await asyncio.gather(tidying, return_exceptions=True)


async def _tidy(runtime: Runtime) -> None:
    while True:
        try:
            await sweep(runtime)
        except (FleetError, OSError) as error:
            log.warning("the cache of repositories was not tidied", extra=fields(why=error))
        await asyncio.sleep(TIDY_SECONDS)


def _cause(error: Exception) -> BaseException:
    """What procrastinate wraps says more than what it says itself."""
    if isinstance(error, FleetError):
        return error
    cause = error.__cause__ or error
    return translated(cause) or cause


async def _work(runtime: Runtime, stop: asyncio.Event, holder: str) -> None:
    app = queue_app(runtime, holder)
    async with app.open_async():
        working = asyncio.create_task(
            app.run_worker_async(
                name="fleet",
                queues=[routing.queue_of(runtime.selector)],
                concurrency=runtime.settings.worker_concurrency,
                fetch_job_polling_interval=POLLING_SECONDS,
                shutdown_graceful_timeout=GRACE_SECONDS,
                delete_jobs="always",
                install_signal_handlers=False,
                update_heartbeat_interval=HEARTBEAT_SECONDS,
            )
        )
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                await working  # it only ends by itself when it failed
        finally:
            stopping.cancel()
            working.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)
