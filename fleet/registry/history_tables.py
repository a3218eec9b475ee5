"""Tables of what was: operations, deployments, drift, the audit log.

Kept for ever unless retention is switched on. Those in ``PARTITIONED`` are partitioned by
month on the column named there; their primary key has to contain it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Identity,
    Index,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from fleet.registry.columns import (
    Base,
    empty_list,
    empty_object,
    empty_text,
    now,
    uuid_key,
)

#: History table → the column its monthly partitions go by.
PARTITIONED = {
    "operations": "created_at",
    "operation_results": "created_at",
    "audit_log": "at",
    "drift_events": "first_seen",
}


class Operation(Base):
    """One sync, rollback or delete; names are kept as they were at the time."""

    __tablename__ = "operations"
    __table_args__ = (
        Index("ix_operations_application", "application_id", "created_at"),
        Index("ix_operations_started_at", "started_at"),
        {"postgresql_partition_by": "RANGE (created_at)"},
    )

    id: Mapped[UUID] = uuid_key()
    created_at: Mapped[datetime] = mapped_column(primary_key=True, server_default=func.now())
    application_id: Mapped[UUID]
    cluster_id: Mapped[UUID | None]
    application: Mapped[str]
    project: Mapped[str]
    cluster: Mapped[str]
    namespace: Mapped[str]
    kind: Mapped[str]
    trigger: Mapped[str]
    initiated_by: Mapped[str]
    revision: Mapped[str] = empty_text()
    previous_revision: Mapped[str] = empty_text()
    sources: Mapped[list[Any]] = empty_list()
    rollout_id: Mapped[UUID | None]
    manifests_sha256: Mapped[str] = empty_text()
    phase: Mapped[str] = mapped_column(server_default="Pending")
    message: Mapped[str] = empty_text()
    options: Mapped[dict[str, Any]] = empty_object()
    plan: Mapped[dict[str, Any] | None]
    hooks: Mapped[list[Any]] = empty_list()
    attempt: Mapped[int] = mapped_column(server_default=text("0"))
    next_attempt_at: Mapped[datetime | None]
    created: Mapped[int] = mapped_column(server_default=text("0"))
    configured: Mapped[int] = mapped_column(server_default=text("0"))
    unchanged: Mapped[int] = mapped_column(server_default=text("0"))
    pruned: Mapped[int] = mapped_column(server_default=text("0"))
    failed: Mapped[int] = mapped_column(server_default=text("0"))
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class OperationResult(Base):
    """What became of one object in one operation."""

    __tablename__ = "operation_results"
    __table_args__ = ({"postgresql_partition_by": "RANGE (created_at)"},)

    operation_id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(primary_key=True)  # the operation's
    group: Mapped[str] = mapped_column("api_group", primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    namespace: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    phase: Mapped[str] = mapped_column(server_default="Sync")
    wave: Mapped[int] = mapped_column(server_default=text("0"))
    action: Mapped[str]
    message: Mapped[str] = empty_text()
    error: Mapped[str] = empty_text()


class Deployment(Base):
    """What ran where, from when until when. Open ended while it still runs."""

    __tablename__ = "deployments"
    __table_args__ = (
        UniqueConstraint("application_id", "number"),
        UniqueConstraint("operation_id"),
        Index("ix_deployments_from", "deployed_from"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    application_id: Mapped[UUID]
    number: Mapped[int]  # what users type: 0, 1, 2 … for each application
    operation_id: Mapped[UUID]
    application: Mapped[str]
    project: Mapped[str]
    cluster: Mapped[str]
    namespace: Mapped[str]
    revision: Mapped[str]
    sources: Mapped[list[Any]] = empty_list()
    manifests_sha256: Mapped[str]
    initiated_by: Mapped[str]
    started_at: Mapped[datetime]
    deployed_from: Mapped[datetime]
    deployed_until: Mapped[datetime | None]
    healthy_at: Mapped[datetime | None]


class DriftEvent(Base):
    """A difference that appeared without Fleet, until it was healed or accepted."""

    __tablename__ = "drift_events"
    __table_args__ = (
        Index(
            "ix_drift_events_open",
            "application_id",
            "object",
            postgresql_where=text("healed_at is null"),
        ),
        {"postgresql_partition_by": "RANGE (first_seen)"},
    )

    id: Mapped[UUID] = uuid_key()
    first_seen: Mapped[datetime] = mapped_column(primary_key=True, server_default=func.now())
    application_id: Mapped[UUID]
    application: Mapped[str]
    cluster: Mapped[str]
    object: Mapped[str]  # Kind/namespace/name
    fields: Mapped[list[Any]] = empty_list()  # FieldChange as JSON, masked
    manager: Mapped[str] = empty_text()
    last_seen: Mapped[datetime] = now()
    healed_at: Mapped[datetime | None]
    healed_by: Mapped[str] = empty_text()  # "self-heal" | account of the sync | "reverted"


class AuditLog(Base):
    """Every accepted mutation, denied attempt and sign-in. INSERT only; each row's hash
    covers the row before it, keyed by a secret that PostgreSQL does not have."""

    __tablename__ = "audit_log"
    __table_args__ = ({"postgresql_partition_by": "RANGE (at)"},)

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    actor: Mapped[str]
    source_ip: Mapped[str] = empty_text()
    action: Mapped[str]
    decision: Mapped[str] = mapped_column(server_default="allowed")  # allowed | denied
    object_kind: Mapped[str]
    object: Mapped[str]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    request_id: Mapped[str] = empty_text()
    previous_hash: Mapped[str]
    chain_hash: Mapped[str]


class AuditHead(Base):
    """One row: the newest link, locked while a link is added."""

    __tablename__ = "audit_head"
    __table_args__ = (CheckConstraint('"only"', name="single_row"),)

    only: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    seq: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    chain_hash: Mapped[str] = empty_text()


class AuditAnchor(Base):
    """Where the chain starts after old partitions were dropped, vouched for by the key."""

    __tablename__ = "audit_anchors"

    seq: Mapped[int] = mapped_column(  # last dropped
        BigInteger, primary_key=True, autoincrement=False
    )
    chain_hash: Mapped[str]
    signature: Mapped[str]
    created_at: Mapped[datetime] = now()
