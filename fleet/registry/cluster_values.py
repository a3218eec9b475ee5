"""Applications that read values of their charts from their cluster, and what they found there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fleet.model.ids import ApplicationId, ClusterId, RepositoryId
from fleet.registry.database import Tx
from fleet.registry.desired import repositories_of
from fleet.registry.statements import text


@dataclass(frozen=True, slots=True)
class Reader:
    """``digest`` stands for what was there at the last render."""

    id: ApplicationId
    name: str
    project: str
    project_document: dict[str, Any]
    namespace: str
    document: dict[str, Any]
    digest: str


async def readers(tx: Tx, cluster: ClusterId) -> tuple[Reader, ...]:
    """Those of a cluster, by name."""
    rows = await tx.execute(
        text(
            "select a.id, a.name, p.name as project,"
            " coalesce(p.effective, p.document) as project_document, a.namespace, a.document,"
            " a.values_digest as digest"
            " from applications a join projects p on p.id = a.project_id"
            " where a.cluster_id = :cluster and a.values_digest is not null order by a.name"
        ),
        {"cluster": cluster},
    )
    return tuple(Reader(**{**row, "id": ApplicationId(row["id"])}) for row in rows.mappings().all())


async def look_anew(tx: Tx, applications: Sequence[ApplicationId]) -> tuple[RepositoryId, ...]:
    """What they read has changed: have them evaluated again. Returns the repositories to poll."""
    await tx.execute(
        text("update applications set refresh = 'facts' where id = any(:ids) and refresh = ''"),
        {"ids": list(applications)},
    )
    return await repositories_of(tx, applications)
