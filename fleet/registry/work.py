"""What a cluster pass reads and writes: few statements, whatever the number of applications.

Every write of a pass goes through ``fence``: the pass that began last wins, and an older
one, frozen and woken up, finds LeaseLost instead of a row to spoil. A row that a watch
marks while the pass is at work stays marked: ``dirty_at`` tells the two apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import orjson

from fleet.errors import LeaseLost
from fleet.model.applications import LiveResource
from fleet.model.health import Health, HealthStatus, SyncStatus
from fleet.model.holds import Holds
from fleet.model.ids import ApplicationId, ClusterId, OperationId
from fleet.model.objects import GroupKind, ObjectRef
from fleet.registry.database import Tx
from fleet.registry.sightings import UNLISTED
from fleet.registry.statements import text
from fleet.registry.together import Together, Writes, together


async def fence(tx: Tx, cluster: ClusterId, epoch: int) -> None:
    """Lock the cluster's row for this transaction, or find out that a newer pass owns it.

    Raises:
        LeaseLost: a pass with a higher epoch has written since.
    """
    async with together(tx) as said:
        fence_all(said, {cluster: epoch})


# A row that says so already is locked and not written again.
_FENCE = """
    with held as (
        select c.id, w.epoch from clusters c
          join unnest(cast(:ids as uuid[]), cast(:epochs as bigint[])) as w(id, epoch)
            on w.id = c.id
         where c.id = any(:ids) and c.pass_epoch <= w.epoch
           for no key update of c {waiting}
    ), moved as (
        update clusters c set pass_epoch = h.epoch from held h
         where c.id = h.id and c.id = any(:ids) and c.pass_epoch < h.epoch
    )
    select id from held
