"""Deployments: what runs where, from when until when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from fleet.model.ids import ApplicationId
from fleet.model.operations import Operation
from fleet.registry.database import Tx
from fleet.registry.statements import text
from fleet.registry.together import Writes


@dataclass(frozen=True, slots=True)
class Deployed:
    """A sync that succeeded: what runs from now on."""

    operation: Operation
    started_at: datetime
    deployed_at: datetime
    healthy: bool


async def record_deployments(tx: Writes, deployed: Sequence[Deployed]) -> None:
    """Close what ran until now and open what runs from now on.

    A sync that changed neither manifests nor revision opens nothing new.
    """
    if not deployed:
        return
    rows = [
        {
            "application_id": entry.operation.application_id,
            "operation_id": entry.operation.id,
            "application": entry.operation.application,
            "project": entry.operation.project,
            "cluster": entry.operation.cluster,
            "namespace": entry.operation.namespace,
            "revision": entry.operation.revision,
            "sources": list(entry.operation.sources),
            "manifests_sha256": entry.operation.manifests_sha256,
            "initiated_by": entry.operation.initiated_by,
            "started_at": entry.started_at,
            "deployed_from": entry.deployed_at,
            "healthy_at": entry.deployed_at if entry.healthy else None,
        }
        for entry in deployed
    ]
    await tx.execute(
        text(
            "with new as (select * from jsonb_to_recordset(cast(:rows as jsonb)) as r("
            " application_id uuid, operation_id uuid, application text, project text,"
            " cluster text, namespace text, revision text, sources jsonb, manifests_sha256 text,"
            " initiated_by text, started_at timestamptz, deployed_from timestamptz,"
            " healthy_at timestamptz)),"
            " fresh as (select n.* from new n where not exists (select from deployments d"
            "   where d.application_id = n.application_id and d.deployed_until is null"
            "   and d.application_id = any(:ids)"
            "   and d.manifests_sha256 = n.manifests_sha256 and d.revision = n.revision"
            "   and d.cluster = n.cluster and d.namespace = n.namespace)),"
            " closed as (update deployments d set deployed_until = f.deployed_from from fresh f"
            "   where d.application_id = f.application_id and d.deployed_until is null"
            "   and d.application_id = any(:ids))"
            " insert into deployments (application_id, number, operation_id, application,"
            "  project, cluster, namespace, revision, sources, manifests_sha256, initiated_by,"
            "  started_at, deployed_from, healthy_at)"
            " select f.application_id, coalesce((select max(number) + 1 from deployments d"
            "   where d.application_id = f.application_id), 0), f.operation_id, f.application,"
            "  f.project, f.cluster, f.namespace, f.revision, f.sources, f.manifests_sha256,"
            "  f.initiated_by, f.started_at, f.deployed_from, f.healthy_at from fresh f"
            " on conflict (operation_id) do nothing"
        ),
        {
            "rows": orjson.dumps(rows).decode(),
            "ids": [entry.operation.application_id for entry in deployed],
        },
    )


async def record_healthy(tx: Writes, applications: Sequence[ApplicationId], now: datetime) -> None:
    """Note the first moment at which the running deployment of each was Healthy."""
    if applications:
        await tx.execute(
            text(
                "update deployments set healthy_at = :now where application_id = any(:ids)"
                " and deployed_until is null and healthy_at is null"
            ),
            {"ids": list(applications), "now": now},
        )


async def close_deployments(tx: Tx, application: ApplicationId, now: datetime) -> None:
    """The application is gone: nothing of it runs any more."""
    await tx.execute(
        text(
            "update deployments set deployed_until = :now"
            " where application_id = :id and deployed_until is null"
        ),
        {"id": application, "now": now},
    )
