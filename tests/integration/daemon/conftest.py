"""A world whose daemon parts run beside the test, and a database handle for the leader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from fleet.model.secret import Secret
from fleet.registry.database import Database
from tests.cluster.kube import TestCluster
from tests.integration.operations.harness import World, settings_for, world
from tests.servers.git_repo import GitRepo
from tests.servers.postgres import TestDatabase

Start = Callable[[Callable[[asyncio.Event], Coroutine[Any, Any, None]]], Awaitable[asyncio.Event]]


@pytest.fixture
async def bare(
    database: TestDatabase,
    bare_clusters: list[TestCluster],
    git_repo: GitRepo,
    tmp_path: Path,
) -> AsyncIterator[World]:
    """``main`` is an API server that stores objects and never acts on them."""
    async with world(settings_for(tmp_path), database, git_repo, bare_clusters[0]) as made:
        yield made


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Runs a part beside the test: ``start(part.run)``; the event that is returned stops it."""
    running: list[tuple[asyncio.Event, asyncio.Task[None]]] = []

    async def launch(run: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> asyncio.Event:
        stop = asyncio.Event()
        running.append((stop, asyncio.create_task(run(stop))))
        return stop

    yield launch
    for stop, _ in running:
        stop.set()
    await asyncio.wait_for(asyncio.gather(*(task for _, task in running)), 60)


@pytest.fixture
async def own(bare: World, database: TestDatabase) -> AsyncIterator[Callable[[], Database]]:
    """Database handles that nothing else uses, as each leader has one."""
    made: list[Database] = []

    def make() -> Database:
        made.append(
            Database(
                Secret(database.app_url), pool_size=1, ring=bare.runtime.ring, allow_unsafe=True
            )
        )
        return made[-1]

    yield make
    for handle in made:
        await handle.close()
