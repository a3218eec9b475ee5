"""Fleet itself: versions, the timetable, workers, and who is calling."""

from __future__ import annotations

import platform
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Query

from fleet import __version__
from fleet.api.caller import Calling
from fleet.api.guarded import guarded_router
from fleet.api.shapes import page, time_text
from fleet.operations.versions import versions
from fleet.registry import leases, queue, timetable
from fleet.registry.audit import record_change

router = guarded_router("system")


@router.get("/version", summary="Versions of Fleet, its schema, PostgreSQL and its tools")
async def version(caller: Calling) -> dict[str, Any]:
    caller.anyone()
    found = await versions(caller.runtime)
    return {
        "version": __version__,
        "instance": str(caller.runtime.instance),
        "schema": {
            "current": found.schema.current,
            "head": found.schema.head,
            "age": str(found.schema.age),
        },
        "database": {"version": found.database},
        "python": platform.python_version(),
        "tools": [asdict(tool) for tool in found.tools],
        "sandbox": {
            "kind": found.sandbox.kind,
            "isolated": found.sandbox.kind != "none",
            "message": found.sandbox.message,
        },
    }


@router.get("/jobs", summary="What the leader's timetable holds, with next and last run")
async def jobs(caller: Calling) -> dict[str, Any]:
    """One page: there are as many as clusters and repositories, each a short line."""
    await caller.require("get", "jobs")
    async with caller.runtime.db.reading() as tx:
        rows = await timetable.shown(tx, caller.scope)
    return page(
        (
            {
                "key": job.key,
                "name": job.name,
                "intervalSeconds": job.interval_seconds,
                "nextRunAt": time_text(job.next_run_at),
                "lastRunAt": time_text(job.last_run_at),
                "paused": job.paused,
            }
            for job in rows
        ),
        "",
    )


@router.get("/workers", summary="Which workers are alive, and who leads")
async def workers(caller: Calling) -> dict[str, Any]:
    """One page: workers are few."""
    await caller.require("get", "jobs")
    async with caller.runtime.db.reading() as tx:
        rows = await queue.list_workers(tx, caller.scope)
        leader = await leases.holder_of(tx, "leader")
    items = [
        {
            "id": row.id,
            "holder": row.holder,
            "selector": row.selector,
            "lastSeenAt": time_text(row.seen_at),
            "live": row.live,
        }
        for row in rows
    ]
    return {
        **page(items, ""),
        "live": sum(row.live for row in rows),
        "leader": {
            "alive": leader is not None,
            "holder": leader.holder if leader else "",
            "until": time_text(leader.expires_at) if leader else None,
        },
    }


@router.get("/session", summary="Who is calling, and what they may see")
async def session(
    caller: Calling,
    login: Annotated[bool, Query(description="Write a sign-in to the audit log.")] = False,
) -> dict[str, Any]:
    caller.anyone()
    if login:
        async with caller.runtime.db.transaction() as tx:
            await record_change(tx, caller.actor, "sign-in", "Account", caller.actor.name)
    seen = caller.scope.seen("applications")
    is_everywhere = seen.everything and not seen.within
    return {
        "account": caller.actor.name,
        "role": caller.actor.role,
        "projects": None if is_everywhere else sorted(seen.projects | {seen.within} - {""}),
        "local": caller.actor.is_local,
    }
