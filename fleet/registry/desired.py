"""From a moved ref to the applications that it touches, and what they render to now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from fleet.model.applications import Urgency
from fleet.model.ids import ApplicationId, ClusterId, RepositoryId
from fleet.registry import sightings
from fleet.registry.database import Tx
from fleet.registry.locking import lock_applications
from fleet.registry.statements import text


@dataclass(frozen=True, slots=True)
class FollowedSource:
    """One source of an application: what it follows, where that is now, what the last
    render of it read (``inputs``, empty when it was never rendered)."""

    repository_id: RepositoryId
    chart: str
    path: str
    target_revision: str
    revision: str  # "" while the ref was never resolved
    inputs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pending:
    """An application that may have to be rendered again."""

    id: ApplicationId
    name: str
    project: str
    project_document: dict[str, Any]
    namespace: str
    document: dict[str, Any]
    generation: int
    rendered_generation: int
    refresh: str
    manifests_sha256: str
    revisions: tuple[str, ...]
    error: dict[str, Any] | None  # of the last render, when that failed
    cluster_id: ClusterId | None
    cluster_name: str
    cluster_server: str
    kube_version: str
    api_versions: tuple[str, ...]
    sources: tuple[FollowedSource, ...]
    plugins: str  # stands for all that are registered; "" when there are none
    signing_keys: str  # likewise
    decryption_keys: tuple[str, ...]  # ids of those that its project may use
    values_digest: str | None  # of what stood in the cluster at the last render

    @property
    def seen(self) -> tuple[str, ...]:
        """Where the ref of each source was when this was read."""
        return tuple(source.revision for source in self.sources)


#: What failed for a reason that may go away without a commit is tried again after this.
RETRY = timedelta(minutes=5)
#: Failures that equal inputs repeat.
_LASTING = ["RenderError", "SpecInvalid"]

_SELECT = """
    select a.id, a.name, p.name as project,
      coalesce(p.effective, p.document) as project_document, a.namespace, a.document,
      a.generation, a.rendered_generation, a.refresh, a.manifests_sha256,
      a.revisions, a.render_error, a.cluster_id, a.values_digest,
      coalesce(c.name, '') as cluster_name, coalesce(c.server, '') as cluster_server,
      coalesce(c.version, '') as version, coalesce(c.api_versions, '{}') as api_versions,
      (select jsonb_agg(jsonb_build_object('repository', s.repository_id, 'chart', s.chart,
          'path', s.path, 'target', s.target_revision, 'revision', coalesce(r.revision, ''),
          'inputs', s.inputs) order by s.position)
        from application_sources s left join repository_refs r
          on r.repository_id = s.repository_id and r.chart = s.chart
          and r.target_revision = s.target_revision
        where s.application_id = a.id and s.position >= 0) as sources,
      (select coalesce(md5(string_agg(g.name || ' ' || g.document::text, ' ' order by g.name)), '')
        from plugins g) as plugins,
      (select coalesce(md5(string_agg(k.id, ' ' order by k.id)), '') from signing_keys k)
        as signing_keys,
      array(select distinct d.recipient from decryption_keys d
        where d.project_id is null or d.project_id = a.project_id order by 1) as decryption_keys
    from applications a join projects p on p.id = a.project_id
      left join clusters c on c.id = a.cluster_id
"""
_OF_REPOSITORY = """
    where a.id in (
      select s.application_id from application_sources s
        join applications b on b.id = s.application_id
        left join repository_refs r on r.repository_id = s.repository_id
          and r.chart = s.chart and r.target_revision = s.target_revision
      where s.repository_id = :repository
        and (r.revision <> r.evaluated or b.generation > b.rendered_generation
          or b.refresh <> '' or (b.render_error is not null and b.rendered_at < :retry_before
            and b.render_error ->> 'type' <> all(:lasting))))
    order by c.name, a.name
