"""Objects in the namespaces of applications that belong to nobody, as found last."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from fleet.model.applications import Urgency
from fleet.model.ids import ApplicationId, ClusterId
from fleet.model.objects import ObjectRef
from fleet.registry.database import Tx
from fleet.registry.locking import lock_applications
from fleet.registry.statements import text

#: Of one application; of more it is told that there are more.
MOST = 1000


@dataclass(frozen=True, slots=True)
class Monitored:
    """An application whose project wants to know of orphans, or did."""

    id: ApplicationId
    namespace: str
    project_document: dict[str, Any]
    orphans: tuple[ObjectRef, ...]


async def monitored(tx: Tx, cluster: ClusterId) -> tuple[Monitored, ...]:
    rows = await tx.execute(
        text(
            "select a.id, a.namespace, p.document, a.orphans from applications a"
            " join projects p on p.id = a.project_id where a.cluster_id = :cluster"
            " and (p.document #> '{spec,orphanedResources}' is not null or a.orphans <> '[]')"
            " order by a.id"
        ),
        {"cluster": cluster},
    )
    return tuple(
        Monitored(
            ApplicationId(id), namespace, document, tuple(ObjectRef.from_key(key) for key in keys)
        )
        for id, namespace, document, keys in rows
    )


async def wanted_in(
    tx: Tx, cluster: ClusterId, namespaces: Collection[str]
) -> frozenset[ObjectRef]:
    """What applications have or want in the namespaces, whichever they are."""
    rows = await tx.execute(
        text(
            "select api_group, kind, namespace, name from resources"
            " where cluster_id = :cluster and namespace = any(:namespaces)"
        ),
        {"cluster": cluster, "namespaces": list(namespaces)},
    )
    return frozenset(ObjectRef(*row) for row in rows)


async def record(tx: Tx, found: Mapping[ApplicationId, Sequence[ObjectRef]]) -> None:
    """Write down what changed, and have it shown by the next pass."""
    await lock_applications(tx, found)
    entries = [
        {"id": str(id), "orphans": [ref.key for ref in refs[:MOST]]} for id, refs in found.items()
    ]
    await tx.execute(
        text(
            "update applications a set orphans = f.orphans, dirty_at = clock_timestamp(),"
            " urgency = least(a.urgency, :refresh)"
            " from jsonb_to_recordset(cast(:found as jsonb)) as f(id uuid, orphans jsonb)"
            " where a.id = f.id"
        ),
        {"found": orjson.dumps(entries).decode(), "refresh": Urgency.REFRESH},
    )