"""
_FENCE_ONE = _FENCE.format(waiting="")
_FENCE_MANY = _FENCE.format(waiting="skip locked")


def fence_all(said: Together, epochs: Mapping[ClusterId, int], *, waits: bool = True) -> None:
    """``fence`` for what is said together, as the first of it: all of the clusters, or none.

    Args:
        waits: for a row that another transaction holds; else that is LeaseLost, too, and no
            deadlock can come of many.
    """
    said.demand(
        text(_FENCE_ONE if waits else _FENCE_MANY),
        {"ids": list(epochs), "epochs": list(epochs.values())},
        len(epochs),
        LeaseLost("a newer pass over this cluster has begun; this one stops"),
    )


async def is_newest(tx: Tx, cluster: ClusterId, epoch: int) -> bool:
    """Whether no pass with a higher epoch has written since."""
    found = await tx.execute(
        text("select pass_epoch <= :epoch from clusters where id = :id"),
        {"epoch": epoch, "id": cluster},
    )
    return bool(found.scalar_one_or_none())


async def to_observe(
    tx: Tx, cluster: ClusterId
) -> tuple[tuple[tuple[GroupKind, str], ...], bool, bool]:
    """Kinds that have objects in an inventory on the cluster, each with a version; whether
    somebody wants to know of orphans, or did; and whether values of charts stand there."""
    rows = await tx.execute(
        text(
            "select managed_kinds, exists(select from applications a"
            "  join projects p on p.id = a.project_id where a.cluster_id = c.id"
            "  and (p.document #> '{spec,orphanedResources}' is not null or a.orphans <> '[]')),"
            " exists(select from applications a"
            "  where a.cluster_id = c.id and a.values_digest is not null)"
            " from clusters c where id = :id"
        ),
        {"id": cluster},
    )
    row = rows.one_or_none()
    return (kinds_of(row[0]), bool(row[1]), bool(row[2])) if row else ((), False, False)


def kinds_of(stored: Iterable[str]) -> tuple[tuple[GroupKind, str], ...]:
    """``clusters.managed_kinds`` as values."""
    found = []
    for entry in stored:
        group, kind, version = entry.split("/")
        found.append((GroupKind(group, kind), version))
    return tuple(found)


async def note_kinds(tx: Writes, of: Sequence[ClusterId]) -> None:
    """Write down which kinds are managed, where that changed; inventories say which."""
    if not of:
        return
    await tx.execute(
        text(
            "with found as (select id, array("
            "   select api_group || '/' || kind || '/' || max(version) as entry"
            "   from resources where cluster_id = k.id and in_inventory"
            "   group by api_group, kind order by entry) as kinds"
            "  from unnest(cast(:ids as uuid[])) as k(id))"
            " update clusters c set managed_kinds = f.kinds from found f"
            " where c.id = f.id and c.id = any(:ids) and c.managed_kinds <> f.kinds"
        ),
        {"ids": list(of)},
    )


@dataclass(frozen=True, slots=True)
class DirtyApplication:
    """An application that a pass has to look at, with all that it decides from."""

    id: ApplicationId
    name: str
    project: str
    project_document: dict[str, Any]
    namespace: str
    document: dict[str, Any]
    generation: int
    rendered_generation: int
    revisions: tuple[str, ...]
    manifests_sha256: str
    render_error: dict[str, Any] | None
    render_warnings: tuple[str, ...]
    sync: SyncStatus
    health: Health
    conditions: tuple[dict[str, Any], ...]
    images: tuple[str, ...]
    urgency: int
    dirty_at: datetime | None
    refresh: str
    operation_id: OperationId | None
    operation_created_at: datetime | None
    attempted_key: str
    attempts: int
    attempt_phase: str
    attempted_at: datetime | None
    heals: int
    healed_at: datetime | None
    due_at: datetime | None
    synced_revision: str
    deleting: dict[str, Any] | None
    holds: Holds
    judged_key: str  # what its standing is about
    is_child: bool  # another application has it in Git
    orphans: tuple[str, ...] = ()
    #: generation of ``argocd-cm``; 0: there is none
    customized: int = 0


@dataclass(frozen=True, slots=True)
class ResourceRow:
    """A resource as recorded, and what was seen of it since: ``stale`` when its body has to
    be read again."""

    live: LiveResource
    seen: str  # what a watch or a LIST saw since; "" when nothing

    @property
    def stale(self) -> bool:
        unread = ("", UNLISTED, self.live.resource_version)
        return self.seen not in unread


async def resources_of(
    tx: Tx, applications: Sequence[ApplicationId]
) -> dict[ApplicationId, tuple[ResourceRow, ...]]:
    """The recorded resources of some applications, by application, sorted by object."""
    found: dict[ApplicationId, list[ResourceRow]] = {id: [] for id in applications}
    rows = await tx.execute(
        text("select * from resources where application_id = any(:ids) order by 2, 3, 4, 5"),
        {"ids": list(applications)},
    )
    for row in rows.mappings():
        found[ApplicationId(row["application_id"])].append(resource_of(row))
    return {id: tuple(entries) for id, entries in found.items()}


def resource_of(row: Any) -> ResourceRow:
    """A row of ``resources``, or the same as JSON."""
    health = row["health_status"]
    live = LiveResource(
        ref=ObjectRef(row["api_group"], row["kind"], row["namespace"], row["name"]),
        version=row["version"],
        sync=SyncStatus(row["sync_status"]),
        health=Health(HealthStatus(health), row["health_message"]) if health else None,
        wave=row["wave"],
        hook=row["hook"],
        requires_pruning=row["requires_pruning"],
        uid=row["uid"],
        resource_version=row["resource_version"],
        owned=row["owned"],
        owned_fields=row["owned_fields"],
        value_sha256=row["value_sha256"],
        applied_sha256=row["applied_sha256"],
        in_inventory=row["in_inventory"],
        message=row["message"],
        drift=tuple(row["drift"]),
        images=tuple(row["images"]),
        sync_options=row["sync_options"],
        ignore_extraneous=row["ignore_extraneous"],
    )
    return ResourceRow(live, row["seen_version"])


async def owners(
    tx: Tx, cluster: ClusterId, refs: Iterable[ObjectRef]
) -> dict[ObjectRef, tuple[ApplicationId, str]]:
    """Which application has each object in its inventory: ``(id, name)``; absent when none."""
    wanted = list(refs)
    rows = await tx.execute(
        text(
            "select r.api_group, r.kind, r.namespace, r.name, a.id, a.name from resources r"
            " join applications a on a.id = r.application_id"
            " where r.cluster_id = :cluster and r.in_inventory"
            " and (r.api_group, r.kind, r.namespace, r.name) in (select * from unnest("
            " cast(:groups as text[]), cast(:kinds as text[]), cast(:namespaces as text[]),"
            " cast(:names as text[])))"
        ),
        {
            "cluster": cluster,
            "groups": [ref.group for ref in wanted],
            "kinds": [ref.kind for ref in wanted],
            "namespaces": [ref.namespace for ref in wanted],
            "names": [ref.name for ref in wanted],
        },
    )
    return {
        ObjectRef(group, kind, namespace, name): (ApplicationId(id), owner)
        for group, kind, namespace, name, id, owner in rows
    }


_RESOURCE_COLUMNS = (
    ("version", "text"),
    ("uid", "text"),
    ("resource_version", "text"),
    ("owned", "text"),
    ("owned_fields", "jsonb"),
    ("value_sha256", "text"),
    ("applied_sha256", "text"),
    ("in_inventory", "boolean"),
    ("sync_status", "text"),
    ("health_status", "text"),
    ("health_message", "text"),
    ("wave", "integer"),
    ("hook", "boolean"),
    ("requires_pruning", "boolean"),
    ("message", "text"),
    ("drift", "jsonb"),
    ("sync_options", "text"),
    ("ignore_extraneous", "boolean"),
)
#: A resource, and whose it is where.
Found: TypeAlias = tuple[ClusterId, ApplicationId, LiveResource]
_KEYS = ("application_id", "api_group", "kind", "namespace", "name")


def _resource_upsert() -> str:
    columns = ", ".join(name for name, _ in _RESOURCE_COLUMNS)
    typed = ", ".join(f"{name} {kind}" for name, kind in _RESOURCE_COLUMNS)
    updates = ", ".join(f"{name} = excluded.{name}" for name, _ in _RESOURCE_COLUMNS)
    return (
        f"insert into resources ({', '.join(_KEYS)}, cluster_id, {columns}, images)"  # noqa: S608
        f" select application_id, api_group, kind, namespace, name, cluster_id, {columns},"
        "   array(select jsonb_array_elements_text(images))"
        " from jsonb_to_recordset(cast(:rows as jsonb)) as r(application_id uuid, cluster_id uuid,"
        f"  api_group text, kind text, namespace text, name text, {typed}, images jsonb)"
        f" on conflict ({', '.join(_KEYS)}) do update set {updates}, images = excluded.images,"
        " cluster_id = excluded.cluster_id"
    )


_UPSERT_RESOURCES = _resource_upsert()


async def put_resources(tx: Writes, entries: Sequence[Found]) -> None:
    """Insert or replace rows; what a watch has seen meanwhile (``seen_version``) stays."""
    if entries:
        rows = orjson.dumps([_resource_row(*entry) for entry in entries]).decode()
        await tx.execute(text(_UPSERT_RESOURCES), {"rows": rows})


def _resource_row(
    cluster: ClusterId, application: ApplicationId, entry: LiveResource
) -> dict[str, Any]:
    ref = entry.ref
    return {
        "application_id": application,
        "cluster_id": cluster,
        "api_group": ref.group,
        "kind": ref.kind,
        "namespace": ref.namespace,
        "name": ref.name,
        "version": entry.version,
        "uid": entry.uid,
        "resource_version": entry.resource_version,
        "owned": entry.owned,
        "owned_fields": entry.owned_fields,
        "value_sha256": entry.value_sha256,
        "applied_sha256": entry.applied_sha256,
        "in_inventory": entry.in_inventory,
        "sync_status": str(entry.sync),
        "health_status": str(entry.health.status) if entry.health else None,
        "health_message": entry.health.message if entry.health else "",
        "wave": entry.wave,
        "hook": entry.hook,
        "requires_pruning": entry.requires_pruning,
        "message": entry.message,
        "drift": list(entry.drift),
        "sync_options": entry.sync_options,
        "images": list(entry.images),
        "ignore_extraneous": entry.ignore_extraneous,
    }


async def remove_resources(tx: Writes, entries: Sequence[tuple[ApplicationId, ObjectRef]]) -> None:
    """Forget objects: pruned, or no longer wanted and never there."""
    if not entries:
        return
    await tx.execute(
        text(
            "delete from resources r using unnest(cast(:ids as uuid[]), cast(:groups as text[]),"
            " cast(:kinds as text[]), cast(:namespaces as text[]), cast(:names as text[]))"
            " as d(id, api_group, kind, namespace, name)"
            " where r.application_id = d.id and r.api_group = d.api_group and r.kind = d.kind"
            " and r.namespace = d.namespace and r.name = d.name"
        ),
        {
            "ids": [application for application, _ in entries],
            "groups": [ref.group for _, ref in entries],
            "kinds": [ref.kind for _, ref in entries],
            "namespaces": [ref.namespace for _, ref in entries],
            "names": [ref.name for _, ref in entries],
        },
    )
