"""All tables but the queue's, empty.

History tables are made as partitioned parents; 0002 gives them their partitions.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TEXT = sa.Text()
TEXTS = sa.ARRAY(sa.Text())
UUID = sa.Uuid()
TIME = sa.DateTime(timezone=True)
JSON = JSONB()
INT = sa.Integer()
BIGINT = sa.BigInteger()
SMALLINT = sa.SmallInteger()
BOOL = sa.Boolean()
BYTES = sa.LargeBinary()


def upgrade() -> None:
    # in the order of what refers to what
    _identity()
    _sources()
    _clusters()
    _applications()
    _history()
    _audit()
    op.execute("insert into instance default values")
    op.execute("insert into audit_head default values")


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def column(name: str, kind: Any, default: str | None = None, *, null: bool = False) -> Any:
    """One column; ``default`` is SQL."""
    return sa.Column(
        name,
        kind,
        nullable=null,
        server_default=None if default is None else sa.text(default),
        autoincrement=False,
    )


TABLES = (
    "instance",
    "accounts",
    "tokens",
    "idempotency_keys",
    "repositories",
    "repository_refs",
    "repo_credentials",
    "known_certificates",
    "clusters",
    "leases",
    "scheduled_jobs",
    "projects",
    "applications",
    "application_sources",
    "resources",
    "manifests",
    "renders",
    "operations",
    "operation_results",
    "deployments",
    "drift_events",
    "audit_log",
    "audit_head",
    "audit_anchors",
)


def _identity() -> None:
    """Who this Fleet is and who may call it."""
    op.create_table(
        "instance",
        column("only", BOOL, "true"),
        column("id", UUID, "gen_random_uuid()"),
        column("created_at", TIME, "now()"),
        column("key_check", TEXT, "''"),
        column("default_interval_seconds", INT, "120"),
        sa.CheckConstraint('"only"', name=op.f("ck_instance_single_row")),
        sa.PrimaryKeyConstraint("only", name=op.f("pk_instance")),
    )
    op.create_table(
        "accounts",
        column("id", UUID, "gen_random_uuid()"),
        column("name", TEXT),
        column("role", TEXT, "'readonly'"),
        column("enabled", BOOL, "true"),
        column("created_at", TIME, "now()"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("name", name=op.f("uq_accounts_name")),
    )
    op.create_table(
        "tokens",
        column("id", UUID, "gen_random_uuid()"),
        column("account_id", UUID),
        column("name", TEXT, "''"),
        column("secret_sha256", BYTES),
        column("created_at", TIME, "now()"),
        column("expires_at", TIME),
        column("used_on", TIME, null=True),
        column("revoked_at", TIME, null=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_tokens_account_id_accounts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
    )
    op.create_index(op.f("ix_tokens_account_id"), "tokens", ["account_id"])
    op.create_table(
        "idempotency_keys",
        column("account", TEXT),
        column("key", TEXT),
        column("request_sha256", TEXT),
        column("status", INT, null=True),
        column("response", JSON, null=True),
        column("created_at", TIME, "now()"),
        sa.PrimaryKeyConstraint("account", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(op.f("ix_idempotency_keys_created_at"), "idempotency_keys", ["created_at"])


def _sources() -> None:
    """Where manifests come from."""
    op.create_table(
        "repositories",
        column("id", UUID, "gen_random_uuid()"),
        column("url", TEXT),
        column("canonical_url", TEXT),
        column("type", TEXT, "'git'"),
        column("name", TEXT, "''"),
        column("project", TEXT, "''"),
        column("username", TEXT, "''"),
        column("auth", TEXT, "'anonymous'"),
        column("credentials", JSON, "'{}'::jsonb"),
        column("sealed", TEXT, "''"),
        column("options", JSON, "'{}'::jsonb"),
        column("implicit", BOOL, "false"),
        column("status", TEXT, "'Unknown'"),
        column("message", TEXT, "''"),
        column("observed_at", TIME, null=True),
        column("attempted_at", TIME, null=True),
        column("failing_since", TIME, null=True),
        column("created_at", TIME, "now()"),
        column("changed_at", TIME, "now()"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repositories")),
        sa.UniqueConstraint("canonical_url", name=op.f("uq_repositories_canonical_url")),
        sa.UniqueConstraint("url", name=op.f("uq_repositories_url")),
    )
    op.create_table(
        "repository_refs",
        column("repository_id", UUID),
        column("chart", TEXT, "''"),
        column("target_revision", TEXT),
        column("revision", TEXT, "''"),
        column("evaluated", TEXT, "''"),
        column("resolved_at", TIME, null=True),
        column("message", TEXT, "''"),
        column("failing_since", TIME, null=True),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repositories.id"],
            name=op.f("fk_repository_refs_repository_id_repositories"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "repository_id", "chart", "target_revision", name=op.f("pk_repository_refs")
        ),
    )
    op.create_table(
        "repo_credentials",
        column("id", UUID, "gen_random_uuid()"),
        column("url", TEXT),
        column("canonical_url", TEXT),
        column("type", TEXT, "'git'"),
        column("username", TEXT, "''"),
        column("auth", TEXT, "'anonymous'"),
        column("credentials", JSON, "'{}'::jsonb"),
        column("sealed", TEXT, "''"),
        column("options", JSON, "'{}'::jsonb"),
        column("created_at", TIME, "now()"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repo_credentials")),
        sa.UniqueConstraint("canonical_url", name=op.f("uq_repo_credentials_canonical_url")),
        sa.UniqueConstraint("url", name=op.f("uq_repo_credentials_url")),
    )
    op.create_table(
        "known_certificates",
        column("id", UUID, "gen_random_uuid()"),
        column("host", TEXT),
        column("kind", TEXT),
        column("subtype", TEXT, "''"),
        column("fingerprint", TEXT),
        column("data", TEXT),
        column("created_at", TIME, "now()"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_known_certificates")),
        sa.UniqueConstraint(
            "host",
            "kind",
            "subtype",
            "fingerprint",
            name=op.f("uq_known_certificates_host_kind_subtype_fingerprint"),
        ),
    )


def _clusters() -> None:
    """Where they go, and who is at work on it."""
    op.create_table(
        "clusters",
        column("id", UUID, "gen_random_uuid()"),
        column("name", TEXT),
        column("server", TEXT),
        column("labels", JSON, "'{}'::jsonb"),
        column("annotations", JSON, "'{}'::jsonb"),
        column("project", TEXT, "''"),
        column("namespaces", TEXTS, "'{}'::text[]"),
        column("cluster_resources", BOOL, "false"),
        column("auth", TEXT, "''"),
        column("connection", JSON, "'{}'::jsonb"),
        column("sealed", TEXT, "''"),
        column("managed_namespace", TEXT, "''"),
        column("managed_service_account", TEXT, "''"),
        column("token_expires_at", TIME, null=True),
        column("uid", TEXT, "''"),
        column("confirmed_uid", TEXT, "''"),
        column("version", TEXT, "''"),
        column("api_versions", TEXTS, "'{}'::text[]"),
        column("status", TEXT, "'Unknown'"),
        column("message", TEXT, "''"),
        column("failures", INT, "0"),
        column("observed_at", TIME, null=True),
        column("attempted_at", TIME, null=True),
        column("interval_seconds", INT, null=True),
        column("paused_by", TEXT, "''"),
        column("paused_reason", TEXT, "''"),
        column("paused_until", TIME, null=True),
        column("managed_kinds", TEXTS, "'{}'::text[]"),
        column("pass_epoch", BIGINT, "0"),
        column("created_at", TIME, "now()"),
        column("changed_at", TIME, "now()"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clusters")),
        sa.UniqueConstraint("name", name=op.f("uq_clusters_name")),
        sa.UniqueConstraint("server", name=op.f("uq_clusters_server")),
    )
    op.create_index(
        op.f("uq_clusters_confirmed_uid"),
        "clusters",
        ["confirmed_uid"],
        unique=True,
        postgresql_where=sa.text("confirmed_uid <> ''"),
    )
    op.create_table(
        "leases",
        column("name", TEXT),
        column("holder", TEXT),
        column("epoch", BIGINT),
        column("renewed_at", TIME),
        column("expires_at", TIME),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "scheduled_jobs",
        column("key", TEXT),
        column("name", TEXT),
        column("next_run_at", TIME, null=True),
        column("last_run_at", TIME, null=True),
        column("interval_seconds", INT),
        column("paused", BOOL, "false"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_scheduled_jobs")),
    )


def _applications() -> None:
    """What is wanted, and what is there."""
    op.create_table(
        "projects",
        column("id", UUID, "gen_random_uuid()"),
        column("name", TEXT),
        column("document", JSON),
        column("generation", INT, "1"),
        column("created_at", TIME, "now()"),
        column("changed_at", TIME, "now()"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
        sa.UniqueConstraint("name", name=op.f("uq_projects_name")),
    )
    op.create_table(
        "applications",
        column("id", UUID, "gen_random_uuid()"),
        column("name", TEXT),
        column("project_id", UUID),
        column("cluster_id", UUID, null=True),
        column("namespace", TEXT, "''"),
        column("labels", JSON, "'{}'::jsonb"),
        column("document", JSON),
        column("generation", INT, "1"),
        column("created_at", TIME, "now()"),
        column("changed_at", TIME, "now()"),
        column("revisions", TEXTS, "'{}'::text[]"),
        column("manifests_sha256", TEXT, "''"),
        column("rendered_generation", INT, "0"),
        column("rendered_at", TIME, null=True),
        column("render_error", JSON, null=True),
        column("render_warnings", JSON, "'[]'::jsonb"),
        column("sync_status", TEXT, "'Unknown'"),
        column("health_status", TEXT, "'Unknown'"),
        column("health_message", TEXT, "''"),
        column("health_since", TIME, null=True),
        column("conditions", JSON, "'[]'::jsonb"),
        column("images", TEXTS, "'{}'::text[]"),
        column("compared_at", TIME, null=True),
        column("urgency", SMALLINT, "100"),
        column("dirty_at", TIME, null=True),
        column("refresh", TEXT, "''"),
        column("due_at", TIME, null=True),
        column("operation_id", UUID, null=True),
        column("operation_created_at", TIME, null=True),
        column("attempted_key", TEXT, "''"),
        column("attempts", INT, "0"),
        column("attempt_phase", TEXT, "''"),
        column("attempted_at", TIME, null=True),
        column("heals", INT, "0"),
        column("healed_at", TIME, null=True),
        column("synced_revision", TEXT, "''"),
        column("deleting", JSON, null=True),
        sa.ForeignKeyConstraint(
            ["cluster_id"],
            ["clusters.id"],
            name=op.f("fk_applications_cluster_id_clusters"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.id"],
            name=op.f("fk_applications_project_id_projects"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_applications")),
        sa.UniqueConstraint("name", name=op.f("uq_applications_name")),
    )
    op.create_index(op.f("ix_applications_cluster_id"), "applications", ["cluster_id"])
    op.create_index(
        op.f("ix_applications_dirty"),
        "applications",
        ["cluster_id", "urgency"],
        postgresql_where=sa.text("urgency < 100"),
    )
    op.create_index(
        op.f("ix_applications_due"),
        "applications",
        ["due_at"],
        postgresql_where=sa.text("due_at is not null"),
    )
    op.create_index(op.f("ix_applications_project_id"), "applications", ["project_id"])
    op.create_table(
        "application_sources",
        column("application_id", UUID),
        column("position", SMALLINT),
        column("repository_id", UUID),
        column("chart", TEXT, "''"),
        column("path", TEXT, "''"),
        column("target_revision", TEXT, "''"),
        column("inputs", JSON, "'{}'::jsonb"),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repositories.id"],
            name=op.f("fk_application_sources_repository_id_repositories"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["applications.id"],
            name=op.f("fk_application_sources_application_id_applications"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("application_id", "position", name=op.f("pk_application_sources")),
    )
    op.create_index(
        op.f("ix_application_sources_ref"),
        "application_sources",
        ["repository_id", "chart", "target_revision"],
    )
    op.create_table(
        "resources",
        column("application_id", UUID),
        column("api_group", TEXT),
        column("kind", TEXT),
        column("namespace", TEXT),
        column("name", TEXT),
        column("cluster_id", UUID),
        column("version", TEXT, "''"),
        column("uid", TEXT, "''"),
        column("resource_version", TEXT, "''"),
        column("seen_version", TEXT, "''"),
        column("owned", TEXT, "''"),
        column("owned_fields", JSON, null=True),
        column("value_sha256", TEXT, "''"),
        column("applied_sha256", TEXT, "''"),
        column("in_inventory", BOOL, "false"),
        column("sync_status", TEXT, "'Unknown'"),
        column("health_status", TEXT, null=True),
        column("health_message", TEXT, "''"),
        column("wave", INT, "0"),
        column("hook", BOOL, "false"),
        column("requires_pruning", BOOL, "false"),
        column("message", TEXT, "''"),
        column("drift", JSON, "'[]'::jsonb"),
        column("images", TEXTS, "'{}'::text[]"),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["applications.id"],
            name=op.f("fk_resources_application_id_applications"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["cluster_id"],
            ["clusters.id"],
            name=op.f("fk_resources_cluster_id_clusters"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "application_id", "api_group", "kind", "namespace", "name", name=op.f("pk_resources")
        ),
    )
    op.create_index(
        op.f("ix_resources_cluster_kind"), "resources", ["cluster_id", "api_group", "kind"]
    )
    op.create_index(
        op.f("uq_resources_owner"),
        "resources",
        ["cluster_id", "api_group", "kind", "namespace", "name"],
        unique=True,
        postgresql_where=sa.text("in_inventory"),
    )
    op.create_table(
        "manifests",
        column("sha256", TEXT),
        column("body", BYTES),
        column("sealed", BOOL, "false"),
        column("object_count", INT),
        column("size_bytes", INT),
        column("created_at", TIME, "now()"),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_manifests")),
    )
    op.create_table(
        "renders",
        column("key", TEXT),
        column("manifests_sha256", TEXT),
        column("tool", TEXT),
        column("reads", JSON),
        column("warnings", JSON, "'[]'::jsonb"),
        column("created_at", TIME, "now()"),
        sa.ForeignKeyConstraint(
            ["manifests_sha256"],
            ["manifests.sha256"],
            name=op.f("fk_renders_manifests_sha256_manifests"),
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_renders")),
    )


def _history() -> None:
    """What was done, and what happened meanwhile."""
    op.create_table(
        "operations",
        column("id", UUID, "gen_random_uuid()"),
        column("created_at", TIME, "now()"),
        column("application_id", UUID),
        column("cluster_id", UUID, null=True),
        column("application", TEXT),
        column("project", TEXT),
        column("cluster", TEXT),
        column("namespace", TEXT),
        column("kind", TEXT),
        column("trigger", TEXT),
        column("initiated_by", TEXT),
        column("revision", TEXT, "''"),
        column("previous_revision", TEXT, "''"),
        column("sources", JSON, "'[]'::jsonb"),
        column("rollout_id", UUID, null=True),
        column("manifests_sha256", TEXT, "''"),
        column("phase", TEXT, "'Pending'"),
        column("message", TEXT, "''"),
        column("options", JSON, "'{}'::jsonb"),
        column("plan", JSON, null=True),
        column("attempt", INT, "0"),
        column("next_attempt_at", TIME, null=True),
        column("created", INT, "0"),
        column("configured", INT, "0"),
        column("unchanged", INT, "0"),
        column("pruned", INT, "0"),
        column("failed", INT, "0"),
        column("started_at", TIME, null=True),
        column("finished_at", TIME, null=True),
        sa.PrimaryKeyConstraint("id", "created_at", name=op.f("pk_operations")),
        postgresql_partition_by="RANGE (created_at)",
    )
    op.create_index(
        op.f("ix_operations_application"), "operations", ["application_id", "created_at"]
    )
    op.create_index(op.f("ix_operations_started_at"), "operations", ["started_at"])
    op.create_table(
        "operation_results",
        column("operation_id", UUID),
        column("created_at", TIME),
        column("api_group", TEXT),
        column("kind", TEXT),
        column("namespace", TEXT),
        column("name", TEXT),
        column("phase", TEXT, "'Sync'"),
        column("wave", INT, "0"),
        column("action", TEXT),
        column("message", TEXT, "''"),
        column("error", TEXT, "''"),
        sa.PrimaryKeyConstraint(
            "operation_id",
            "created_at",
            "api_group",
            "kind",
            "namespace",
            "name",
            name=op.f("pk_operation_results"),
        ),
        postgresql_partition_by="RANGE (created_at)",
    )
    op.create_table(
        "deployments",
        sa.Column("id", BIGINT, sa.Identity(), nullable=False),
        column("application_id", UUID),
        column("number", INT),
        column("operation_id", UUID),
        column("application", TEXT),
        column("project", TEXT),
        column("cluster", TEXT),
        column("namespace", TEXT),
        column("revision", TEXT),
        column("sources", JSON, "'[]'::jsonb"),
        column("manifests_sha256", TEXT),
        column("initiated_by", TEXT),
        column("started_at", TIME),
        column("deployed_from", TIME),
        column("deployed_until", TIME, null=True),
        column("healthy_at", TIME, null=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployments")),
        sa.UniqueConstraint(
            "application_id", "number", name=op.f("uq_deployments_application_id_number")
        ),
        sa.UniqueConstraint("operation_id", name=op.f("uq_deployments_operation_id")),
    )
    op.create_index(op.f("ix_deployments_from"), "deployments", ["deployed_from"])
    op.create_table(
        "drift_events",
        column("id", UUID, "gen_random_uuid()"),
        column("first_seen", TIME, "now()"),
        column("application_id", UUID),
        column("application", TEXT),
        column("cluster", TEXT),
        column("object", TEXT),
        column("fields", JSON, "'[]'::jsonb"),
        column("manager", TEXT, "''"),
        column("last_seen", TIME, "now()"),
        column("healed_at", TIME, null=True),
        column("healed_by", TEXT, "''"),
        sa.PrimaryKeyConstraint("id", "first_seen", name=op.f("pk_drift_events")),
        postgresql_partition_by="RANGE (first_seen)",
    )
    op.create_index(
        op.f("ix_drift_events_open"),
        "drift_events",
        ["application_id", "object"],
        postgresql_where=sa.text("healed_at is null"),
    )


def _audit() -> None:
    """Who changed what."""
    op.create_table(
        "audit_log",
        column("seq", BIGINT),
        column("at", TIME),
        column("actor", TEXT),
        column("source_ip", TEXT, "''"),
        column("action", TEXT),
        column("decision", TEXT, "'allowed'"),
        column("object_kind", TEXT),
        column("object", TEXT),
        column("before", JSON, null=True),
        column("after", JSON, null=True),
        column("request_id", TEXT, "''"),
        column("previous_hash", TEXT),
        column("chain_hash", TEXT),
        sa.PrimaryKeyConstraint("seq", "at", name=op.f("pk_audit_log")),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_table(
        "audit_head",
        column("only", BOOL, "true"),
        column("seq", BIGINT, "0"),
        column("chain_hash", TEXT, "''"),
        sa.CheckConstraint('"only"', name=op.f("ck_audit_head_single_row")),
        sa.PrimaryKeyConstraint("only", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "audit_anchors",
        column("seq", BIGINT),
        column("chain_hash", TEXT),
        column("signature", TEXT),
        column("created_at", TIME, "now()"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_anchors")),
    )
