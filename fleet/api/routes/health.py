"""Whether this process is alive, and whether it can do its work. No token is needed: the
answers hold no name of anything that users have."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from fleet.api.answers import JSON
from fleet.api.shapes import time_text
from fleet.errors import FleetError
from fleet.metrics import exposition
from fleet.operations.runtime import Runtime
from fleet.registry import leases, queue, schema

router = APIRouter(tags=["health"])

#: A probe that takes longer is a failed one.
READY_SECONDS = 4.0


@router.get("/healthz", summary="Is the process alive, and does its event loop turn?")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/readyz", summary="Can it do its work? Asks the database and compares the schema")
async def readyz(request: Request) -> Response:
    runtime: Runtime = request.app.state.runtime
    try:
        async with asyncio.timeout(READY_SECONDS):
            checks = await _checks(runtime)
    except TimeoutError:
        checks = {"database": {"ok": False, "message": "it did not answer in time"}}
    ready = all(check.get("ok", True) for check in checks.values())
    return JSON({"ready": ready, "checks": checks}, status_code=200 if ready else 503)


async def _checks(runtime: Runtime) -> dict[str, dict[str, Any]]:
    try:
        async with runtime.db.reading() as tx:
            live = await queue.live_workers(tx)
            leader = await leases.holder_of(tx, "leader")
        state = await asyncio.to_thread(schema.check, runtime.db.conninfo())
    except FleetError as error:
        return {"database": {"ok": False, "message": error.message}}
    same = state.age is schema.SchemaAge.SAME
    return {
        "database": {"ok": True, "message": ""},
        "schema": {
            "ok": same,
            "current": state.current,
            "head": state.head,
            "message": "" if same else f"the schema is {state.age}",
        },
        # facts, not conditions: an API without a worker still answers questions
        "workers": {"live": live},
        "leader": {
            "alive": leader is not None,
            "until": time_text(leader.expires_at) if leader else None,
        },
    }


@router.get("/metrics", summary="Metrics in Prometheus' text format")
async def metrics() -> Response:
    return Response(exposition(), media_type=CONTENT_TYPE_LATEST)
