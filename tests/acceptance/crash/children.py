"""A Fleet with an application of applications, that works until nothing is left to do, or dies.

Run as ``python -m tests.acceptance.crash.children``, with a ``Where`` as JSON on stdin.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from uuid import UUID

from sqlalchemy import text

from fleet.model.ids import ClusterId, RepositoryId
from fleet.model.secret import Secret
from fleet.operations.desiring import poll_repository
from fleet.operations.opening import open_runtime
from fleet.operations.passes import reconcile_cluster
from tests.integration.operations.harness import Clock, settings_for

ROUNDS = 8
ROUND_SECONDS = 10


@dataclass(frozen=True)
class Where:
    """The world that was prepared; ids as text."""

    database_url: str
    folder: str
    clusters: tuple[str, ...]
    repository: str

    def as_json(self) -> str:
        return json.dumps(asdict(self))


async def work(where: Where) -> None:
    """Poll and pass, so many rounds."""
    clock = Clock()
    settings = settings_for(Path(where.folder))
    async with open_runtime(settings, Secret(where.database_url), name="crash driver") as opened:
        runtime = replace(opened, now=clock)
        for _ in range(ROUNDS):
            await poll_repository(runtime, RepositoryId(UUID(where.repository)))
            for cluster in where.clusters:
                async with runtime.db.transaction() as tx:
                    newest = text(
                        "update clusters set observed_at = null, pass_epoch = pass_epoch + 1"
                        " where id = :id returning pass_epoch"
                    )
                    epoch = (await tx.execute(newest, {"id": UUID(cluster)})).scalar_one()
                await reconcile_cluster(runtime, ClusterId(UUID(cluster)), int(epoch))
            clock.forward(ROUND_SECONDS)


if __name__ == "__main__":
    given = json.loads(sys.stdin.read())
    asyncio.run(work(Where(**{**given, "clusters": tuple(given["clusters"])})))
