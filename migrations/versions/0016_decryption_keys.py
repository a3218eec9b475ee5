"""Private keys that open encrypted files of repositories.

The version before neither reads nor writes any of it.

Revision ID: 0016
Revises: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "decryption_keys",
        sa.Column("id", sa.Uuid(), server_default=sa.func.gen_random_uuid(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=True),
        sa.Column("owner", sa.Text(), server_default="", nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.func.now(),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name="pk_decryption_keys"),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.id"],
            name="fk_decryption_keys_project_id_projects",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint(
            "recipient", "project_id", name="uq_decryption_keys_recipient_project_id"
        ),
    )
    op.create_index(
        "uq_decryption_keys_recipient",
        "decryption_keys",
        ["recipient"],
        unique=True,
        postgresql_where=sa.text("project_id is null"),
    )
    op.execute(GRANT.format(before=BEFORE, after=AFTER))


def downgrade() -> None:
    op.drop_table("decryption_keys")
    op.execute(GRANT.format(before=AFTER, after=BEFORE))


BEFORE = "plugins, signing_keys,"
AFTER = "plugins, decryption_keys, signing_keys,"

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
