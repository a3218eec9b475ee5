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
from fleet.registry.sealing import LOST, Place, open_sealed, rewrap, seal
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
    SealedColumn("kept_documents", "id", "sealed"),
    SealedColumn("decryption_keys", "id", "sealed"),
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
            hint="Add the missing key to the key file (or FLEET_SECRET_KEY), after the newest. "
            "If it is lost for good, `fleet secret forget-lost-keys` gives up what it sealed.",
        )
    if not row.key_check:
        await tx.execute(sa.update(instance).values(key_check=seal(ring, place, _CHECK)))


async def kids_in_use(tx: Tx) -> set[str]:
    """Ids of the keys that some envelope needs."""
    each = [sa.select(sealed.kid()).distinct() for sealed in SEALED]
    return {kid for kid in (await tx.execute(sa.union(*each))).scalars() if kid}


async def sealed_by_lost_keys(tx: Tx, ring: KeyRing) -> dict[str, int]:
    """How many envelopes nothing can open any more, by column; only those that have some."""
    counted = {
        sealed.name: sa.select(sa.func.count())
        .select_from(sealed.from_table)
        .where(sealed.kid().not_in(("", *ring.kids)))
        for sealed in SEALED
    }
    found = {name: (await tx.execute(query)).scalar_one() for name, query in counted.items()}
    return {name: count for name, count in found.items() if count}


async def forget_lost_keys(tx: Tx, actor: Actor, ring: KeyRing) -> None:
    """Give up what was sealed with keys that the ring lacks, so that Fleet starts again.

    Credentials stay refused until they are entered anew: an empty one would sign in as
    nobody. Manifests with Secrets are rendered again from Git; those that are no longer
    wanted are gone, and with them rollbacks to them.
    """
    lost = sorted(await kids_in_use(tx) - set(ring.kids))
    if not lost:
        return
    for sealed in SEALED:
        if sealed.flag:
            await _forget_manifests(tx, sealed, lost)
        elif sealed.table == "instance":
            # the next start leaves one of the ring that there is
            await _put_in_place_of(tx, sealed, lost, sa.literal(""))
        else:
            await _put_in_place_of(tx, sealed, lost, sa.literal(LOST) + sealed.kid())
    about = {"sealedWith": lost}
    await record_change(tx, actor, "forget", "KeyRing", ", ".join(lost), before=about)


async def _put_in_place_of(
    tx: Tx, sealed: SealedColumn, lost: list[str], value: sa.ColumnElement[str]
) -> None:
    change = sa.update(sealed.from_table).where(sealed.kid().in_(lost))
    await tx.execute(change.values({sealed.column: value}))


async def _forget_manifests(tx: Tx, sealed: SealedColumn, lost: list[str]) -> None:
    manifests, renders = sealed.from_table, Base.metadata.tables["renders"]
    applications = Base.metadata.tables["applications"]
    gone = sa.select(manifests.c.sha256).where(sealed.kid().in_(lost))
    wanted = sa.update(applications).where(applications.c.manifests_sha256.in_(gone))
    await tx.execute(wanted.values(refresh="hard"))
    await tx.execute(sa.delete(renders).where(renders.c.manifests_sha256.in_(gone)))
    await tx.execute(sa.delete(manifests).where(sealed.kid().in_(lost)))


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
