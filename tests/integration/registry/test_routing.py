"""Which workers serve which cluster: where its jobs go, and what follows when either changes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from sqlalchemy import text

from fleet.model.clusters import ANYONES_QUEUE, NOBODYS_QUEUE, RESERVED, Cluster
from fleet.model.ids import ClusterId
from fleet.model.scope import EVERYTHING
from fleet.model.selectors import parse_selector
from fleet.registry import clusters, queue, routing
from fleet.registry.database import Database, Tx
from fleet.registry.keyring import KeyRing
from tests.integration.registry import seeds
from tests.integration.registry.seeds import ANNA

RESERVE = {RESERVED: "true"}
EU, US = {"region": "eu"}, {"region": "us"}


def queue_of(selector: str) -> str:
    return routing.queue_of(parse_selector(selector))


async def worker(tx: Tx, selector: str = "", *, watches: bool = True) -> int:
    """A worker that lives."""
    id = (
        await tx.execute(text("insert into procrastinate_workers default values returning id"))
    ).scalar_one()
    chosen = parse_selector(selector)
    await routing.register(tx, id, chosen, watches=watches, holder=f"host:{id}")
    return int(id)


async def dies(tx: Tx, worker: int) -> None:
    await tx.execute(
        text(
            "update procrastinate_workers set last_heartbeat = now() - interval '1 minute'"
            " where id = :id"
        ),
        {"id": worker},
    )


async def where(tx: Tx, id: ClusterId) -> str:
    return (await clusters.get_cluster_by_id(tx, EVERYTHING, id)).queue


async def jobs(tx: Tx) -> dict[str, str]:
    """Key of each waiting job → its queue."""
    rows = await tx.execute(text("select args ->> 'key', queue_name from procrastinate_jobs"))
    return {row[0]: row[1] for row in rows}


async def add(
    tx: Tx,
    ring: KeyRing,
    name: str,
    labels: Mapping[str, str],
    annotations: Mapping[str, str] | None = None,
) -> Cluster:
    return await seeds.cluster(
        tx, ring, name, labels=dict(labels), annotations=dict(annotations or {})
    )


@pytest.mark.parametrize(
    ("workers", "labels", "annotations", "expected"),
    [
        ((), EU, {}, ANYONES_QUEUE),
        ((), EU, RESERVE, NOBODYS_QUEUE),
        (("",), EU, {}, ANYONES_QUEUE),
        (("",), EU, RESERVE, NOBODYS_QUEUE),
        (("region=eu",), EU, {}, queue_of("region=eu")),
        (("region=eu",), EU, RESERVE, queue_of("region=eu")),
        (("", "region=eu"), EU, {}, queue_of("region=eu")),
        (("region=eu",), US, {}, ANYONES_QUEUE),
        (("region=eu",), US, RESERVE, NOBODYS_QUEUE),
        (("region=eu",), US, {RESERVED: "false"}, ANYONES_QUEUE),
        (("region", "region=eu,!edge"), EU, {}, queue_of("region=eu,!edge")),
        (("region in (us,eu)",), US, {}, queue_of("region in (eu, us)")),
    ],
)
async def test_a_cluster_goes_to_the_workers_that_serve_it(
    db: Database,
    ring: KeyRing,
    workers: tuple[str, ...],
    labels: dict[str, str],
    annotations: dict[str, str],
    expected: str,
) -> None:
    async with db.transaction() as tx:
        early = await add(tx, ring, "early", labels, annotations)
        for selector in workers:
            await worker(tx, selector)
        late = await add(tx, ring, "late", labels, annotations)
        assert [await where(tx, early.id), late.queue] == [expected, expected]


async def test_jobs_about_a_cluster_go_where_it_is_and_others_to_anyone(
    db: Database, ring: KeyRing
) -> None:
    async with db.transaction() as tx:
        await worker(tx, "region=eu")
        eu, us = (
            str((await add(tx, ring, "eu-1", EU)).id),
            str((await add(tx, ring, "us-1", US)).id),
        )
        await queue.wake(tx, "reconcile", [eu, us])
        assert await jobs(tx) == {eu: queue_of("region=eu"), us: ANYONES_QUEUE}
        await tx.execute(text("delete from procrastinate_jobs"))
        await queue.wake(tx, "poll", [eu])  # whatever the key looks like
        await queue.wake(tx, "token", [us])
        assert await jobs(tx) == {eu: ANYONES_QUEUE, us: ANYONES_QUEUE}


@pytest.mark.parametrize(
    ("annotations", "expected"), [({}, ANYONES_QUEUE), (RESERVE, NOBODYS_QUEUE)], ids=str
)
async def test_what_a_dead_worker_left_goes_on_elsewhere_or_waits(
    db: Database, ring: KeyRing, annotations: dict[str, str], expected: str
) -> None:
    async with db.transaction() as tx:
        doomed = await worker(tx, "region=eu")
        eu = await add(tx, ring, "eu-1", EU, annotations)
        await queue.wake(tx, "reconcile", [str(eu.id)])
        await dies(tx, doomed)
        assert await routing.settle(tx) == (eu.id,)
        assert await routing.settle(tx) == ()
        assert await jobs(tx) == {str(eu.id): expected}
        await worker(tx, "region=eu")
        assert await jobs(tx) == {str(eu.id): queue_of("region=eu")}


async def test_a_changed_label_or_annotation_counts_at_once(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        await worker(tx, "region=eu")
        cluster = await add(tx, ring, "eu-1", EU)
        changed = await clusters.update_cluster(tx, ANNA, cluster.id, {"labels": US})
        assert changed.queue == ANYONES_QUEUE
        changed = await clusters.update_cluster(tx, ANNA, cluster.id, {"annotations": RESERVE})
        assert (changed.queue, changed.is_unserved) == (NOBODYS_QUEUE, True)
        changed = await clusters.update_cluster(tx, ANNA, cluster.id, {"labels": EU})
        assert changed.queue == queue_of("region=eu")


async def test_a_cluster_that_moves_is_woken(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        eu = await add(tx, ring, "eu-1", EU)
        await worker(tx, "region=eu")
        assert await jobs(tx) == {str(eu.id): queue_of("region=eu")}


async def test_workers_are_counted_by_what_they_serve(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        eu, us = await add(tx, ring, "eu-1", EU, RESERVE), await add(tx, ring, "us-1", US, RESERVE)
        assert await routing.crews(tx) == {}
        for selector in ("", "region=eu", "region = eu"):
            await worker(tx, selector)
        await dies(tx, await worker(tx, "region=us"))
        await tx.execute(text("insert into procrastinate_workers default values"))  # of old
        await routing.settle(tx)
        assert await routing.crews(tx) == {
            ANYONES_QUEUE: routing.Crew("", 2),
            queue_of("region=eu"): routing.Crew("region=eu", 2),
        }
        assert await routing.crew_of(tx, eu.id) == routing.Crew("region=eu", 2)
        assert await routing.crew_of(tx, us.id) is None


async def test_only_workers_that_watch_share_watches(db: Database) -> None:
    async with db.transaction() as tx:
        await worker(tx, "region=eu")
        await worker(tx, "region=eu", watches=False)
        await dies(tx, await worker(tx, "region=eu"))
        await worker(tx)
        assert await routing.watching(tx, queue_of("region=eu")) == 1


async def test_what_a_worker_said_goes_with_it(db: Database) -> None:
    async with db.transaction() as tx:
        gone = await worker(tx, "region=eu")
        kept = await worker(tx)
        await tx.execute(text("delete from procrastinate_workers where id = :id"), {"id": gone})
        await routing.settle(tx)
        assert (await tx.execute(text("select worker_id from workers"))).scalars().all() == [kept]
