"""What people hold back of an application: paused switches, pinned manifests; and the operation
that begins when the one that it supersedes has ended.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("applications", sa.Column("holds", JSONB(), nullable=True))
    op.add_column("applications", sa.Column("next_operation_id", sa.Uuid(), nullable=True))
    op.add_column(
        "applications",
        sa.Column("next_operation_created_at", sa.DateTime(timezone=True), nullable=True),
    )


def downgrade() -> None:
    op.drop_column("applications", "next_operation_created_at")
    op.drop_column("applications", "next_operation_id")
    op.drop_column("applications", "holds")
