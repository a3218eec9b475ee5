"""A Fleet that does what it is asked for until nothing is left to do, or dies where it was told to.

Run as ``python -m tests.acceptance.crash.driver``, with a ``Job`` as JSON on stdin and the
place to die at in ``FLEET_CRASH_AT``. Prints the number of rounds that it took.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text

from fleet.errors import AlreadyExists
from fleet.model.clusters import Connection
from fleet.model.ids import ClusterId, RepositoryId
from fleet.model.parsing import parse_application
from fleet.model.scope import EVERYTHING
from fleet.model.secret import Secret
from fleet.operations.applications import delete_application
from fleet.operations.desiring import poll_repository
from fleet.operations.onboarding import ServiceAccount, add_cluster
from fleet.operations.opening import open_runtime
from fleet.operations.passes import reconcile_cluster
from fleet.operations.putting import put_application
from fleet.operations.renewing import RENEW_BEFORE, renew_token_of
from fleet.operations.runtime import Runtime
from fleet.registry import clusters
from fleet.registry.clusters import NewCluster
from tests.integration.operations.harness import ADMIN, Clock, settings_for

#: More would mean that it goes in circles.
ROUNDS = 10
#: Added to the clock between rounds, so that whatever waits for its time is due.
ROUND_SECONDS = 10

_UNSETTLED = """
    select exists (select from applications where urgency < 100 or due_at is not null
        or operation_id is not null or refresh <> '' or deleting is not null)
      or exists (select from repository_refs where revision <> evaluated)
"""


#: Names of what is asked for: an application that goes, one that comes, a cluster.
OLD, LATE, OTHER = "old", "late", "other"
#: A token of the other cluster ends within this time and the one before it is renewed.
A_DAY = timedelta(hours=24)


@dataclass(frozen=True)
class Job:
    """Where the world is that was prepared, and what is still to be asked for; ids as text."""

    database_url: str
    folder: str
    cluster: str
    repository: str
    application: dict[str, Any]  # the one that comes
    server: str  # of the other cluster
    ca_pem: str
    token: str = field(repr=False)
    account: str  # Fleet's, in the other cluster

    def as_json(self) -> str:
        return json.dumps(asdict(self))


async def ask(job: Job) -> None:
    """What people ask for, and ask again if they got no answer: it is the same twice."""
    settings = settings_for(Path(job.folder))
    async with open_runtime(settings, Secret(job.database_url), name="crash driver") as runtime:
        await _delete(runtime)
        document = parse_application(job.application)
        await put_application(runtime, ADMIN, EVERYTHING, document, upsert=True)
        connection = Connection(job.server, ca_pem=job.ca_pem, token=Secret(job.token))
        account = ServiceAccount(name=job.account)
        with contextlib.suppress(AlreadyExists):
            new = NewCluster(OTHER, connection, {}, {})
            await add_cluster(runtime, ADMIN, EVERYTHING, new, account=account)
        await _renew(replace(runtime, now=lambda: datetime.now(UTC) + A_DAY))


async def _renew(runtime: Runtime) -> None:
    """Renew what ends soon; the driver is the worker."""
    async with runtime.db.reading() as tx:
        due = await clusters.tokens_expiring(tx, EVERYTHING, runtime.now() + RENEW_BEFORE)
    for cluster in due:
        await renew_token_of(runtime, cluster.id)


async def _delete(runtime: Runtime) -> None:
    """With a worker that counts as alive; the driver is the worker."""
    async with runtime.db.transaction() as tx:
        await tx.execute(text("delete from procrastinate_workers"))
        await tx.execute(text("insert into procrastinate_workers default values"))
    asked = "select exists (select from applications where name = 'old' and deleting is null)"
    if (await _ask(runtime, asked))[0]:
        await delete_application(
            runtime, ADMIN, EVERYTHING, OLD, cascade=True, propagation="background"
        )


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


async def main(job: Job) -> int:
    """Everything, from what is asked to where nothing is left."""
    await ask(job)
    return await work(job)


async def _ask(runtime: Runtime, query: str) -> Sequence[object]:
    async with runtime.db.reading() as tx:
        return list((await tx.execute(text(query))).one())


if __name__ == "__main__":
    print(asyncio.run(main(Job(**json.loads(sys.stdin.read())))))
