"""Tables of what is, by noun, without behaviour; ``history_tables`` has what was, and
``source_tables`` what administrators say about all sources.

Times are ``timestamptz``; identities are UUIDs, so a rename is one UPDATE; states are
text, checked by the types in ``model``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    SmallInteger,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from fleet.registry.columns import (
    Base,
    empty_array,
    empty_list,
    empty_object,
    empty_text,
    now,
    uuid_key,
)
from fleet.registry.history_tables import PARTITIONED
from fleet.registry.source_tables import DecryptionKey, Plugin, SigningKey

__all__ = ["PARTITIONED", "TABLES", "Base", "DecryptionKey", "Plugin", "SigningKey"]


class Instance(Base):
    """One row: who this Fleet is. ``id`` marks every object it applies."""

    __tablename__ = "instance"
    __table_args__ = (CheckConstraint('"only"', name="single_row"),)

    only: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    id: Mapped[UUID] = mapped_column(server_default=func.gen_random_uuid())
    created_at: Mapped[datetime] = now()
    # proves that the key in use is the one that sealed the rows; "" until the first start
    key_check: Mapped[str] = empty_text()
    # of clusters without an own interval; written at each start, read by the audit views
    default_interval_seconds: Mapped[int] = mapped_column(server_default=text("120"))
    # hash of the settings about resources that objects were looked at with
    resource_settings: Mapped[str] = empty_text()


class Cluster(Base):
    """``connection`` holds what is not secret, ``sealed`` the rest as one envelope."""

    __tablename__ = "clusters"

    id: Mapped[UUID] = uuid_key()
    name: Mapped[str] = mapped_column(unique=True)
    server: Mapped[str] = mapped_column(unique=True)
    labels: Mapped[dict[str, Any]] = empty_object()
    annotations: Mapped[dict[str, Any]] = empty_object()
    project: Mapped[str] = empty_text()
    namespaces: Mapped[list[str]] = empty_array()
    cluster_resources: Mapped[bool] = mapped_column(server_default=text("false"))
    auth: Mapped[str] = empty_text()
    connection: Mapped[dict[str, Any]] = empty_object()
    sealed: Mapped[str] = empty_text()
    managed_namespace: Mapped[str] = empty_text()
    managed_service_account: Mapped[str] = empty_text()
    token_expires_at: Mapped[datetime | None]
    uid: Mapped[str] = empty_text()
    confirmed_uid: Mapped[str] = empty_text()
    version: Mapped[str] = empty_text()
    api_versions: Mapped[list[str]] = empty_array()
    status: Mapped[str] = mapped_column(server_default="Unknown")
    message: Mapped[str] = empty_text()
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    observed_at: Mapped[datetime | None]
    attempted_at: Mapped[datetime | None]
    interval_seconds: Mapped[int | None]
    paused_by: Mapped[str] = empty_text()
    paused_reason: Mapped[str] = empty_text()
    paused_until: Mapped[datetime | None]
    # "group/Kind/version" of kinds with objects in an inventory: what is listed and watched
    managed_kinds: Mapped[list[str]] = empty_array()
    # fence: the newest pass that began to write; an older one's writes find 0 rows
    pass_epoch: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    created_at: Mapped[datetime] = now()
    # whose workers serve it; follows from labels, annotations and live workers (routing)
    queue: Mapped[str] = mapped_column(server_default="default")
    # touched by what the scheduler must notice: add, pause, interval, label
    changed_at: Mapped[datetime] = now()

    __table_args__ = (
        Index(
            "uq_clusters_confirmed_uid",
            "confirmed_uid",
            unique=True,
            postgresql_where=text("confirmed_uid <> ''"),
        ),
    )


class Project(Base):
    __tablename__ = "projects"

    id: Mapped[UUID] = uuid_key()
    name: Mapped[str] = mapped_column(unique=True)
    document: Mapped[dict[str, Any]]
    # with what it inherits of global projects; null: nothing
    effective: Mapped[dict[str, Any] | None]
    generation: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[datetime] = now()
    changed_at: Mapped[datetime] = now()

    __table_args__ = (
        # who asks has which roles of which projects, on every request
        Index(
            "ix_projects_document",
            "document",
            postgresql_using="gin",
            postgresql_ops={"document": "jsonb_path_ops"},
        ),
    )


class ConfigMap(Base):
    """One of Argo CD's ConfigMaps that Fleet reads, as it was applied."""

    __tablename__ = "config_maps"

    name: Mapped[str] = mapped_column(primary_key=True)
    document: Mapped[dict[str, Any]]
    generation: Mapped[int] = mapped_column(server_default=text("1"))
    changed_at: Mapped[datetime] = now()


