"""Which columns are sealed, whether the key ring fits them, and moving them to a new key."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from fleet.errors import SealBroken
from fleet.model.scope import Actor
from fleet.model.secret import Secret
from fleet.registry.audit import record_change
from fleet.registry.database import Database, Tx
from fleet.registry.keyring import KeyRing
from fleet.registry.sealing import Place, open_sealed, rewrap, seal
from fleet.registry.tables import Base

BATCH = 100
_CHECK = Secret("fleet")
_LONGEST_PREFIX = 64  # version and key id of an envelope fit in


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """``key`` identifies the row. A value that does not start with ``v1:`` is no envelope;
    ``flag`` names a boolean column that tells the same without reading the value."""

    table: str
    key: str
    column: str
    flag: str = ""

    @property
    def name(self) -> str:
        return f"{self.table}.{self.column}"

    @property
    def from_table(self) -> sa.Table:
        return Base.metadata.tables[self.table]

    @property
    def is_bytes(self) -> bool:
        return isinstance(self.from_table.c[self.column].type, sa.LargeBinary)

    def kid(self) -> sa.ColumnElement[str]:
        """SQL for the key id; "" where the value is no envelope."""
        head: sa.ColumnElement[str] = self.from_table.c[self.column]
        if self.is_bytes:
            # `escape` never fails, whatever bytes an unsealed value starts with
            first = sa.func.substring(head, 1, _LONGEST_PREFIX)
            head = sa.func.encode(first, "escape", type_=sa.Text)
        is_sealed = self.from_table.c[self.flag] if self.flag else head.startswith("v1:")
        return sa.case((is_sealed, sa.func.split_part(head, ":", 2)), else_=sa.literal(""))


#: All that is sealed, the check value last: it tells that a rotation came to its end.
SEALED = (
    SealedColumn("clusters", "id", "sealed"),
    SealedColumn("repositories", "id", "sealed"),
    SealedColumn("repo_credentials", "id", "sealed"),
    SealedColumn("manifests", "sha256", "body", flag="sealed"),
    SealedColumn("instance", "id", "key_check"),
)


async def check_key(tx: Tx, ring: KeyRing) -> None:
    """Call at each start, before anything is written: does this ring belong to this database?

    The first start leaves a sealed check value, which every later start has to open.

    Raises:
        SealBroken: another ring, or one that lacks a key in use.
    """
    instance = Base.metadata.tables["instance"]
    row = (await tx.execute(sa.select(instance.c.id, instance.c.key_check).with_for_update())).one()
    place = Place("instance", str(row.id), "key_check")
    if row.key_check:
        open_sealed(ring, place, row.key_check)
    missing = await kids_in_use(tx) - set(ring.kids)
    if missing:
        raise SealBroken(
            f"the key ring lacks {', '.join(sorted(missing))}, which sealed credentials here",
            hint="Add the missing key to the key file (or FLEET_SECRET_KEY), after the newest.",
        )
    if not row.key_check:
        await tx.execute(sa.update(instance).values(key_check=seal(ring, place, _CHECK)))


async def kids_in_use(tx: Tx) -> set[str]:
    """Ids of the keys that some envelope needs."""
    each = [sa.select(sealed.kid()).distinct() for sealed in SEALED]
    return {kid for kid in (await tx.execute(sa.union(*each))).scalars() if kid}


async def rotate(
    db: Database, actor: Actor, ring: KeyRing, *, batch: int = BATCH
) -> dict[str, int]:
    """Put everything sealed under the ring's newest key, a transaction a batch.

    Can be stopped and started again at any point; each start is in the audit log. Returns
    how many envelopes it moved, by column (``clusters.sealed``).
    """
    async with db.transaction() as tx:
        before = {"sealedWith": sorted(await kids_in_use(tx))}
        after = {"sealedWith": [ring.current]}
        await record_change(tx, actor, "rotate", "KeyRing", ring.current, before, after)
    moved: dict[str, int] = {}
    for sealed in SEALED:
        moved[sealed.name] = 0
        while count := await _rotate_batch(db, ring, sealed, batch):
            moved[sealed.name] += count
    return moved


async def _rotate_batch(db: Database, ring: KeyRing, sealed: SealedColumn, batch: int) -> int:
    table = sealed.from_table
    key, value = table.c[sealed.key], table.c[sealed.column]
    old = (
        sa.select(key.label("key"), value.label("value"))
        .where(sealed.kid().not_in(("", ring.current)))
        .limit(batch)
        .with_for_update()
    )
    async with db.transaction() as tx:
        rows = (await tx.execute(old)).all()
        for row in rows:
            fresh = _rewrapped(ring, row.value)
            await tx.execute(sa.update(table).where(key == row.key).values({value: fresh}))
    return len(rows)


def _rewrapped(ring: KeyRing, value: str | bytes) -> str | bytes:
    if isinstance(value, bytes):
        return rewrap(ring, value.decode("ascii")).encode("ascii")
    return rewrap(ring, value)
