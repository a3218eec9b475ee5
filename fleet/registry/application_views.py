"""Applications as they are shown, judged at the time of reading.

Nothing is written while nothing changes, so what a row says is as old as the cluster's
``observed_at`` and the repository's ``observed_at``. Where the first is older than three
intervals, sync and health are shown as Unknown; where the second fails, a condition says
since when.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    true,
)

from fleet.model.application_spec import parse_application
from fleet.model.applications import DRY, Application, ApplicationSummary, Urgency
from fleet.model.clusters import NOBODYS_QUEUE
from fleet.model.health import Health, HealthStatus, SyncStatus
from fleet.model.holds import holds_from_json
from fleet.model.ids import ApplicationId, ClusterId
from fleet.model.objects import ObjectRef
from fleet.model.operations import Condition
from fleet.model.scope import Scope
from fleet.model.selectors import Selector
from fleet.registry.database import Tx
from fleet.registry.history import history_of
from fleet.registry.hydrations import hydration_conditions
from fleet.registry.selection import (
    DEFAULT_LIMIT,
    AnyRow,
    in_scope,
    missing,
    named_like,
    page_of,
    selects,
)
from fleet.registry.syncs import operations_by_id
from fleet.registry.tables import TABLES
from fleet.registry.work import resources_of

APPLICATIONS = TABLES["applications"]
PROJECTS = TABLES["projects"]
CLUSTERS = TABLES["clusters"]
SOURCES = TABLES["application_sources"]
REPOSITORIES = TABLES["repositories"]
REFS = TABLES["repository_refs"]
OPERATIONS = TABLES["operations"]

#: Missed readings of a cluster after which nothing that was seen there is believed.
STALE_INTERVALS = 3


@dataclass(frozen=True, slots=True)
class Freshness:
    """By what a reader judges how old things are. ``default_interval_seconds`` holds for
    clusters without an interval of their own."""

    now: datetime
    default_interval_seconds: float


@dataclass(frozen=True, slots=True)
class ApplicationFilter:
    """All that is given must hold; ``sync`` and ``health`` are compared as they are shown."""

    selector: Selector = Selector()
    name: str = ""  # part of the name
    projects: tuple[str, ...] = ()
    cluster: str = ""  # name or server
    namespace: str = ""
    repo: str = ""  # URL of any source, as written or canonical
    sync: SyncStatus | None = None
    health: HealthStatus | None = None


async def list_applications(
    tx: Tx,
    scope: Scope,
    wanted: ApplicationFilter | None = None,
    *,
    fresh: Freshness,
    limit: int = DEFAULT_LIMIT,
    after: str = "",
) -> tuple[tuple[ApplicationSummary, ...], str]:
    """A page by name, and the cursor for the next ("" after the last): two statements."""
    query = _visible(scope, fresh).where(APPLICATIONS.c.name > after)
    query = query.where(*_filtered(wanted or ApplicationFilter(), fresh))
    page, cursor = await page_of(
        tx, query.order_by(APPLICATIONS.c.name), limit, lambda row: row.name
    )
    sources = await _sources_of(tx, [row.id for row in page])
    return tuple(_summary_of(row, sources[row.id], fresh) for row in page), cursor


async def get_application(tx: Tx, scope: Scope, name: str, *, fresh: Freshness) -> Application:
    """Everything about one; NotFound names the nearest, as if what may not be seen did not
    exist."""
    query = _visible(scope, fresh).add_columns(
        APPLICATIONS.c.document,
        APPLICATIONS.c.generation,
        APPLICATIONS.c.manifests_sha256,
        APPLICATIONS.c.compared_at,
        APPLICATIONS.c.health_since,
        APPLICATIONS.c.refresh,
        APPLICATIONS.c.urgency,
        APPLICATIONS.c.orphans,
    )
    row = (await tx.execute(query.where(APPLICATIONS.c.name == name))).one_or_none()
    if row is None:
        raise await missing(tx, "Application", name, _visible_names(scope))
    id = ApplicationId(row.id)
    sources = (await _sources_of(tx, [id]))[id]
    document = parse_application(row.document)
    operations = await operations_by_id(
        tx, [(row.last_id, row.last_created_at)] if row.last_id else []
    )
    return Application(
        summary=_summary_of(row, sources, fresh),
        document=document,
        generation=row.generation,
        revisions=tuple(_revision(row, entry) for entry in _applied(sources)),
        manifests_sha256=row.manifests_sha256,
        reconciled_at=_reconciled_at(row),
        health_since=row.health_since,
        pending=_is_asked(row) or not row.is_rendered,
        refreshing=_is_asked(row),
        resources=tuple(entry.live for entry in (await resources_of(tx, [id]))[id]),
        history=await history_of(tx, scope, id, document.spec.revision_history_limit),
        operation=operations.get(row.last_id),
        holds=holds_from_json(row.holds).at(fresh.now),
        hydration=next((it.hydration for it in sources if it.position == DRY), {}),
        orphans=tuple(ObjectRef.from_key(key) for key in row.orphans),
    )


def _visible_names(scope: Scope) -> Select[str]:
    return (
        select(APPLICATIONS.c.name)
        .join(PROJECTS, PROJECTS.c.id == APPLICATIONS.c.project_id)
        .where(in_scope(scope, PROJECTS.c.name, APPLICATIONS.c.name))
    )


def _reconciled_at(row: AnyRow) -> datetime | None:
    """The last pass over the cluster that found it so, not only the one that wrote it."""
    known: list[datetime] = [at for at in (row.compared_at, row.observed_at) if at is not None]
    return max(known) if row.compared_at is not None else None


def _is_asked(row: AnyRow) -> bool:
    """Whether somebody or something wants it looked at, and nobody has yet."""
    return row.refresh in ("normal", "hard") or row.urgency < Urgency.CLEAN


def _is_stale(fresh: Freshness) -> ColumnElement[bool]:
    """A cluster that was never read counts as read when it was registered."""
    interval = func.coalesce(CLUSTERS.c.interval_seconds, fresh.default_interval_seconds)
    age = func.extract("epoch", literal(fresh.now) - _read_at())
    return func.coalesce(age > STALE_INTERVALS * interval, False)


def _read_at() -> ColumnElement[datetime]:
    return func.coalesce(CLUSTERS.c.observed_at, CLUSTERS.c.created_at)


def _shown(column: ColumnElement[str], fresh: Freshness) -> ColumnElement[str]:
    return case((_is_stale(fresh), "Unknown"), else_=column)


def _visible(scope: Scope, fresh: Freshness) -> Select[Any]:
    a, c = APPLICATIONS.c, CLUSTERS.c
    last = (
        select(OPERATIONS.c.id, OPERATIONS.c.created_at, OPERATIONS.c.phase)
        .where(OPERATIONS.c.application_id == a.id)
        .order_by(OPERATIONS.c.created_at.desc())
        .limit(1)
        .lateral("last")
    )
    source = func.coalesce(
        a.document["spec"]["sources"][0], a.document["spec"]["source"], type_=a.document.type
    )
    return (
        select(
            *(a.id, a.name, a.cluster_id, a.namespace, a.labels, a.created_at),
            *(a.revisions, a.conditions, a.render_error, a.health_message, a.holds),
            PROJECTS.c.name.label("project"),
            c.name.label("cluster"),
            *(
                c.server,
                _read_at().label("observed_at"),
                c.paused_by,
                c.paused_reason,
                c.paused_until,
            ),
            c.status.label("cluster_status"),
            c.message.label("cluster_message"),
            c.queue.label("cluster_queue"),
            a.document["spec"]["destination"].label("destination"),
            a.document["spec"]["syncPolicy"]["automated"].label("automated"),
            source.label("source"),
            (a.generation == a.rendered_generation).label("is_rendered"),
            a.deleting.is_not(None).label("is_deleting"),
            _is_stale(fresh).label("is_stale"),
            _shown(a.sync_status, fresh).label("sync"),
            _shown(a.health_status, fresh).label("health"),
            last.c.id.label("last_id"),
            last.c.created_at.label("last_created_at"),
            last.c.phase.label("last_phase"),
        )
        .join(PROJECTS, PROJECTS.c.id == a.project_id)
        .outerjoin(CLUSTERS, c.id == a.cluster_id)
        .outerjoin(last, true())
        .where(in_scope(scope, PROJECTS.c.name, APPLICATIONS.c.name))
    )


def _filtered(wanted: ApplicationFilter, fresh: Freshness) -> list[ColumnElement[bool]]:
    a, c = APPLICATIONS.c, CLUSTERS.c
    found = [selects(wanted.selector, a.labels), named_like(a.name, wanted.name)]
    if wanted.projects:
        found.append(PROJECTS.c.name.in_(wanted.projects))
    if wanted.cluster:
        found.append(or_(c.name == wanted.cluster, c.server == wanted.cluster))
    if wanted.namespace:
        found.append(a.namespace == wanted.namespace)
    if wanted.sync is not None:
        found.append(_shown(a.sync_status, fresh) == str(wanted.sync))
    if wanted.health is not None:
        found.append(_shown(a.health_status, fresh) == str(wanted.health))
    if wanted.repo:
        r = REPOSITORIES.c
        reads = select(SOURCES.c.position).join(REPOSITORIES, r.id == SOURCES.c.repository_id)
        same = or_(r.url == wanted.repo, r.canonical_url == wanted.repo)
        found.append(exists(reads.where(SOURCES.c.application_id == a.id, same)))
    return found


async def _sources_of(tx: Tx, applications: Sequence[UUID]) -> Mapping[UUID, list[AnyRow]]:
    """For each application its sources in order, with the state of repository and ref."""
    found: dict[UUID, list[AnyRow]] = defaultdict(list)
    if not applications:
        return found
    s, r, f = SOURCES.c, REPOSITORIES.c, REFS.c
    same_ref = and_(
        f.repository_id == s.repository_id,
        f.chart == s.chart,
        f.target_revision == s.target_revision,
    )
    query = (
        select(
            *(s.application_id, s.position, s.target_revision, s.hydration),
            *(r.url, r.failing_since, r.message),
            *(f.revision, f.evaluated),
            f.message.label("ref_message"),
            f.failing_since.label("ref_failing_since"),
        )
        .join(REPOSITORIES, r.id == s.repository_id)
        .outerjoin(REFS, same_ref)
        .where(s.application_id == func.any(list(applications)))
        .order_by(s.application_id, s.position)
    )
    for row in await tx.execute(query):
        found[row.application_id].append(row)
    return found


def _applied(sources: Sequence[AnyRow]) -> list[AnyRow]:
    """Without what a hydrator renders."""
    return [source for source in sources if source.position != DRY]


def _revision(row: AnyRow, source: AnyRow) -> str:
    """Where the ref is, once the application was looked at there and found unchanged or
    rendered; else the revision at which its inputs last changed."""
    looked_at = source.revision and source.revision == source.evaluated
    if looked_at and row.is_rendered and row.render_error is None:
        return str(source.revision)
    revisions: list[str] = row.revisions
    return revisions[source.position] if source.position < len(revisions) else ""


def _summary_of(row: AnyRow, sources: Sequence[AnyRow], fresh: Freshness) -> ApplicationSummary:
    destination, source = row.destination or {}, row.source or {}
    pin = holds_from_json(row.holds).at(fresh.now).pin
    first = _applied(sources)[:1]
    revision = _revision(row, first[0]) if first else ""
    automated = row.automated
    is_on = automated is not None and automated.get("enabled") is not False
    return ApplicationSummary(
        id=ApplicationId(row.id),
        name=row.name,
        project=row.project,
        cluster_id=ClusterId(row.cluster_id) if row.cluster_id else None,
        cluster=row.cluster or destination.get("name") or "",
        server=row.server or destination.get("server") or "",
        namespace=row.namespace,
        labels=row.labels,
        repo_url=source.get("repoURL") or "",
        path=source.get("path") or source.get("chart") or "",
        target_revision=source.get("targetRevision") or "",
        auto_sync=is_on,
        auto_prune=is_on and bool(automated.get("prune")),
        self_heal=is_on and bool(automated.get("selfHeal")),
        sync=SyncStatus(row.sync),
        health=_health(row, fresh),
        revision=revision if pin is None else pin.revision,
        conditions=_conditions(row, sources),
        stale_since=row.observed_at if row.is_stale else None,
        operation_phase=row.last_phase or "",
        created_at=row.created_at,
        deleting=row.is_deleting,
    )


def _health(row: AnyRow, fresh: Freshness) -> Health:
    if not row.is_stale:
        return Health(HealthStatus(row.health), row.health_message)
    since = f"stale since {_moment(row.observed_at)}, cluster {row.cluster}"
    until = row.paused_until
    if row.paused_by and (until is None or fresh.now < until):
        why = f"is paused by {row.paused_by}: {row.paused_reason}"
    elif row.cluster_queue == NOBODYS_QUEUE:
        why = "is reserved, and no live worker selects it"
    elif row.cluster_status == "Failed":
        why = f"unreachable: {row.cluster_message}"
    else:
        why = "was not read since: is a worker running?"
    return Health(HealthStatus.UNKNOWN, f"{since} {why}")


def _conditions(row: AnyRow, sources: Sequence[AnyRow]) -> tuple[Condition, ...]:
    """What a pass recorded, then what only the reader can know."""
    found = [
        Condition(entry["type"], entry["message"], _parsed(entry.get("lastTransitionTime")))
        for entry in row.conditions
    ]
    if row.render_error and all(entry.type != "ComparisonError" for entry in found):
        found.append(Condition("ComparisonError", row.render_error.get("message", "")))
    if row.is_deleting and (why := _why_deletion_waits(row)):
        found.append(Condition("DeletionError", why))
    if row.cluster_queue == NOBODYS_QUEUE:
        text = f"cluster {row.cluster} is reserved, and no live worker selects it"
        found.append(Condition("NoWorker", f"{text}: nothing is seen or done there"))
    found += hydration_conditions(sources)
    shown = ", showing last good revision" if row.revisions else ""
    for source in sources:
        if source.failing_since is not None:
            what, since = f"repository {source.url} unreachable", source.failing_since
            message = source.message
        elif source.ref_failing_since is not None:
            what = f"{source.target_revision or 'HEAD'} of {source.url} not found"
            since, message = source.ref_failing_since, source.ref_message
        else:
            continue
        text = f"{what} since {_moment(since)}{shown}: {message}"
        # the render failed for the same reason: said once, with since when
        found = [entry for entry in found if entry.message != message]
        found.append(Condition("ComparisonError", text, since))
    return tuple(dict.fromkeys(found))


def _why_deletion_waits(row: AnyRow) -> str:
    """What it needs a cluster for that is not there; "" when it gets on."""
    if row.cluster_status == "Failed":
        why = f"does not answer: {row.cluster_message}"
    elif row.paused_by:
        why = f"is paused by {row.paused_by}: {row.paused_reason}"
    else:
        return ""
    return (
        f"the deletion waits for cluster {row.cluster}, which {why};"
        f" `fleet app delete {row.name} --force-forget` leaves its objects where they are"
    )


def _parsed(moment: str | None) -> datetime | None:
    return datetime.fromisoformat(moment) if moment else None


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
