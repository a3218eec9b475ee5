"""What was seen of objects by their metadata alone: by a watch, or in a LIST.

A sighting is a mark on the object's row, ``seen_version``, until somebody looked into it; it
marks the application, too. One that a watch makes while a pass is at work stays.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from fleet.model.applications import Urgency
from fleet.model.ids import ApplicationId, ClusterId
from fleet.model.objects import GroupKind, ObjectRef
from fleet.registry.database import Tx
from fleet.registry.locking import lock_applications, lock_cluster
from fleet.registry.statements import text
from fleet.registry.together import Writes

#: What ``seen_version`` says of an object that a LIST found deleted; see ``gone``.
GONE = "gone"
#: … of one whose kind could not be listed.
UNLISTED = "unlisted"


def gone(version: str) -> str:
    """What ``seen_version`` says of an object that was deleted at that resourceVersion: a look
    that began before must not pass for one at what was seen since."""
    return f"{GONE} {version}"


def any_version() -> str:
    """What ``seen_version`` says of one to look into whatever its version. It is another one
    each time, for the same reason."""
    return f"refresh {secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class InventoryRow:
    """The little of a resource that a comparison by metadata needs."""

    application_id: ApplicationId
    ref: ObjectRef
    uid: str
    resource_version: str
    seen_version: str


async def inventory(tx: Tx, cluster: ClusterId, kind: GroupKind) -> dict[ObjectRef, InventoryRow]:
    """Every inventory object of one kind on the cluster."""
    rows = await tx.execute(
        text(
            "select application_id, namespace, name, uid, resource_version, seen_version"
            " from resources where cluster_id = :id and api_group = :group and kind = :kind"
            " and in_inventory"
        ),
        {"id": cluster, "group": kind.group, "kind": kind.kind},
    )
    found: dict[ObjectRef, InventoryRow] = {}
    for application, namespace, name, uid, version, seen in rows:
        ref = ObjectRef(kind.group, kind.kind, namespace, name)
        found[ref] = InventoryRow(ApplicationId(application), ref, uid, version, seen)
    return found


async def mark_seen(
    tx: Tx, cluster: ClusterId, seen: Sequence[tuple[ObjectRef, str]]
) -> frozenset[ApplicationId]:
    """Note that objects were seen at another version than the one recorded.

    Args:
        seen: the object and its resourceVersion, or what else ``seen_version`` may say.

    Returns:
        The applications that now have something to look at; they are marked as drifted.
    """
    if not seen:
        return frozenset()
    await lock_cluster(tx, cluster)
    marked = await tx.execute(
        text(
            "with seen as (select * from unnest(cast(:groups as text[]), cast(:kinds as text[]),"
            "   cast(:namespaces as text[]), cast(:names as text[]), cast(:versions as text[]))"
            "   as s(api_group, kind, namespace, name, version)),"
            " marked as (update resources r set seen_version = s.version from seen s"
            "   where r.cluster_id = :cluster and r.api_group = s.api_group and r.kind = s.kind"
            "   and r.namespace = s.namespace and r.name = s.name and r.in_inventory"
            "   and r.resource_version <> s.version and r.seen_version <> s.version"
            "   returning r.application_id)"
            " select distinct application_id from marked"
        ),
        {
            "cluster": cluster,
            "groups": [ref.group for ref, _ in seen],
            "kinds": [ref.kind for ref, _ in seen],
            "namespaces": [ref.namespace for ref, _ in seen],
            "names": [ref.name for ref, _ in seen],
            "versions": [version for _, version in seen],
        },
    )
    applications = frozenset(ApplicationId(row[0]) for row in marked)
    await _mark_drifted(tx, applications)
    return applications


async def _mark_drifted(tx: Tx, applications: frozenset[ApplicationId]) -> None:
    if not applications:
        return
    await lock_applications(tx, applications)
    await tx.execute(
        text(
            "update applications set urgency = least(urgency, :drift),"
            " dirty_at = clock_timestamp() where id = any(:ids)"
        ),
        {"drift": Urgency.DRIFT, "ids": list(applications)},
    )


async def mark_unlisted(tx: Tx, cluster: ClusterId, kind: GroupKind, why: str) -> None:
    """Nothing is known about the objects of a kind any more: shown as such, until it can be
    listed again."""
    marked = await tx.execute(
        text(
            "with marked as (update resources set sync_status = 'Unknown', message = :why,"
            "   seen_version = :unlisted where cluster_id = :cluster and api_group = :group"
            "   and kind = :kind and in_inventory and seen_version = ''"
            "   returning application_id)"
            " select distinct application_id from marked"
        ),
        {
            "cluster": cluster,
            "group": kind.group,
            "kind": kind.kind,
            "why": why,
            "unlisted": UNLISTED,
        },
    )
    await _mark_drifted(tx, frozenset(ApplicationId(row[0]) for row in marked))


async def clear_seen(tx: Writes, looked: Sequence[tuple[ApplicationId, ObjectRef, str]]) -> None:
    """Objects were looked into because of what was seen; what was seen later stays.

    Args:
        looked: application, object, and the ``seen`` that the look began from.
    """
    if not looked:
        return
    await tx.execute(
        text(
            "update resources r set seen_version = '' from unnest(cast(:ids as uuid[]),"
            " cast(:groups as text[]), cast(:kinds as text[]), cast(:namespaces as text[]),"
            " cast(:names as text[]), cast(:seen as text[]))"
            " as d(id, api_group, kind, namespace, name, seen)"
            " where r.application_id = d.id and r.api_group = d.api_group and r.kind = d.kind"
            " and r.namespace = d.namespace and r.name = d.name and r.seen_version = d.seen"
        ),
        {
            "ids": [application for application, _, _ in looked],
            "groups": [ref.group for _, ref, _ in looked],
            "kinds": [ref.kind for _, ref, _ in looked],
            "namespaces": [ref.namespace for _, ref, _ in looked],
            "names": [ref.name for _, ref, _ in looked],
            "seen": [seen for _, _, seen in looked],
        },
    )


async def kinds_seen(tx: Tx) -> tuple[GroupKind, ...]:
    """Every kind that has an object in some inventory."""
    rows = await tx.execute(text("select distinct unnest(managed_kinds) from clusters"))
    found = {GroupKind(*entry.split("/")[:2]) for (entry,) in rows}
    return tuple(sorted(found))


async def mark_kinds(tx: Tx, kinds: Sequence[GroupKind]) -> frozenset[ClusterId]:
    """Have every object of some kinds looked into; returns the clusters to wake."""
    if not kinds:
        return frozenset()
    await tx.execute(text("select 1 from clusters order by id for no key update"))
    marked = await tx.execute(
        text(
            "with kinds as (select * from unnest(cast(:groups as text[]), cast(:kinds as text[]))"
            "   as k(api_group, kind)),"
            " marked as (update resources r set seen_version = :refresh from kinds k"
            "   where r.api_group = k.api_group and r.kind = k.kind and r.in_inventory"
            "   returning r.application_id, r.cluster_id)"
            " select distinct application_id, cluster_id from marked"
        ),
        {
            "groups": [kind.group for kind in kinds],
            "kinds": [kind.kind for kind in kinds],
            "refresh": any_version(),
        },
    )
    found = marked.all()
    await _mark_drifted(tx, frozenset(ApplicationId(row[0]) for row in found))
    return frozenset(ClusterId(row[1]) for row in found)
