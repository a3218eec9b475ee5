"""Workers that serve some clusters only: what each serves, and whose each cluster is.

Processes of the version before know neither: they go on to take what is in any queue, and
put wake-ups into the queue that anyone may take from, where the new leader finds them.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "workers",
        sa.Column("worker_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("selector", sa.Text(), server_default="", nullable=False),
        sa.Column("watches", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("holder", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("worker_id", name=op.f("pk_workers")),
    )
    op.add_column(
        "clusters", sa.Column("queue", sa.Text(), server_default="default", nullable=False)
    )
    op.execute(GRANT_ROLES.format(more=", workers"))
    op.execute("select fleet_grant_roles()")


def downgrade() -> None:
    op.execute(GRANT_ROLES.format(more=""))
    op.drop_column("clusters", "queue")
    op.drop_table("workers")


# as in 0005, with the new table
GRANT_ROLES = """
create or replace function fleet_grant_roles() returns setof text language plpgsql
set search_path = public, pg_temp as $$
begin
    if exists (select from pg_roles where rolname = 'fleet_app') then
        grant usage on schema public, audit to fleet_app;
        grant select on alembic_version to fleet_app;
        grant select, insert on audit_log, audit_anchors to fleet_app;
        grant select, update on audit_head to fleet_app;
        grant select, insert, update, delete on
            accounts, application_sources, applications, clusters, deployments, drift_events,
            idempotency_keys, instance, known_certificates, leases, manifests,
            operation_results, operations, projects, renders, repo_credentials, repositories,
            repository_refs, resources, scheduled_jobs, tokens{more}
            to fleet_app;
        grant select, insert, update, delete on
            procrastinate_events, procrastinate_jobs, procrastinate_periodic_defers,
            procrastinate_workers to fleet_app;
        grant usage on sequence procrastinate_events_id_seq, procrastinate_jobs_id_seq,
            procrastinate_periodic_defers_id_seq to fleet_app;
        grant select on all tables in schema audit to fleet_app;
        grant execute on function fleet_ensure_partitions(integer),
            fleet_drop_partitions(timestamptz) to fleet_app;
    else
        return next 'fleet_app';
    end if;
    if exists (select from pg_roles where rolname = 'fleet_audit_reader') then
        grant usage on schema audit to fleet_audit_reader;
        grant select on all tables in schema audit to fleet_audit_reader;
        grant execute on all functions in schema audit to fleet_audit_reader;
    else
        return next 'fleet_audit_reader';
    end if;
end
$$
"""
