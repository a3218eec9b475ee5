"""Who made what from Git inside Fleet itself, documents that are kept for later, and what
an application's standing is about.

The version before neither reads nor writes any of it.

Revision ID: 0014
Revises: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column(
        "applications", sa.Column("judged_key", sa.Text(), server_default="", nullable=False)
    )
    op.create_table(
        "kept_documents",
        _uuid("id", key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), server_default="", nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("document", JSONB(), nullable=False),
        sa.Column("sealed", sa.Text(), server_default="", nullable=False),
        sa.Column("generation", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", TIME, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_kept_documents"),
        sa.UniqueConstraint(
            "kind", "namespace", "name", name="uq_kept_documents_kind_namespace_name"
        ),
    )
    op.create_table(
        "children",
        _uuid("id", key=True),
        _uuid("parent_id"),
        _uuid("application_id", nullable=True),
        _uuid("project_id", nullable=True),
        _uuid("document_id", nullable=True),
        sa.Column("namespace", sa.Text(), server_default="", nullable=False),
        sa.Column("applied", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_children"),
        sa.CheckConstraint(
            "num_nonnulls(application_id, project_id, document_id) = 1",
            name="ck_children_one_object",
        ),
        *(
            sa.ForeignKeyConstraint(
                [column],
                [f"{table}.id"],
                name=f"fk_children_{column}_{table}",
                ondelete="CASCADE",
            )
            for column, table in REFERENCES
        ),
        *(
            sa.UniqueConstraint(column, name=f"uq_children_{column}")
            for column, _ in REFERENCES[1:]
        ),
    )
    op.create_index("ix_children_parent_id", "children", ["parent_id"])
    op.execute(GRANT.format(before=BEFORE, after=AFTER))


def downgrade() -> None:
    op.drop_table("children")
    op.drop_table("kept_documents")
    op.drop_column("applications", "judged_key")
    op.execute(GRANT.format(before=AFTER, after=BEFORE))


def _uuid(name: str, *, key: bool = False, nullable: bool = False) -> sa.Column[object]:
    made = sa.func.gen_random_uuid() if key else None
    return sa.Column(name, sa.Uuid(), server_default=made, nullable=nullable)


REFERENCES = (
    ("parent_id", "applications"),
    ("application_id", "applications"),
    ("project_id", "projects"),
    ("document_id", "kept_documents"),
)
BEFORE = "planned_syncs, projects,"
AFTER = "planned_syncs, children, kept_documents, projects,"

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
