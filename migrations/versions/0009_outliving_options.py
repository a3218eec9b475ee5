"""What an object says about its own end is known once it has left Git, too.

The version before neither reads nor writes the column; of what it applies meanwhile the options
are asked of the live object just before it would go, as ever.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table resources add column sync_options text not null default ''")


def downgrade() -> None:
    op.execute("alter table resources drop column sync_options")
