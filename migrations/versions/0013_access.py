"""Policies, groups of accounts, tokens of projects' roles, and what projects inherit.

The version before knows tokens of accounts alone: it finds no account behind the others and
refuses them. It reads a project's own document, without what it inherits, until it is gone.

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "config_maps",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("document", JSONB(), nullable=False),
        sa.Column("generation", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            server_default=sa.func.now(),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("name", name="pk_config_maps"),
    )
    groups = sa.Column("groups", ARRAY(sa.Text()), server_default="{}", nullable=False)
    op.add_column("accounts", groups)
    op.add_column("projects", sa.Column("effective", JSONB(), nullable=True))
    op.create_index(
        "ix_projects_document",
        "projects",
        ["document"],
        postgresql_using="gin",
        postgresql_ops={"document": "jsonb_path_ops"},
    )
    op.alter_column("tokens", "account_id", nullable=True)
    op.add_column("tokens", sa.Column("project_id", sa.Uuid(), nullable=True))
    op.add_column("tokens", sa.Column("role", sa.Text(), server_default="", nullable=False))
    op.create_foreign_key(
        "fk_tokens_project_id_projects",
        "tokens",
        "projects",
        ["project_id"],
        ["id"],
        ondelete="CASCADE",
    )
    op.create_index("ix_tokens_project_id", "tokens", ["project_id", "role"])
    op.create_check_constraint(
        op.f("ck_tokens_owner"), "tokens", "(account_id is null) <> (project_id is null)"
    )
    op.execute(GRANT.format(before=BEFORE, after=AFTER))


def downgrade() -> None:
    op.execute("delete from tokens where account_id is null")
    op.drop_constraint(op.f("ck_tokens_owner"), "tokens")
    op.drop_index("ix_tokens_project_id", "tokens")
    op.drop_column("tokens", "role")
    op.drop_column("tokens", "project_id")
    op.alter_column("tokens", "account_id", nullable=False)
    op.drop_index("ix_projects_document")
    op.drop_column("projects", "effective")
    op.drop_column("accounts", "groups")
    op.drop_table("config_maps")
    op.execute(GRANT.format(before=AFTER, after=BEFORE))


BEFORE = "accounts, application_sources,"
AFTER = "accounts, config_maps, application_sources,"

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