"""


async def pending_renders(tx: Tx, repository: RepositoryId, now: datetime) -> tuple[Pending, ...]:
    """Applications with a source in the repository whose ref moved, whose own document
    changed, that somebody asked to refresh, or whose render failed and may not fail again.

    By cluster, then by name: who takes them in parts has a cluster's together, and its pass
    finds all of them."""
    rows = await tx.execute(
        text(_SELECT + _OF_REPOSITORY),
        {"repository": repository, "retry_before": now - RETRY, "lasting": _LASTING},
    )
    return tuple(_pending_of(row) for row in rows.mappings())


async def inputs_of(tx: Tx, application: ApplicationId) -> Pending | None:
    """What one application renders from, whether or not it has to be rendered; None when it
    is gone."""
    rows = await tx.execute(text(_SELECT + " where a.id = :id"), {"id": application})
    found = rows.mappings().one_or_none()
    return None if found is None else _pending_of(found)


async def repositories_of(
    tx: Tx, applications: Sequence[ApplicationId]
) -> tuple[RepositoryId, ...]:
    """Those that applications render from, to be polled."""
    rows = await tx.execute(
        text(
            "select distinct repository_id from application_sources"
            " where application_id = any(:ids)"
        ),
        {"ids": list(applications)},
    )
    return tuple(RepositoryId(row[0]) for row in rows)


def _pending_of(row: Any) -> Pending:
    return Pending(
        id=ApplicationId(row["id"]),
        name=row["name"],
        project=row["project"],
        project_document=row["project_document"],
        namespace=row["namespace"],
        document=row["document"],
        generation=row["generation"],
        rendered_generation=row["rendered_generation"],
        refresh=row["refresh"],
        manifests_sha256=row["manifests_sha256"],
        revisions=tuple(row["revisions"]),
        error=row["render_error"],
        cluster_id=ClusterId(row["cluster_id"]) if row["cluster_id"] else None,
        cluster_name=row["cluster_name"],
        cluster_server=row["cluster_server"],
        kube_version=row["version"],
        api_versions=tuple(row["api_versions"]),
        sources=tuple(_source_of(source) for source in row["sources"] or ()),
        plugins=row["plugins"],
        signing_keys=row["signing_keys"],
        decryption_keys=tuple(row["decryption_keys"]),
        values_digest=row["values_digest"],
    )


def _source_of(source: dict[str, Any]) -> FollowedSource:
    return FollowedSource(
        repository_id=source["repository"],
        chart=source["chart"],
        path=source["path"],
        target_revision=source["target"],
        revision=source["revision"],
        inputs=source["inputs"],
    )


@dataclass(frozen=True, slots=True)
class Rendered:
    """What became of one application's render.

    ``error`` is the one error shape; then what was desired before stays desired.
    ``inputs`` has one entry a source, in order. ``seen`` says where the sources' refs were
    when the render began; None does not ask whether they are still there. ``values_digest``
    stands for what stood in the cluster, None where nothing of it was asked for.
    """

    id: ApplicationId
    generation: int
    manifests_sha256: str
    revisions: tuple[str, ...]
    inputs: tuple[dict[str, Any], ...]
    warnings: tuple[str, ...] = ()
    error: dict[str, Any] | None = None
    seen: tuple[str, ...] | None = None
    values_digest: str | None = None


_RECORD = """
    with r as (select * from jsonb_to_recordset(cast(:rows as jsonb)) as r(id uuid,
        generation integer, sha text, revisions jsonb, warnings jsonb, error jsonb, seen jsonb,
        values text)),
    now_at as (select r.id, jsonb_agg(coalesce(f.revision, '') order by s.position) as revisions
      from r join application_sources s on s.application_id = r.id and s.position >= 0
        left join repository_refs f on f.repository_id = s.repository_id
          and f.chart = s.chart and f.target_revision = s.target_revision
      group by r.id),
    done as (update applications a set
        manifests_sha256 = case when r.error is null then r.sha else a.manifests_sha256 end,
        revisions = case when r.error is null
          then array(select jsonb_array_elements_text(r.revisions)) else a.revisions end,
        rendered_generation = r.generation, rendered_at = now(),
        values_digest = r.values,
        render_warnings = r.warnings, render_error = r.error, refresh = '',
        urgency = case when a.refresh = '' and a.render_error = r.error then a.urgency
          else least(a.urgency,
            case when a.refresh in ('normal', 'hard') then :person else :desired end) end,
        dirty_at = case when a.refresh = '' and a.render_error = r.error then a.dirty_at
          else clock_timestamp() end
      from r left join now_at n on n.id = r.id
      where a.id = r.id and (r.seen is null or jsonb_typeof(r.seen) = 'null'
        or (a.generation = r.generation and r.seen = n.revisions))
      returning a.id, a.cluster_id)
    select id, cluster_id from done
