"""A Fleet that works until nothing is left to do, or dies where it was told to.

Run as ``python -m tests.acceptance.crash.driver``, with a ``Job`` as JSON on stdin and the
place to die at in ``FLEET_CRASH_AT``. Prints the number of rounds that it took.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from uuid import UUID

from sqlalchemy import text

from fleet.model.ids import ClusterId, RepositoryId
from fleet.model.secret import Secret
from fleet.operations.desiring import poll_repository
from fleet.operations.opening import open_runtime
from fleet.operations.passes import reconcile_cluster
from fleet.operations.runtime import Runtime
from tests.integration.operations.harness import Clock, settings_for

#: More would mean that it goes in circles.
ROUNDS = 10
#: Added to the clock between rounds, so that whatever waits for its time is due.
ROUND_SECONDS = 10

_UNSETTLED = """
    select exists (select from applications where urgency < 100 or due_at is not null
        or operation_id is not null or refresh <> '' or deleting is not null)
      or exists (select from repository_refs where revision <> evaluated)
"""


@dataclass(frozen=True)
class Job:
    """Where the world is that was prepared; ids as text."""

    database_url: str
    folder: str
    cluster: str
    repository: str

    def as_json(self) -> str:
        return json.dumps(asdict(self))


async def work(job: Job) -> int:
    """Poll and pass until nothing is left to do; the number of rounds.

    Raises:
        RuntimeError: something is left after ``ROUNDS``.
    """
    clock = Clock()
    settings = settings_for(Path(job.folder))
    async with open_runtime(settings, Secret(job.database_url), name="crash driver") as opened:
        runtime = replace(opened, now=clock)
        for done in range(1, ROUNDS + 1):
            await _round(runtime, job)
            if not (await _ask(runtime, _UNSETTLED))[0]:
                return done
            clock.forward(ROUND_SECONDS)
        left = await _ask(runtime, "select json_agg(a) from applications a")
    raise RuntimeError(f"not settled after {ROUNDS} rounds: {left}")


async def _round(runtime: Runtime, job: Job) -> None:
    await poll_repository(runtime, RepositoryId(UUID(job.repository)))
    async with runtime.db.transaction() as tx:
        await tx.execute(text("update clusters set observed_at = null"))
    (epoch,) = await _ask(runtime, "select max(pass_epoch) + 1 from clusters")
    await reconcile_cluster(runtime, ClusterId(UUID(job.cluster)), int(str(epoch)))


async def _ask(runtime: Runtime, query: str) -> Sequence[object]:
    async with runtime.db.reading() as tx:
        return list((await tx.execute(text(query))).one())


if __name__ == "__main__":
    print(asyncio.run(work(Job(**json.loads(sys.stdin.read())))))
