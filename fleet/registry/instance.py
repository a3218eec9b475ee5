"""The one row that says which Fleet this is."""

from __future__ import annotations

from typing import NewType
from uuid import UUID

from fleet.model.applications import Urgency
from fleet.model.ids import ClusterId
from fleet.registry import sightings
from fleet.registry.database import Tx
from fleet.registry.statements import text

InstanceId = NewType("InstanceId", UUID)


async def instance_id(tx: Tx) -> InstanceId:
    """Marks every object that this Fleet applies."""
    return InstanceId((await tx.execute(text("select id from instance"))).scalar_one())


async def put_resource_settings(tx: Tx, digest: str) -> bool:
    """Note which settings about resources are in force; says whether they are new."""
    changed = await tx.execute(
        text("update instance set resource_settings = :digest where resource_settings <> :digest"),
        {"digest": digest},
    )
    return bool(changed.rowcount)


async def hold_passes(tx: Tx) -> None:
    """Have passes wait with what they write until the transaction ends, before it marks what is
    theirs: else each would wait for rows that the other holds."""
    await tx.execute(text("select from clusters order by id for no key update"))


async def look_at_everything(tx: Tx) -> tuple[ClusterId, ...]:
    """Have every object and application looked at again when its cluster is read next; returns
    the clusters."""
    await hold_passes(tx)
    await tx.execute(
        text("update resources set seen_version = :refresh where in_inventory"),
        {"refresh": sightings.any_version()},
    )
    marked = await tx.execute(
        text(
            "with marked as (update applications set urgency = least(urgency, :refresh),"
            "   dirty_at = clock_timestamp() where cluster_id is not null returning cluster_id)"
            " select distinct cluster_id from marked"
        ),
        {"refresh": Urgency.REFRESH},
    )
    return tuple(ClusterId(row[0]) for row in marked)


async def put_default_interval(tx: Tx, seconds: int) -> None:
    """Tell the audit views how often a cluster is read that sets nothing itself."""
    await tx.execute(
        text(
            "update instance set default_interval_seconds = :seconds"
            " where default_interval_seconds <> :seconds"
        ),
        {"seconds": seconds},
    )
