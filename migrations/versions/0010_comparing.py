"""What comparing needs to remember.

Whether an object says that it is no difference once it has left Git; what lives in an
application's namespace and belongs to nobody; and which settings about resources were in
force last, so that new ones are looked at with. The version before does not know the columns
and leaves their defaults.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

COLUMNS = (
    ("resources", "ignore_extraneous", "boolean not null default false"),
    ("applications", "orphans", "jsonb not null default '[]'"),
    ("instance", "resource_settings", "text not null default ''"),
)


def upgrade() -> None:
    for table, column, type_ in COLUMNS:
        op.execute(f"alter table {table} add column {column} {type_}")


def downgrade() -> None:
    for table, column, _ in COLUMNS:
        op.execute(f"alter table {table} drop column {column}")
