"""Jobs for a worker: taken several at a time, ended several at a time.

procrastinate asks for one job after another, in transactions of its own, and finds each by
comparing the locks of all that wait: with a thousand clusters to do, more work than their
passes. Here one statement takes as many as the worker has places for, and one deletes all
that ended while the last was under way. Every job that was taken has a place and starts at
once, so that none lies with a worker while another one is free.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from procrastinate import PsycopgConnector
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager

from fleet.operations.runtime import Runtime
from fleet.registry import queue, routing

#: Jobs taken by one statement, at most: more workers share a long queue.
TOGETHER = 16


class Jobs(JobManager):
    """The queue as one worker sees it. It says what it serves as soon as the queue has given it
    its id, before its first job."""

    def __init__(self, connector: PsycopgConnector, runtime: Runtime, holder: str) -> None:
        super().__init__(connector)
        self._runtime = runtime
        self._holder = holder
        self._places = runtime.settings.worker_concurrency
        self._taken: deque[queue.TakenJob] = deque()
        self._ended: list[int] = []
        self._ending = asyncio.Lock()

    async def register_worker(self) -> int:
        id = await super().register_worker()
        async with self._runtime.db.transaction() as tx:
            await routing.register(
                tx,
                id,
                self._runtime.selector,
                watches=self._runtime.settings.worker_watch,
                holder=self._holder,
            )
        return id

    async def unregister_worker(self, worker_id: int) -> None:
        """Jobs that were taken and not begun any more are woken again."""
        given_back, self._taken = tuple(self._taken), deque()
        if given_back:
            async with self._runtime.db.transaction() as tx:
                await queue.give_back(tx, [job.id for job in given_back])
        await super().unregister_worker(worker_id)

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """The next job, from those taken before or of the queue; asked for when a place is free."""
        if not self._taken:
            most = max(1, min(TOGETHER, self._places))
            async with self._runtime.db.stating() as tx:
                self._taken += await queue.take(tx, tuple(queues or ()), worker_id, most)
        if not self._taken:
            return None
        self._places -= 1
        return Job.from_row(self._taken.popleft().row)

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:  # noqa: ARG002 - procrastinate's
        """Delete it, whatever became of it: rows say what is left to do. Those that end while
        another is being deleted go together."""
        assert job.id is not None
        self._places += 1
        self._ended.append(job.id)
        async with self._ending:
            ended, self._ended = self._ended, []
            if not ended:
                return  # gone with an earlier one
            try:
                async with self._runtime.db.stating() as tx:
                    await queue.finish(tx, ended)
            except BaseException:
                self._ended += ended  # with the next one
                raise
