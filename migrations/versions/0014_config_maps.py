"""Argo CD's ConfigMaps that Fleet reads: how people judge kinds by scripts of their own.

The version before does not look at the table, and judges as it did.

Revision ID: 0014
Revises: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0014"
down_revision = "0015"
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
    op.execute(GRANT.format(before=BEFORE, after=AFTER))


def downgrade() -> None:
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
