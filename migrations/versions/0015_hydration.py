"""Where the hydration of a dry source stands.

The version before neither reads nor writes it.

Revision ID: 0015
Revises: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "application_sources",
        sa.Column("hydration", JSONB(), server_default=sa.text("'{}'"), nullable=False),
    )


def downgrade() -> None:
    # the version before takes every row for a source that is applied
    op.execute("delete from application_sources where position < 0")
    op.drop_column("application_sources", "hydration")