class PlannedSync(Base):
    """One sync of every application of a project, at a moment: open until it is done."""

    __tablename__ = "planned_syncs"

    id: Mapped[UUID] = uuid_key()
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    options: Mapped[dict[str, Any]] = empty_object()
    created_by: Mapped[str]
    role: Mapped[str]  # of the creator, when it was planned
    created_at: Mapped[datetime] = now()
    # {"application", "operation"} or {"application", "error", "message"}, by name
    results: Mapped[list[Any]] = empty_list()
    ended_at: Mapped[datetime | None]
    cancelled_by: Mapped[str] = empty_text()

    __table_args__ = (
        Index("ix_planned_syncs_project_id", "project_id", "at"),
        Index("ix_planned_syncs_open", "at", postgresql_where=text("ended_at is null")),
    )


class Repository(Base):
    """``implicit`` rows were not registered by anyone: an application names the URL and
    its project allows it; they are read anonymously or by a credential template."""

    __tablename__ = "repositories"

    id: Mapped[UUID] = uuid_key()
    url: Mapped[str] = mapped_column(unique=True)
    canonical_url: Mapped[str] = mapped_column(unique=True)
    type: Mapped[str] = mapped_column(server_default="git")
    name: Mapped[str] = empty_text()
    project: Mapped[str] = empty_text()
    username: Mapped[str] = empty_text()
    auth: Mapped[str] = mapped_column(server_default="anonymous")
    credentials: Mapped[dict[str, Any]] = empty_object()
    sealed: Mapped[str] = empty_text()
    options: Mapped[dict[str, Any]] = empty_object()
    implicit: Mapped[bool] = mapped_column(server_default=text("false"))
    status: Mapped[str] = mapped_column(server_default="Unknown")
    message: Mapped[str] = empty_text()
    observed_at: Mapped[datetime | None]
    attempted_at: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    created_at: Mapped[datetime] = now()
    changed_at: Mapped[datetime] = now()


class RepositoryRef(Base):
    """A branch, tag, range or chart version that applications follow, and where it is.

    ``revision`` is what the remote says; ``evaluated`` the last revision at which every
    application that follows was looked at. They differ while work is left.
    """

    __tablename__ = "repository_refs"

    repository_id: Mapped[UUID] = mapped_column(
        ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True
    )
    chart: Mapped[str] = mapped_column(primary_key=True, server_default="")
    target_revision: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[str] = empty_text()
    evaluated: Mapped[str] = empty_text()
    resolved_at: Mapped[datetime | None]
    message: Mapped[str] = empty_text()
    failing_since: Mapped[datetime | None]


class RepoCredential(Base):
    __tablename__ = "repo_credentials"

    id: Mapped[UUID] = uuid_key()
    url: Mapped[str] = mapped_column(unique=True)
    canonical_url: Mapped[str] = mapped_column(unique=True)
    type: Mapped[str] = mapped_column(server_default="git")
    username: Mapped[str] = empty_text()
    auth: Mapped[str] = mapped_column(server_default="anonymous")
    credentials: Mapped[dict[str, Any]] = empty_object()
    sealed: Mapped[str] = empty_text()
    options: Mapped[dict[str, Any]] = empty_object()
    created_at: Mapped[datetime] = now()


