"""The one row that says which Fleet this is."""

from __future__ import annotations

from typing import NewType
from uuid import UUID

from fleet.registry.database import Tx
from fleet.registry.statements import text

InstanceId = NewType("InstanceId", UUID)


async def instance_id(tx: Tx) -> InstanceId:
    """Marks every object that this Fleet applies."""
    return InstanceId((await tx.execute(text("select id from instance"))).scalar_one())


async def put_default_interval(tx: Tx, seconds: int) -> None:
    """Tell the audit views how often a cluster is read that sets nothing itself."""
    await tx.execute(
        text(
            "update instance set default_interval_seconds = :seconds"
            " where default_interval_seconds <> :seconds"
        ),
        {"seconds": seconds},
    )
