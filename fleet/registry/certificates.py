"""SSH host keys and TLS authorities that people vouched for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Row, and_, or_, select
from sqlalchemy.dialects.postgresql import insert

from fleet.errors import NotFound
from fleet.model.repositories import KnownCertificate
from fleet.model.scope import Actor, Scope
from fleet.registry.audit import record_change
from fleet.registry.database import Tx
from fleet.registry.selection import (
    DEFAULT_LIMIT,
    after_parts,
    page_of,
    parts_cursor,
    sees,
)
from fleet.registry.tables import TABLES

CERTIFICATES = TABLES["known_certificates"]


async def add_certificates(
    tx: Tx, actor: Actor, certificates: Sequence[KnownCertificate]
) -> tuple[KnownCertificate, ...]:
    """Trust keys; returns those that were not trusted before."""
    if not certificates:
        return ()
    rows = [
        {
            "host": entry.host,
            "kind": entry.kind,
            "subtype": entry.subtype,
            "fingerprint": entry.fingerprint,
            "data": entry.data,
        }
        for entry in certificates
    ]
    added = await tx.execute(
        insert(CERTIFICATES).values(rows).on_conflict_do_nothing().returning(*CERTIFICATES.c)
    )
    fresh = tuple(_certificate_of(row) for row in added)
    for entry in fresh:
        await record_change(tx, actor, "create", "Certificate", entry.host, after=_shown(entry))
    return fresh


async def list_certificates(
    tx: Tx,
    scope: Scope,
    *,
    host: str = "",
    kind: str = "",
    limit: int = DEFAULT_LIMIT,
    after: str = "",
) -> tuple[tuple[KnownCertificate, ...], str]:
    """A page by host, and the cursor for the next. They are public keys of no project:
    whoever sees any project without a policy that says more sees them.

    Raises:
        UsageError: ``after`` is not a cursor of this list.
    """
    c = CERTIFICATES.c
    columns = (c.host, c.kind, c.subtype, c.fingerprint)
    query = (
        select(CERTIFICATES)
        .where(after_parts(columns, after), sees(scope.seen("certificates"), None, c.host))
        .order_by(*columns)
    )
    if host:
        query = query.where(CERTIFICATES.c.host == host)
    if kind:
        query = query.where(CERTIFICATES.c.kind == kind)
    page, cursor = await page_of(
        tx, query, limit, lambda row: parts_cursor(row.host, row.kind, row.subtype, row.fingerprint)
    )
    return tuple(_certificate_of(row) for row in page), cursor


async def remove_certificates(
    tx: Tx, actor: Actor, host: str, *, kind: str = "", subtype: str = ""
) -> tuple[KnownCertificate, ...]:
    """Stop trusting a host's keys; returns what was removed.

    Raises:
        NotFound: nothing is trusted for that host (and kind, and subtype).
    """
    query = CERTIFICATES.delete().where(CERTIFICATES.c.host == host)
    if kind:
        query = query.where(CERTIFICATES.c.kind == kind)
    if subtype:
        query = query.where(CERTIFICATES.c.subtype == subtype)
    rows = await tx.execute(query.returning(*CERTIFICATES.c))
    removed = tuple(_certificate_of(row) for row in rows)
    if not removed:
        raise NotFound(
            f"no certificate is known for {host}",
            hint="`fleet cert list` shows all.",
            object=f"Certificate/{host}",
        )
    for entry in removed:
        await record_change(tx, actor, "delete", "Certificate", entry.host, before=_shown(entry))
    return removed


async def trusted_for(tx: Tx, canonical_url: str) -> tuple[str, str]:
    """What may vouch for the host of a URL: its CA bundle, and known_hosts lines.

    Lines whose host is hashed, a pattern or a negation are handed out for every host: only
    OpenSSH can tell for whom they speak.
    """
    parts = urlsplit(canonical_url)
    host = (parts.hostname or "").lower()
    if not host:
        return "", ""
    bare = f"[{host}]" if ":" in host else host
    spellings = {host, bare, f"{bare}:{parts.port or ''}", f"[{host}]:{parts.port or 22}"}
    column = CERTIFICATES.c.host
    patterns = and_(CERTIFICATES.c.kind == "ssh", column.op("~")("^[|]|[*?!]"))
    rows = await tx.execute(
        select(CERTIFICATES.c.kind, CERTIFICATES.c.data)
        .where(or_(column.in_(spellings), patterns))
        .order_by(column, CERTIFICATES.c.subtype, CERTIFICATES.c.fingerprint)
    )
    lines: dict[str, list[str]] = {"https": [], "ssh": []}
    for kind, data in rows:
        lines[kind].append(data.rstrip("\n") + "\n")
    return "".join(lines["https"]), "".join(lines["ssh"])


def _certificate_of(row: Row[Any]) -> KnownCertificate:
    return KnownCertificate(row.host, row.kind, row.subtype, row.fingerprint, row.data)


def _shown(entry: KnownCertificate) -> dict[str, Any]:
    return {
        "host": entry.host,
        "kind": entry.kind,
        "subtype": entry.subtype,
        "fingerprint": entry.fingerprint,
    }
