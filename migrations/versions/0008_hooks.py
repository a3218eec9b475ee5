"""What became of the hooks of an operation, beside what became of its objects.

There are few of them, and one object may be a hook of several phases: so they are a column of
their operation, not rows of ``operation_results``, whose key is the object. The version before
neither reads nor writes the column, and goes on with its operations meanwhile.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table operations add column hooks jsonb not null default '[]'")
    op.execute(f"create or replace view audit.sync_results as {OBJECTS_AND_HOOKS}")


def downgrade() -> None:
    op.execute("drop view audit.sync_results")
    op.execute(f"create view audit.sync_results as {OBJECTS}")
    op.execute("select fleet_grant_roles()")
    op.execute("alter table operations drop column hooks")


OBJECTS = """
    select operation_id as sync_id, api_group, kind, namespace, name, phase, wave, action,
           message, error
      from operation_results r
     where not exists (
           select from operations o
            where o.id = r.operation_id and o.created_at = r.created_at
              and coalesce((o.options ->> 'dryRun')::boolean, false))
"""

# An object is stored as group/Kind/namespace/name.
OBJECTS_AND_HOOKS = """
    select operation_id as sync_id, api_group, kind, namespace, name, phase, wave, action,
           message, error, '' as hook_phase
      from operation_results r
     where not exists (
           select from operations o
            where o.id = r.operation_id and o.created_at = r.created_at
              and coalesce((o.options ->> 'dryRun')::boolean, false))
    union all
    select o.id, split_part(h.object, '/', 1), split_part(h.object, '/', 2),
           split_part(h.object, '/', 3), split_part(h.object, '/', 4), h.phase, h.wave, h.action,
           h.message, h.error, h.state
      from operations o,
           jsonb_to_recordset(o.hooks) as h(object text, phase text, wave integer, action text,
                                            message text, error text, state text)
     where not coalesce((o.options ->> 'dryRun')::boolean, false)
"""