class KnownCertificate(Base):
    """An SSH host key or a TLS CA bundle that people vouched for."""

    __tablename__ = "known_certificates"
    __table_args__ = (UniqueConstraint("host", "kind", "subtype", "fingerprint"),)

    id: Mapped[UUID] = uuid_key()
    host: Mapped[str]
    kind: Mapped[str]
    subtype: Mapped[str] = empty_text()
    fingerprint: Mapped[str]
    data: Mapped[str]
    created_at: Mapped[datetime] = now()


class Application(Base):
    """What is wanted (``document``), what it renders to (``manifests_sha256``), where it
    stands, and what a pass has to do about it (``urgency`` and what follows)."""

    __tablename__ = "applications"

    id: Mapped[UUID] = uuid_key()
    name: Mapped[str] = mapped_column(unique=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="RESTRICT"))
    # null: the destination names no registered cluster
    cluster_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("clusters.id", ondelete="RESTRICT"), index=True
    )
    namespace: Mapped[str] = empty_text()
    labels: Mapped[dict[str, Any]] = empty_object()
    document: Mapped[dict[str, Any]]
    generation: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[datetime] = now()
    changed_at: Mapped[datetime] = now()

    # desired
    revisions: Mapped[list[str]] = empty_array()  # inputs last changed here, one a source
    manifests_sha256: Mapped[str] = empty_text()
    rendered_generation: Mapped[int] = mapped_column(server_default=text("0"))
    rendered_at: Mapped[datetime | None]
    render_error: Mapped[dict[str, Any] | None]  # the one error shape
    render_warnings: Mapped[list[Any]] = empty_list()
    # of what its charts' values were in the cluster; null: they come from elsewhere
    values_digest: Mapped[str | None]

    # where it stands; written only on change
    sync_status: Mapped[str] = mapped_column(server_default="Unknown")
    health_status: Mapped[str] = mapped_column(server_default="Unknown")
    health_message: Mapped[str] = empty_text()
    health_since: Mapped[datetime | None]
    conditions: Mapped[list[Any]] = empty_list()
    images: Mapped[list[str]] = empty_array()
    compared_at: Mapped[datetime | None]
    # objects in its namespace that belong to nobody, where its project wants to know
    orphans: Mapped[list[Any]] = empty_list()

    # what a pass has to do; 100 is nothing (model.applications.Urgency)
    urgency: Mapped[int] = mapped_column(SmallInteger, server_default=text("100"))
    dirty_at: Mapped[datetime | None]
    refresh: Mapped[str] = empty_text()  # "" | normal | hard
    due_at: Mapped[datetime | None]  # a retry or a heal that waits for its time

    # the operation that runs, and the memory of automated ones
    operation_id: Mapped[UUID | None]
    operation_created_at: Mapped[datetime | None]
    # begins when that has ended, which it supersedes
    next_operation_id: Mapped[UUID | None]
    next_operation_created_at: Mapped[datetime | None]
    attempted_key: Mapped[str] = empty_text()
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    attempt_phase: Mapped[str] = empty_text()
    attempted_at: Mapped[datetime | None]
    heals: Mapped[int] = mapped_column(server_default=text("0"))
    healed_at: Mapped[datetime | None]
    synced_revision: Mapped[str] = empty_text()  # of the last successful sync
    judged_key: Mapped[str] = empty_text()  # names what the standing is about
    deleting: Mapped[dict[str, Any] | None]  # {"cascade", "propagation", "by", "at"}
    holds: Mapped[dict[str, Any] | None]  # model.holds; null: nothing is held back

    __table_args__ = (
        Index(
            "ix_applications_dirty",
            "cluster_id",
            "urgency",
            postgresql_where=text("urgency < 100"),
        ),
        Index("ix_applications_due", "due_at", postgresql_where=text("due_at is not null")),
        Index("ix_applications_project_id", "project_id"),
        Index(
            "ix_applications_values",
            "cluster_id",
            postgresql_where=text("values_digest is not null"),
        ),
    )


