"""Whether a pass may still send: a worker that was frozen must not write when it wakes up.

Rows are fenced by the epoch in their own transactions; a cluster knows no epochs. So a pass
asks PostgreSQL every couple of seconds whether a newer one has begun, and what it sends is
let through only while the last answer is fresh. The queue gives a job to somebody else when
its worker gave no sign of life for eight seconds; the answer counts for less than that.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from time import monotonic

from fleet.errors import LeaseLost, RegistryError
from fleet.model.ids import ClusterId
from fleet.registry import work
from fleet.registry.database import Database

ASK_SECONDS = 2.0
#: Shorter than the silence after which a worker counts as dead, a heartbeat's time included.
TRUST_SECONDS = 6.0


class Fence:
    """The right of one pass to write to one cluster."""

    def __init__(self, db: Database, cluster: ClusterId, epoch: int) -> None:
        self._db = db
        self._cluster = cluster
        self._epoch = epoch
        self._asked_at = float("-inf")
        self._lost = False

    async def ask(self) -> None:
        """Ask PostgreSQL, unless its last answer is young.

        Raises:
            LeaseLost: a newer pass has begun.
            RegistryError: PostgreSQL did not answer.
        """
        asked_at = monotonic()
        if not self._lost and asked_at - self._asked_at < ASK_SECONDS:
            return
        async with self._db.asking() as tx:
            self._lost = not await work.is_newest(tx, self._cluster, self._epoch)
        if self._lost:
            raise LeaseLost("a newer pass over this cluster has begun; this one stops")
        self._asked_at = asked_at

    def hear(self, asked_at: float, *, is_newest: bool) -> None:
        """An answer that came with another one.

        Args:
            asked_at: of the monotonic clock, before the question was sent.
        """
        self._asked_at, self._lost = asked_at, not is_newest

    def check(self) -> None:
        """Before each write.

        Raises:
            LeaseLost: the answer was no, or is too old to be believed.
        """
        if self._lost or monotonic() - self._asked_at > TRUST_SECONDS:
            raise LeaseLost("this pass did not hear for too long that it is the newest; it stops")

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Ask again and again for as long as the block lasts."""
        done = asyncio.Event()
        task = asyncio.create_task(self._keep(done))
        try:
            yield
        finally:
            done.set()  # a question in hand is heard: cut off, it would cost the connection
            await task

    async def _keep(self, done: asyncio.Event) -> None:
        while not self._lost:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), ASK_SECONDS)
                return
            # without an answer the last one runs out
            with contextlib.suppress(LeaseLost, RegistryError):
                await self.ask()
