"""What of a chart's values stood in the cluster when an application was rendered.

The version before neither reads nor writes it.

Revision ID: 0017
Revises: 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("applications", sa.Column("values_digest", sa.Text(), nullable=True))
    op.create_index(
        "ix_applications_values",
        "applications",
        ["cluster_id"],
        postgresql_where=sa.text("values_digest is not null"),
    )


def downgrade() -> None:
    op.drop_index("ix_applications_values", "applications")
    op.drop_column("applications", "values_digest")