"""


async def record_rendered(tx: Tx, rendered: Sequence[Rendered]) -> frozenset[ClusterId]:
    """Write what applications want now and mark them; returns the clusters to wake.

    A render that was overtaken is dropped: a ref that moved meanwhile, or a document that
    changed, has an evaluation of its own coming, which saw more. The same failure as before
    wakes nobody.
    """
    if not rendered:
        return frozenset()
    await lock_applications(tx, [entry.id for entry in rendered])
    rows = [
        {
            "id": entry.id,
            "generation": entry.generation,
            "sha": entry.manifests_sha256,
            "revisions": list(entry.revisions),
            "warnings": list(entry.warnings),
            "error": entry.error,
            "seen": entry.seen,
            "values": entry.values_digest,
        }
        for entry in rendered
    ]
    done = await tx.execute(
        text(_RECORD),
        {
            "rows": orjson.dumps(rows).decode(),
            "person": Urgency.PERSON,
            "desired": Urgency.DESIRED,
        },
    )
    clusters = {row.id: row.cluster_id for row in done}
    await _record_inputs(tx, [entry for entry in rendered if entry.id in clusters])
    return frozenset(ClusterId(cluster) for cluster in clusters.values() if cluster is not None)


async def _record_inputs(tx: Tx, rendered: Sequence[Rendered]) -> None:
    inputs = [
        {"id": entry.id, "position": position, "inputs": value}
        for entry in rendered
        for position, value in enumerate(entry.inputs)
    ]
    if inputs:
        await tx.execute(
            text(
                "update application_sources s set inputs = r.inputs"
                " from jsonb_to_recordset(cast(:rows as jsonb))"
                " as r(id uuid, position smallint, inputs jsonb)"
                " where s.application_id = r.id and s.position = r.position"
            ),
            {"rows": orjson.dumps(inputs).decode()},
        )


async def look_again(tx: Tx, applications: Sequence[ApplicationId]) -> frozenset[ClusterId]:
    """Somebody asked to refresh and desired stayed the same: have live read again.

    Returns the clusters to wake.
    """
    if not applications:
        return frozenset()
    ids = list(applications)
    await tx.execute(
        text(
            "update resources set seen_version = :refresh"
            " where application_id = any(:ids) and in_inventory"
        ),
        {"ids": ids, "refresh": sightings.any_version()},
    )
    rows = await tx.execute(
        text(
            "update applications set refresh = '', urgency = :person,"
            " dirty_at = clock_timestamp() where id = any(:ids) returning cluster_id"
        ),
        {"ids": ids, "person": Urgency.PERSON},
    )
    return frozenset(ClusterId(row[0]) for row in rows if row[0] is not None)


async def check_facts(tx: Tx, cluster: ClusterId) -> tuple[RepositoryId, ...]:
    """The cluster changed its version or kinds: have its applications evaluated again.

    Returns the repositories to poll. Only renders that read those facts are made anew.
    """
    await tx.execute(
        text(
            "update applications set refresh = 'facts'"
            " where cluster_id = :id and refresh = '' and rendered_generation > 0"
        ),
        {"id": cluster},
    )
    rows = await tx.execute(
        text(
            "select distinct s.repository_id from application_sources s"
            " join applications a on a.id = s.application_id"
            " where a.cluster_id = :id and a.refresh = 'facts'"
        ),
        {"id": cluster},
    )
    return tuple(RepositoryId(row[0]) for row in rows)


async def check_all(tx: Tx, project: UUID | None = None) -> tuple[RepositoryId, ...]:
    """Plugins, keys or what a project demands of signatures changed: have every
    application (of the project) evaluated again.

    Returns the repositories to poll. Only what the change concerns is rendered anew.
    """
    await tx.execute(
        text(
            "update applications set refresh = 'facts'"
            " where refresh = '' and rendered_generation > 0"
            " and (cast(:project as uuid) is null or project_id = :project)"
        ),
        {"project": project},
    )
    rows = await tx.execute(
        text(
            "select distinct s.repository_id from application_sources s"
            " join applications a on a.id = s.application_id where a.refresh = 'facts'"
        )
    )
    return tuple(RepositoryId(row[0]) for row in rows)


async def facts_checked(tx: Tx, applications: Sequence[ApplicationId]) -> None:
    """These render to the same with the cluster's new facts."""
    if applications:
        await tx.execute(
            text("update applications set refresh = '' where id = any(:ids) and refresh = 'facts'"),
            {"ids": list(applications)},
        )


async def mark_evaluated(
    tx: Tx, repository: RepositoryId, refs: Sequence[tuple[str, str, str]]
) -> None:
    """Every application that follows these refs was looked at, at these revisions.

    Args:
        refs: ``(chart, target revision, revision)``.
    """
    if refs:
        await tx.execute(
            text(
                "update repository_refs r set evaluated = e.revision from unnest("
                " cast(:charts as text[]), cast(:targets as text[]), cast(:revisions as text[]))"
                " as e(chart, target, revision) where r.repository_id = :repository"
                " and r.chart = e.chart and r.target_revision = e.target"
                " and r.evaluated <> e.revision"
            ),
            {
                "repository": repository,
                "charts": [chart for chart, _, _ in refs],
                "targets": [target for _, target, _ in refs],
                "revisions": [revision for _, _, revision in refs],
            },
        )
