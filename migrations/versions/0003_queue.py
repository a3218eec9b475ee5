"""The tables, functions and triggers of the queue, as procrastinate ships them.

The text comes from the installed package, whose version pyproject.toml pins to one minor.
A later migration that moves to the next minor applies that package's own migration files,
those newer than the version in the comment on ``procrastinate_jobs``: a fresh database
got the newer schema here already.

One thing is added: a worker of procrastinate looks for work when it is told or when its
polling interval is over, but not when a job ends. A job that waited for the lock of one
that ran would lie there until the next poll, so its turn is announced by a trigger.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

from importlib.metadata import version

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # many statements with % in them: sent as they are, without parameters
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(SchemaManager.get_schema())
    op.execute(f"comment on table procrastinate_jobs is 'procrastinate {version('procrastinate')}'")
    op.execute(ANNOUNCE_NEXT)
    op.execute(ANNOUNCE_NEXT_TRIGGER)


def downgrade() -> None:
    op.execute(DROP_EVERYTHING)
    op.execute("drop function fleet_announce_next()")


# Fleet's jobs have the same text as lock and queueing lock; the latter has an index.
ANNOUNCE_NEXT = """
create function fleet_announce_next() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
    perform pg_notify('procrastinate_queue_v1#' || next.queue_name, next.payload),
            pg_notify('procrastinate_any_queue_v1', next.payload)
       from (select queue_name,
                    json_build_object('type', 'job_inserted', 'job_id', id)::text as payload
               from procrastinate_jobs
              where queueing_lock = old.lock and status = 'todo') as next;
    return null;
end
$$
"""

ANNOUNCE_NEXT_TRIGGER = """
create trigger fleet_announce_next after delete or update of status on procrastinate_jobs
    for each row when (old.status = 'doing') execute function fleet_announce_next()
"""

DROP_EVERYTHING = r"""
do $$
declare
    found text;
begin
    -- first, because a function returns rows of a table; cascade takes the triggers along
    for found in select oid::regprocedure::text from pg_proc
                  where proname like 'procrastinate\_%'
                    and pronamespace = current_schema()::regnamespace loop
        execute 'drop function ' || found || ' cascade';
    end loop;
    drop table procrastinate_events, procrastinate_periodic_defers,
               procrastinate_jobs, procrastinate_workers;
    for found in select oid::regtype::text from pg_type
                  where typname like 'procrastinate\_%' and typtype in ('c', 'e')
                    and typnamespace = current_schema()::regnamespace loop
        execute 'drop type ' || found;
    end loop;
end
$$
"""
