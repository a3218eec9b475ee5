"""How many requests run side by side against one API server: as many as it answers well.

Additive increase, multiplicative decrease, like TCP: every good answer widens the window
a little, an overloaded server (429, or answers that suddenly take long) halves it. There
is no fixed rate: published fleets were slowed down most by exactly that knob.

``Window`` is the arithmetic and reads no clock; ``Pacer`` holds the queue.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fleet.errors import ClusterBusy, ClusterError, ClusterUnreachable

START = 16.0  # requests side by side
LARGEST = 64.0  # requests side by side
SMALLEST = 1.0  # requests side by side
SLOW_SECONDS = 1.0  # Kubernetes' own objective for the slowest percent of writes
SURGE = 3.0  # times the usual latency
WEIGHT = 0.05  # of one answer in the usual latency
HOLD_SECONDS = 5.0  # longest Retry-After that requests of ours wait for in the queue


@dataclass
class Window:
    """The number of requests that may run now.

    ``usual_seconds`` is a moving average; 0 means that nothing was measured yet. Times
    are seconds of one monotonic clock.
    """

    size: float = START
    usual_seconds: float = 0.0
    cut_at: float = float("-inf")

    @property
    def slots(self) -> int:
        return int(self.size)

    def answered(self, *, started: float, now: float, in_flight: int) -> None:
        """The server answered a short call that began at ``started``."""
        took = now - started
        if took > SLOW_SECONDS and took > SURGE * self.usual_seconds > 0:
            self._cut(started, now)
        elif in_flight * 2 >= self.slots:
            # A window that is not filled was not put to the test, so it does not grow.
            self.size = min(LARGEST, self.size + 1 / self.size)
        first = self.usual_seconds == 0.0
        self.usual_seconds += (took - self.usual_seconds) * (1.0 if first else WEIGHT)

    def refused(self, *, started: float, now: float) -> None:
        """The server said that it has too much to do."""
        self._cut(started, now)

    def _cut(self, started: float, now: float) -> None:
        # A call sent before the last cut tells about the old window: one overload, one cut.
        if started >= self.cut_at:
            self.size = max(SMALLEST, self.size / 2)
            self.cut_at = now


class Pacer:
    """Lets callers through in order of arrival, ``window.slots`` at a time."""

    def __init__(self) -> None:
        self.window = Window()
        self.in_flight = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._held_until = 0.0
        self._answered_at = 0.0

    @asynccontextmanager
    async def slot(self, *, short: bool) -> AsyncIterator[None]:
        """Wait for a turn; inside, one request may be sent.

        Only ``short`` calls are measured: how long a list takes says how long the list is.

        Raises:
            ClusterBusy: the server asked for a pause longer than a queue should wait.
            ClusterUnreachable: the server went away while this call was in the queue.
                Raised inside, either narrows the window.
        """
        await self._take()
        try:
            await self._hold()
            started = time.monotonic()
            try:
                yield
            except ClusterUnreachable as failed:
                self._failed(started, failed)
                raise
            except ClusterError:
                self._answered_at = time.monotonic()  # it said no, so it is there
                raise
            self._answered_at = time.monotonic()
            if short:
                self.window.answered(
                    started=started, now=self._answered_at, in_flight=self.in_flight
                )
        finally:
            self._give_back()

    async def _take(self) -> None:
        if not self._queue and self.in_flight < self.window.slots:
            self.in_flight += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.exception() is None:
                self._give_back()  # the turn had come: the slot was ours
            raise

    def _give_back(self) -> None:
        self.in_flight -= 1
        while self._queue and self.in_flight < self.window.slots:
            turn = self._queue.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)

    async def _hold(self) -> None:
        pause = self._held_until - time.monotonic()
        if pause > HOLD_SECONDS:
            raise ClusterBusy(
                f"the API server asked for a pause; {pause:.0f} s of it are left",
                retry_after_seconds=pause,
            )
        if pause > 0:
            await asyncio.sleep(pause)

    def _failed(self, started: float, failed: ClusterUnreachable) -> None:
        now = time.monotonic()
        self.window.refused(started=started, now=now)
        if isinstance(failed, ClusterBusy):
            self._held_until = max(self._held_until, now + failed.retry_after_seconds)
        elif self._answered_at < started:
            # Nothing was answered since that call began: the server is gone. Whoever is in
            # the queue is told now; else a thousand calls would wait for a timeout each.
            for turn in self._queue:
                if not turn.done():
                    turn.set_exception(ClusterUnreachable(failed.message, hint=failed.hint))
            self._queue.clear()