class KeptDocument(Base):
    """A document of Argo CD that nothing here acts on yet, as it was written; what is secret
    in it is ``sealed``."""

    __tablename__ = "kept_documents"
    __table_args__ = (UniqueConstraint("kind", "namespace", "name"),)

    id: Mapped[UUID] = uuid_key()
    kind: Mapped[str]
    namespace: Mapped[str] = empty_text()
    name: Mapped[str]
    document: Mapped[dict[str, Any]]
    sealed: Mapped[str] = empty_text()
    generation: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[datetime] = now()


class Child(Base):
    """An object that Fleet itself holds and that an application has in Git: whose it is, and
    what that one applied last."""

    __tablename__ = "children"
    __table_args__ = (
        CheckConstraint(
            "num_nonnulls(application_id, project_id, document_id) = 1", name="one_object"
        ),
    )

    id: Mapped[UUID] = uuid_key()
    parent_id: Mapped[UUID] = mapped_column(
        ForeignKey("applications.id", ondelete="CASCADE"), index=True
    )
    application_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("applications.id", ondelete="CASCADE"), unique=True
    )
    project_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), unique=True
    )
    document_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("kept_documents.id", ondelete="CASCADE"), unique=True
    )
    namespace: Mapped[str] = empty_text()
    applied: Mapped[dict[str, Any]]


class ApplicationSource(Base):
    """Which application follows what; the bridge from a moved ref to the affected."""

    __tablename__ = "application_sources"

    application_id: Mapped[UUID] = mapped_column(
        ForeignKey("applications.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    repository_id: Mapped[UUID] = mapped_column(ForeignKey("repositories.id", ondelete="RESTRICT"))
    chart: Mapped[str] = empty_text()
    path: Mapped[str] = empty_text()
    target_revision: Mapped[str] = empty_text()
    # of the last render: {"reads": …, "hashes": {path: id | null}, "key": render key}
    inputs: Mapped[dict[str, Any]] = empty_object()
    # of a dry source (position -1): ``hydrations.Hydration`` as JSON
    hydration: Mapped[dict[str, Any]] = empty_object()

    __table_args__ = (
        Index("ix_application_sources_ref", "repository_id", "chart", "target_revision"),
    )


class Resource(Base):
    """What an application has in its cluster, or should have: one row an object."""

    __tablename__ = "resources"

    application_id: Mapped[UUID] = mapped_column(
        ForeignKey("applications.id", ondelete="CASCADE"), primary_key=True
    )
    group: Mapped[str] = mapped_column("api_group", primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    namespace: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("clusters.id", ondelete="CASCADE"))
    version: Mapped[str] = empty_text()
    uid: Mapped[str] = empty_text()
    resource_version: Mapped[str] = empty_text()
    # what a watch or a LIST saw last; differs from resource_version while the body has to
    # be read again ("gone" once it was deleted). "" means nothing was seen since
    seen_version: Mapped[str] = empty_text()
    owned: Mapped[str] = empty_text()
    owned_fields: Mapped[dict[str, Any] | None]
    # of the live values of those fields: what ownership alone cannot show
    value_sha256: Mapped[str] = empty_text()
    applied_sha256: Mapped[str] = empty_text()
    in_inventory: Mapped[bool] = mapped_column(server_default=text("false"))
    sync_status: Mapped[str] = mapped_column(server_default="Unknown")
    health_status: Mapped[str | None]
    health_message: Mapped[str] = empty_text()
    wave: Mapped[int] = mapped_column(server_default=text("0"))
    hook: Mapped[bool] = mapped_column(server_default=text("false"))
    requires_pruning: Mapped[bool] = mapped_column(server_default=text("false"))
    message: Mapped[str] = empty_text()
    drift: Mapped[list[Any]] = empty_list()
    images: Mapped[list[str]] = empty_array()
    # Prune, Delete and PruneLast of its own, for when it has left Git
    sync_options: Mapped[str] = empty_text()
    # once it has left Git, it makes no difference
    ignore_extraneous: Mapped[bool] = mapped_column(server_default=text("false"))

    __table_args__ = (
        # one owner: two applications cannot both have an object in their inventory
        Index(
            "uq_resources_owner",
            "cluster_id",
            "api_group",
            "kind",
            "namespace",
            "name",
            unique=True,
            postgresql_where=text("in_inventory"),
        ),
        Index("ix_resources_cluster_kind", "cluster_id", "api_group", "kind"),
    )


class Manifests(Base):
    """A rendered set, content-addressed: zstd of the canonical JSON of the sorted list.

    ``sealed``: the set holds a Secret, so ``body`` is an envelope around the zstd bytes."""

    __tablename__ = "manifests"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    body: Mapped[bytes]
    sealed: Mapped[bool] = mapped_column(server_default=text("false"))
    object_count: Mapped[int]
    size_bytes: Mapped[int]
    created_at: Mapped[datetime] = now()


class Render(Base):
    """What a render key came to, so that equal inputs render once for all clusters."""

    __tablename__ = "renders"

    key: Mapped[str] = mapped_column(primary_key=True)
    manifests_sha256: Mapped[str] = mapped_column(ForeignKey("manifests.sha256"))
    tool: Mapped[str]
    reads: Mapped[dict[str, Any]]
    warnings: Mapped[list[Any]] = empty_list()
    created_at: Mapped[datetime] = now()


class Account(Base):
    __tablename__ = "accounts"

    id: Mapped[UUID] = uuid_key()
    name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str] = mapped_column(server_default="readonly")
    groups: Mapped[list[str]] = empty_array()
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[datetime] = now()


class Token(Base):
    """An API token, of an account or of a role of a project: only the SHA-256 of its secret
    part is here."""

    __tablename__ = "tokens"

    id: Mapped[UUID] = uuid_key()
    account_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), index=True
    )
    project_id: Mapped[UUID | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    role: Mapped[str] = empty_text()  # of the project
    name: Mapped[str] = empty_text()
    secret_sha256: Mapped[bytes]
    created_at: Mapped[datetime] = now()
    expires_at: Mapped[datetime]
    used_on: Mapped[datetime | None]  # coarse: written at most once an hour
    revoked_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("(account_id is null) <> (project_id is null)", name="owner"),
        Index("ix_tokens_project_id", "project_id", "role"),
    )


