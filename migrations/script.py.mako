"""${message}

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}

A migration runs while the version before still works on the same tables:

- Add columns with a server default or nullable; never rename or drop what that version
  reads. Dropping comes one release after the last use.
- An index on a big table: ``with op.get_context().autocommit_block():`` and
  ``postgresql_concurrently=True``.
- Views of the schema ``audit`` are public: ``create or replace view`` that appends columns
  only, and docs/sql.md in the same commit.
- A new table: add it to the grants in ``fleet_grant_roles`` (0005) and call that; a history
  table also to ``fleet_history_tables`` (0002), with a DEFAULT partition.
- Fill data in batches; ``lock_timeout`` is 5 s, and a migration that fails is run again.
- Delete these lines and say why the change is made.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
