"""Documents of Argo CD that nothing here acts on yet: kept as written, so that they are there
when something does, and in an export."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, exists, select, update

from fleet.model.documents import kept
from fleet.model.objects import Manifest, ref_of
from fleet.model.scope import Actor
from fleet.registry.audit import record_change
from fleet.registry.database import Tx
from fleet.registry.envelopes import opened, sealed
from fleet.registry.keyring import KeyRing
from fleet.registry.sealing import Place
from fleet.registry.tables import TABLES

DOCUMENTS = TABLES["kept_documents"]
_SECRET_KEYS = ("data", "stringData")


@dataclass(frozen=True)
class KeptDocument:
    """One document; the values of a Secret are apart, in ``secret``."""

    kind: str
    namespace: str
    name: str
    document: Manifest
    secret: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, document: Manifest) -> KeptDocument:
        ref, plain = ref_of(document), kept(document)
        secret: dict[str, Any] = {}
        if ref.kind == "Secret":
            secret = {key: plain.pop(key) for key in _SECRET_KEYS if key in plain}
        # an ApplicationSet is known by its name alone, like an Application
        namespace = "" if ref.group else ref.namespace
        return cls(ref.kind, namespace, ref.name, plain, secret)

    @property
    def whole(self) -> Manifest:
        return {**self.document, **self.secret}


async def keep(
    tx: Tx, actor: Actor, given: KeptDocument, ring: KeyRing | None = None
) -> tuple[UUID, str]:
    """Keep a document in the place of one of its kind and name.

    Args:
        ring: needed for what is secret.

    Returns:
        Its id, and what became of it: ``created``, ``configured`` or ``unchanged``.
    """
    c = DOCUMENTS.c
    same = (c.kind == given.kind, c.namespace == given.namespace, c.name == given.name)
    row = (await tx.execute(select(DOCUMENTS).where(*same).with_for_update())).one_or_none()
    id = UUID(str(row.id)) if row is not None else uuid4()
    if row is not None and row.document == given.document and _secret(ring, row) == given.secret:
        return id, "unchanged"
    values = {"document": given.document, "sealed": _sealed(ring, id, given.secret)}
    if row is None:
        keys = {"kind": given.kind, "namespace": given.namespace, "name": given.name}
        await tx.execute(DOCUMENTS.insert().values(id=id, **keys, **values))
    else:
        changed = {**values, "generation": c.generation + 1}
        await tx.execute(update(DOCUMENTS).where(c.id == id).values(**changed))
    action = "create" if row is None else "update"
    before = row.document if row is not None else None
    await record_change(
        tx, actor, action, given.kind, given.name, before=before, after=given.document
    )
    return id, "created" if row is None else "configured"


async def forget(tx: Tx, actor: Actor, id: UUID) -> None:
    """Keep a document no longer; nothing where it is gone."""
    gone = DOCUMENTS.delete().where(DOCUMENTS.c.id == id).returning(*DOCUMENTS.c)
    row = (await tx.execute(gone)).one_or_none()
    if row is not None:
        await record_change(tx, actor, "delete", row.kind, row.name, before=row.document)


async def list_kept(tx: Tx, ring: KeyRing, *, secrets: bool) -> list[KeptDocument]:
    """Every kept document, by kind, namespace and name; without ``secrets`` Secrets are left
    out."""
    c = DOCUMENTS.c
    query = select(DOCUMENTS).order_by(c.kind, c.namespace, c.name)
    if not secrets:
        query = query.where(c.kind != "Secret")
    rows = (await tx.execute(query)).all()
    found = [KeptDocument(row.kind, row.namespace, row.name, row.document) for row in rows]
    return [replace(one, secret=_secret(ring, row)) for one, row in zip(found, rows, strict=True)]


async def secrets_of_type(tx: Tx, ring: KeyRing, label: str, types: list[str]) -> list[Manifest]:
    """Secrets that people applied, whole, whose label says one of ``types``; by name. What an
    application brought from Git is not among them: content gives no rights."""
    c, children = DOCUMENTS.c, TABLES["children"].c
    brought = exists().where(children.document_id == c.id)
    wanted = c.document["metadata"]["labels"][label].astext.in_(types)
    query = select(DOCUMENTS).where(c.kind == "Secret", wanted, ~brought)
    rows = (await tx.execute(query.order_by(c.namespace, c.name))).all()
    return [{**row.document, **_secret(ring, row)} for row in rows]


def _place(id: UUID) -> Place:
    return Place("kept_documents", str(id), "sealed", "")


def _sealed(ring: KeyRing | None, id: UUID, secret: dict[str, Any]) -> str:
    if not secret:
        return ""
    assert ring is not None, "a Secret needs the key ring"
    return sealed(ring, _place(id), secret)


def _secret(ring: KeyRing | None, row: Row[Any]) -> dict[str, Any]:
    if not row.sealed:
        return {}
    assert ring is not None, "a Secret needs the key ring"
    return opened(ring, _place(UUID(str(row.id))), row.sealed)