class Lease(Base):
    """Who leads (name ``leader``) or watches a cluster (``watch:<cluster id>``)."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    epoch: Mapped[int] = mapped_column(BigInteger)
    renewed_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class Worker(Base):
    """What a worker serves, beside the queue's own row with its last sign of life.

    Workers of a version without this table have no row: they serve what anyone may.
    """

    __tablename__ = "workers"

    # of procrastinate_workers; no foreign key, because that table is the queue's alone
    worker_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    queue: Mapped[str]
    selector: Mapped[str] = empty_text()
    watches: Mapped[bool] = mapped_column(server_default=text("true"))
    holder: Mapped[str] = empty_text()  # "host:pid:…", as in leases


class ScheduledJob(Base):
    """What the leader's APScheduler holds, for ``fleet daemon jobs``."""

    __tablename__ = "scheduled_jobs"

    key: Mapped[str] = mapped_column(primary_key=True)  # "reconcile:<cluster id>"
    name: Mapped[str]  # "reconcile eu-1"
    next_run_at: Mapped[datetime | None]
    last_run_at: Mapped[datetime | None]
    interval_seconds: Mapped[int]
    paused: Mapped[bool] = mapped_column(server_default=text("false"))


class IdempotencyKey(Base):
    """The answer already given to a write, for a client that asks again."""

    __tablename__ = "idempotency_keys"

    account: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_sha256: Mapped[str]
    status: Mapped[int | None]  # null while the first request is still at work
    response: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)


#: By name, for queries in SQLAlchemy Core.
#: Every table by name, history included.
TABLES = Base.metadata.tables
