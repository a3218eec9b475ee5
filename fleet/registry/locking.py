"""In which order rows are locked: transactions that write the same ones in different orders
end each other.

A pass, the events of a watch and a poll all write many applications at once, and PostgreSQL
takes the rows of one UPDATE in whatever order it finds them.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from fleet.model.ids import ClusterId
from fleet.registry.database import Tx
from fleet.registry.statements import text
from fleet.registry.together import Writes


async def lock_applications(tx: Writes, ids: Iterable[UUID]) -> None:
    """Lock applications, in one order for everybody, before an UPDATE of several."""
    await tx.execute(
        text("select 1 from applications where id = any(:ids) order by id for no key update"),
        {"ids": list(ids)},
    )


async def lock_cluster(tx: Tx, cluster: ClusterId) -> None:
    """Take turns with whoever writes resources of the cluster: a pass locks its row, too."""
    await tx.execute(
        text("select 1 from clusters where id = :id for no key update"), {"id": cluster}
    )
