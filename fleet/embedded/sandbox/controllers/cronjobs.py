"""CronJob: a Job whenever the schedule says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fleet.embedded.sandbox.controllers.jobs import is_finished
from fleet.embedded.sandbox.controllers.making import made, with_status
from fleet.embedded.sandbox.controllers.reading import (
    is_ending,
    is_true,
    moment,
    spec_of,
    status_of,
    uid_of,
)
from fleet.embedded.sandbox.controllers.schedules import schedule
from fleet.embedded.sandbox.controllers.steps import Delete, Later, Seen, Step, Write
from fleet.embedded.sandbox.objects import Object, name_of, namespace_of, timestamp
from fleet.model.cron import Cron

CREATED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp"
#: Runs that were missed, for example while nothing ran, are looked for this far back.
MISSED_RUNS = 100


def cron_job(obj: Object, seen: Seen) -> Iterator[Step]:
    """Start what is due, clear away what is old, look again when the next is due."""
    if is_ending(obj):
        return
    jobs = seen.owned("Job", obj)
    active = [it for it in jobs if not is_finished(it)]
    yield from _clear(obj, jobs)
    due = None if spec_of(obj).get("suspend") else _due(obj, seen.now)
    started = None
    if due is not None and _may_start(obj, due, active, seen.now):
        if spec_of(obj).get("concurrencyPolicy") == "Replace":
            yield from (Delete(it) for it in active)
            active = []
        started = _job(obj, due)
        if seen.get("Job", namespace_of(obj), name_of(started)) is None:
            yield Write(started)
    yield Write(_with_status(obj, jobs, active, due if started else None), subresource="status")
    following = None if spec_of(obj).get("suspend") else _following(obj, seen.now)
    if following is not None:
        yield Later((following - seen.now).total_seconds())


def _zone(obj: Object) -> tzinfo:
    name = spec_of(obj).get("timeZone")
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def _following(obj: Object, now: datetime) -> datetime | None:
    found = schedule(str(spec_of(obj).get("schedule", "")))
    return _next(found, now, _zone(obj)) if found else None


def _next(found: Cron, moment: datetime, zone: tzinfo) -> datetime:
    """A schedule speaks of the clocks on the walls of its zone."""
    return found.after(moment.astimezone(zone).replace(tzinfo=None)).replace(tzinfo=zone)


def _due(obj: Object, now: datetime) -> datetime | None:
    """The newest run that should have begun by now and has not."""
    found = schedule(str(spec_of(obj).get("schedule", "")))
    since = status_of(obj).get("lastScheduleTime") or obj["metadata"].get("creationTimestamp")
    if found is None or since is None:
        return None
    newest, zone = None, _zone(obj)
    at = _next(found, moment(since), zone)
    for _ in range(MISSED_RUNS):
        if at > now:
            break
        newest, at = at, _next(found, at, zone)
    return newest.astimezone(UTC) if newest else None


def _may_start(obj: Object, due: datetime, active: Sequence[Object], now: datetime) -> bool:
    deadline = spec_of(obj).get("startingDeadlineSeconds")
    if deadline is not None and (now - due).total_seconds() > deadline:
        return False
    return not (active and spec_of(obj).get("concurrencyPolicy") == "Forbid")


def _job(obj: Object, due: datetime) -> Object:
    template = spec_of(obj)["jobTemplate"]
    metadata = template.get("metadata") or {}
    minutes = int(due.timestamp()) // 60
    return made(
        "batch/v1",
        "Job",
        f"{name_of(obj)}-{minutes}",
        owner=obj,
        labels=metadata.get("labels"),
        annotations={**(metadata.get("annotations") or {}), CREATED_AT: timestamp(due)},
        spec=template.get("spec") or {},
    )


def _clear(obj: Object, jobs: Sequence[Object]) -> Iterator[Step]:
    for ending, field, default in (
        ("Complete", "successfulJobsHistoryLimit", 3),
        ("Failed", "failedJobsHistoryLimit", 1),
    ):
        limit = spec_of(obj).get(field)
        ended = [it for it in jobs if is_true(it, ending)]
        for each in ended[: max(0, len(ended) - (default if limit is None else limit))]:
            yield Delete(each)


def _with_status(
    obj: Object, jobs: Sequence[Object], active: Sequence[Object], due: datetime | None
) -> Object:
    """``due`` is the run that begins now; its Job is listed as active when it is seen."""
    before = status_of(obj)
    known = {it.get("uid", ""): it for it in before.get("active") or ()}
    succeeded = [status_of(it).get("completionTime") or "" for it in jobs]
    status = {
        "active": [known.get(uid_of(it)) or _listed(it) for it in active] or None,
        "lastScheduleTime": timestamp(due) if due else before.get("lastScheduleTime"),
        "lastSuccessfulTime": max([before.get("lastSuccessfulTime") or "", *succeeded]) or None,
    }
    return with_status(obj, status)


def _listed(job: Object) -> dict[str, Any]:
    return {
        "apiVersion": job["apiVersion"],
        "kind": job["kind"],
        "namespace": namespace_of(job),
        "name": name_of(job),
        "uid": uid_of(job),
        "resourceVersion": job["metadata"].get("resourceVersion", ""),
    }
