"""Syncs of all applications of a project, planned for a moment.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "planned_syncs",
        sa.Column("id", sa.Uuid(), server_default=sa.func.gen_random_uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("options", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("results", JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("cancelled_by", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_planned_syncs"),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.id"],
            name="fk_planned_syncs_project_id_projects",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_planned_syncs_project_id", "planned_syncs", ["project_id", "at"])
    op.create_index(
        "ix_planned_syncs_open",
        "planned_syncs",
        ["at"],
        postgresql_where=sa.text("ended_at is null"),
    )
    op.execute(GRANT.format(before=BEFORE, after=AFTER))


def downgrade() -> None:
    op.drop_table("planned_syncs")
    op.execute(GRANT.format(before=AFTER, after=BEFORE))


BEFORE = "operation_results, operations, projects,"
AFTER = "operation_results, operations, planned_syncs, projects,"

# the function that grants is replaced, so that a role that comes later is granted this, too
GRANT = """
do $$
begin
    execute replace(
        pg_get_functiondef('fleet_grant_roles()'::regprocedure), '{before}', '{after}');
    perform * from fleet_grant_roles();
end
$$
"""
