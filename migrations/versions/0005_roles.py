"""Two roles with no more than they need: ``fleet_app`` and ``fleet_audit_reader``.

Neither can log in; grant them to logins of your own. ``fleet_app`` is what the processes
of Fleet need at run time (not to migrate): it can add to the audit log, not change it.
``fleet_audit_reader`` sees the schema ``audit`` and nothing else.

Where the migrating role may not create roles (many managed services), they are left out;
someone who may creates them, and ``select fleet_grant_roles()`` as the owner of the tables
does the rest. A later migration that adds a table replaces that function and calls it.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import logging

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ROLES = ("fleet_app", "fleet_audit_reader")


def upgrade() -> None:
    op.execute(GRANT_ROLES)
    op.execute("revoke all on function fleet_grant_roles() from public")
    for role in ROLES:
        op.execute(CREATE_ROLE.format(role=role))
    connection = op.get_bind()
    missing = connection.exec_driver_sql("select * from fleet_grant_roles()").scalars().all()
    if missing:
        logging.getLogger("alembic.runtime.migration").warning(
            "This database user may not create roles, so %s is missing. Fleet works without it. "
            "To have it: let an administrator run `create role NAME nologin`, then run "
            "`select fleet_grant_roles()` as the owner of the tables.",
            " and ".join(missing),
        )


def downgrade() -> None:
    """Grants go with the tables. Roles belong to the whole server and stay."""
    op.execute(REVOKE_ROLES)
    op.execute("drop function fleet_grant_roles()")


CREATE_ROLE = """
do $$
begin
    if not exists (select from pg_roles where rolname = '{role}') then
        create role {role} nologin;
    end if;
exception
    -- unique_violation: another database of this server is at it in the same moment
    when insufficient_privilege or duplicate_object or unique_violation then null;
end
$$
"""

# returns the roles that do not exist
GRANT_ROLES = """
create function fleet_grant_roles() returns setof text language plpgsql
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
            repository_refs, resources, scheduled_jobs, tokens
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

REVOKE_ROLES = """
do $$
declare
    role name;
begin
    for role in select rolname from pg_roles
                 where rolname in ('fleet_app', 'fleet_audit_reader') loop
        execute format('revoke all on all tables in schema public, audit from %I', role);
        execute format('revoke all on all sequences in schema public from %I', role);
        execute format('revoke all on all functions in schema public, audit from %I', role);
        execute format('revoke all on schema public, audit from %I', role);
    end loop;
end
$$
"""
