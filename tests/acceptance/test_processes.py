"""Fleet in several processes: any of them may be killed, and another goes on."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable

import httpx
import pytest

from fleet.registry import chain
from tests.acceptance.parts import DEADLINE, Run
from tests.cluster.kube import TestCluster
from tests.faults.proxy import FaultProxy
from tests.integration.operations.harness import (
    Object,
    World,
    config_map,
    port_of,
    until,
)
from tests.ports import free_port


async def _finished(bare: World, name: str, count: int) -> list[Object]:
    """The operations of an application, once there are ``count`` and all have ended."""

    async def ended() -> list[Object]:
        found = await bare.operations(name)
        return found if len(found) >= count and all(r["finished_at"] for r in found) else []

    return await until(ended, seconds=DEADLINE)


async def _check(bare: World) -> None:
    """Nothing is stuck and the chain of the audit log holds."""

    async def settled() -> bool:
        stuck = "select 1 from applications where urgency < 100 or operation_id is not null"
        return not await bare.rows(stuck)

    await until(settled, seconds=DEADLINE)
    async with bare.runtime.db.reading() as tx:
        assert (await chain.verify(tx, bare.runtime.ring)).ok


@pytest.mark.parametrize("place", ["plan:after-commit", "apply:after:5", "evaluate:after-commit"])
async def test_a_worker_killed_in_the_middle_of_a_sync_is_replaced(
    bare: World, run: Run, place: str
) -> None:
    names = [f"c{n}" for n in range(10)]
    bare.commit(web=tuple(config_map(name) for name in names))
    await run("daemon")
    doomed = await run("worker", FLEET_CRASH_AT=place)
    await bare.add_app("web", sync_options=())
    assert await doomed.ended() == -signal.SIGKILL
    await run("worker")
    (operation,) = await _finished(bare, "web", 1)
    assert operation["phase"] == "Succeeded"
    assert all(bare.read(name) is not None for name in names)
    assert len(await bare.results("web")) == len(names)
    await _check(bare)
    assert len(await bare.operations("web")) == 1


async def test_a_killed_leader_is_replaced(bare: World, run: Run) -> None:
    async def holder() -> str:
        rows = await bare.rows(
            "select holder from leases where name = 'leader' and expires_at > clock_timestamp()"
        )
        return str(rows[0]["holder"]) if rows else ""

    first = await run("daemon")
    await until(holder, seconds=DEADLINE)
    led_by = await holder()
    await run("daemon")
    first.kill()

    async def taken() -> bool:
        return await holder() not in {"", led_by}

    await until(taken, seconds=DEADLINE)
    # and it schedules
    await bare.add_app("web")
    await bare.run("delete from procrastinate_jobs")

    async def planned() -> bool:
        rows = await bare.rows("select name from scheduled_jobs")
        return f"poll {bare.repo.url}" in {row["name"] for row in rows}

    await until(planned, seconds=DEADLINE)


async def test_a_worker_told_to_stop_finishes_the_pass_in_hand(
    bare: World,
    bare_clusters: list[TestCluster],
    run: Run,
    fault_proxy: Callable[[str, int], FaultProxy],
) -> None:
    proxy = fault_proxy("127.0.0.1", port_of(bare_clusters[1]))
    await bare.add_cluster("far", bare_clusters[1], server=f"https://127.0.0.1:{proxy.port}")
    await bare.run("delete from procrastinate_jobs")
    bare.create_namespace("far")
    bare.commit(web=tuple(config_map(f"c{n}") for n in range(30)))
    proxy.delay(0.2)
    worker = await run("worker", FLEET_WORKER_WATCH="false")
    await bare.add_app("far", path="web", cluster="far", sync_options=())

    async def running() -> list[Object]:
        return await bare.operations("far")

    await until(running, seconds=DEADLINE)
    worker.process.send_signal(signal.SIGTERM)
    assert await worker.ended() == 0
    (operation,) = await bare.operations("far")
    assert operation["phase"] == "Succeeded"
    app = await bare.app("far")
    assert (app["sync_status"], app["operation_id"], app["urgency"]) == ("Synced", None, 100)
    assert await bare.rows("select 1 from procrastinate_jobs where status = 'doing'") == []
    assert "Traceback" not in worker.log.read_text()


async def test_a_worker_tells_a_probe_how_it_is(bare: World, run: Run) -> None:
    port = free_port()
    await run("worker", FLEET_HEALTH_PORT=str(port))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

        async def announced() -> bool:
            """It answers from its start, and is counted once it has told the database of itself."""
            with contextlib.suppress(httpx.TransportError):
                ready = await client.get("/readyz")
                return (ready.status_code, ready.json()["checks"]["workers"]["live"]) == (200, 1)
            return False

        await until(announced, seconds=DEADLINE)
        assert (await client.get("/healthz")).status_code == 200
        assert "fleet_jobs" in (await client.get("/metrics")).text
        assert (await client.get("/api/v1/clusters")).status_code == 404


async def test_a_leader_told_to_stop_ends_well(bare: World, run: Run) -> None:
    leader = await run("daemon")

    async def leads() -> list[Object]:
        return await bare.rows("select 1 from leases where expires_at > clock_timestamp()")

    await until(leads, seconds=DEADLINE)
    leader.process.send_signal(signal.SIGTERM)
    assert await leader.ended() == 0
    assert await leads() == []
    assert "Traceback" not in leader.log.read_text()


async def test_two_of_each_do_everything_once(bare: World, run: Run) -> None:
    names = [f"app-{n}" for n in range(10)]
    bare.commit(**{name: (config_map(name, x="1"),) for name in names})
    await asyncio.gather(*(run(what) for what in ("daemon", "daemon", "worker", "worker")))
    for name in names:
        await bare.add_app(name, sync_options=())
    for name in names:
        await _finished(bare, name, 1)
    await _check(bare)
    for name in names:
        (operation,) = await bare.operations(name)
        assert operation["phase"] == "Succeeded"
        assert await bare.results(name) == {f"ConfigMap/{name}": ("created", "")}
