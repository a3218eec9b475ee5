"""The one row that says which Fleet this is."""

from __future__ import annotations

from typing import NewType
from uuid import UUID

from fleet.model.applications import Urgency
from fleet.registry import sightings
from fleet.registry.database import Tx
from fleet.registry.statements import text

InstanceId = NewType("InstanceId", UUID)


async def instance_id(tx: Tx) -> InstanceId:
    """Marks every object that this Fleet applies."""
    return InstanceId((await tx.execute(text("select id from instance"))).scalar_one())


async def put_resource_settings(tx: Tx, digest: str) -> bool:
    """Note which settings about resources are in force. Where they are new, every application
    is looked at again when its cluster is read next.

    Returns: whether they are.
    """
    changed = await tx.execute(
        text("update instance set resource_settings = :digest where resource_settings <> :digest"),
        {"digest": digest},
    )
    if not changed.rowcount:
        return False
    await tx.execute(
        text("update resources set seen_version = :refresh where in_inventory"),
        {"refresh": sightings.any_version()},
    )
    await tx.execute(
        text(
            "update applications set urgency = least(urgency, :refresh),"
            " dirty_at = clock_timestamp() where cluster_id is not null"
        ),
        {"refresh": Urgency.REFRESH},
    )
    return True


async def put_default_interval(tx: Tx, seconds: int) -> None:
    """Tell the audit views how often a cluster is read that sets nothing itself."""
    await tx.execute(
        text(
            "update instance set default_interval_seconds = :seconds"
            " where default_interval_seconds <> :seconds"
        ),
        {"seconds": seconds},
    )
