"""Whether Fleet is alive and ready, and what it is made of."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import httpx
import pytest
from sqlalchemy import text

from fleet import __version__
from fleet.api import create_app
from fleet.api.serving import serve
from fleet.errors import SettingsInvalid
from fleet.model.secret import Secret
from fleet.operations.runtime import Runtime
from fleet.registry import leases
from fleet.registry.database import Database
from tests.integration.api.callers import Api
from tests.servers.postgres import TestDatabase


async def test_a_fleet_that_can_work_is_ready(api: Api) -> None:
    assert await api.get("/healthz") == {"status": "ok"}
    ready = await api.get("/readyz")
    assert ready["ready"] is True
    checks = ready["checks"]
    assert checks["schema"]["current"] == checks["schema"]["head"]
    assert checks["workers"] == {"live": 0}
    assert checks["leader"]["alive"] is False


async def test_a_leader_and_workers_are_shown(api: Api) -> None:
    async with api.runtime.db.transaction() as tx:
        await leases.acquire(tx, "leader", "host:1", 30)
        await tx.execute(text("insert into procrastinate_workers default values"))
    checks = (await api.get("/readyz"))["checks"]
    assert (checks["workers"]["live"], checks["leader"]["alive"]) == (1, True)
    workers = await api.get("workers")
    assert (workers["live"], workers["leader"]["holder"]) == (1, "host:1")
    assert workers["items"][0]["live"] is True


async def test_a_schema_that_is_not_ours_is_not_ready(api: Api, database: TestDatabase) -> None:
    owner = Database(Secret(database.superuser_url), allow_unsafe=True)
    async with owner.transaction() as tx:
        await tx.execute(text("update alembic_version set version_num = 'newer'"))
    await owner.close()
    ready = await api.get("/readyz", code=503)
    assert ready["ready"] is False
    assert "newer" in ready["checks"]["schema"]["message"]
    assert (await api.get("/healthz"))["status"] == "ok"


async def test_without_a_database_it_is_not_ready_but_alive(runtime: Runtime) -> None:
    away = Database(Secret("postgresql://fleet@127.0.0.1:1/none"), allow_unsafe=True)
    api = Api(replace(runtime, db=away), token="flt_" + "0" * 22)
    ready = await api.get("/readyz", code=503)
    assert ready["checks"]["database"]["ok"] is False
    assert (await api.get("/healthz"))["status"] == "ok"
    await away.close()


async def test_metrics_are_prometheus_text(api: Api) -> None:
    answer = await api.send("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "# HELP fleet_jobs" in answer.text


async def test_versions_are_shown(api: Api) -> None:
    found = await api.get("version")
    assert found["version"] == __version__
    assert found["instance"] == str(api.runtime.instance)
    assert found["schema"]["age"] == "same"
    assert {tool["name"] for tool in found["tools"]} == {"helm", "kubectl"}
    assert found["sandbox"]["message"]


async def test_the_timetable_is_shown(api: Api) -> None:
    async with api.runtime.db.transaction() as tx:
        await tx.execute(
            text("insert into scheduled_jobs (key, name, interval_seconds) values ('k', 'n', 60)")
        )
    (job,) = (await api.get("jobs"))["items"]
    assert (job["key"], job["intervalSeconds"], job["paused"]) == ("k", 60, False)


async def test_it_serves_until_it_is_asked_to_stop(api: Api) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    stop, up = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(serve(create_app(api.runtime), "127.0.0.1", port, stop, up.set))
    await asyncio.wait_for(up.wait(), 10)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        assert (await http.get("/healthz")).json() == {"status": "ok"}
        headers = {"Authorization": f"Bearer {api.token}"}
        answer = await http.get("/api/v1/session", headers=headers)
        assert answer.json()["account"] == "anna"
        assert "server" not in answer.headers
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Endless: " + b"x" * (40 << 10))
    assert (await reader.readline()).startswith(b"HTTP/1.1 400")
    writer.close()
    with pytest.raises(SettingsInvalid, match=f"port {port} on 127.0.0.1 is taken") as caught:
        await serve(create_app(api.runtime), "127.0.0.1", port, asyncio.Event(), up.set)
    assert "--port" in caught.value.hint
    stop.set()
    await asyncio.wait_for(serving, 10)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_an_address_that_is_not_ours_is_told(api: Api) -> None:
    with pytest.raises(SettingsInvalid, match="cannot be listened on"):
        await serve(create_app(api.runtime), "192.0.2.1", 8080, asyncio.Event(), lambda: None)
