"""What administrators say about sources: plugins that render, keys that sign.

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def _time(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False)


def _text(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def upgrade() -> None:
    op.create_table(
        "plugins",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("document", JSONB(), nullable=False),
        _time("created_at"),
        _time("changed_at"),
        sa.PrimaryKeyConstraint("name", name="pk_plugins"),
    )
    op.create_table(
        "signing_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        _text("subtype"),
        _text("fingerprint"),
        _text("owner"),
        sa.Column("data", sa.Text(), nullable=False),
        _time("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_signing_keys"),
    )
    op.execute(GRANT.format(before=BEFORE, after=AFTER))


def downgrade() -> None:
    op.drop_table("signing_keys")
    op.drop_table("plugins")
    op.execute(GRANT.format(before=AFTER, after=BEFORE))


BEFORE = "repository_refs, resources,"
AFTER = "repository_refs, plugins, signing_keys, resources,"

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
