"""Monthly partitions of the history tables, and an audit log that only grows.

Every history table has a DEFAULT partition, so that a row is never refused because the
daily job did not run; ``fleet_ensure_partitions`` moves such rows where they belong. Both
functions run as the owner of the tables, because the role of the application may not
create or drop tables.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

HISTORY = ("operations", "operation_results", "audit_log", "drift_events")

#: Partitions made in advance; the leader asks for as many each day.
MONTHS_AHEAD = 3


def upgrade() -> None:
    op.execute(REFUSE_CHANGE)
    for parent in HISTORY:
        op.execute(f"create table {parent}_default partition of {parent} default")
    op.execute(
        "create trigger append_only before update or delete on audit_log"
        " for each row execute function fleet_refuse_change()"
    )
    # triggers on TRUNCATE belong to one table; partitions do not inherit them
    for table in ("audit_log", "audit_log_default"):
        op.execute(
            f"create trigger no_truncate before truncate on {table}"
            " for each statement execute function fleet_refuse_change()"
        )
    op.execute(HISTORY_TABLES)
    op.execute(ADD_PARTITION)
    op.execute(ENSURE_PARTITIONS)
    op.execute(DROP_PARTITIONS)
    for signature in FUNCTIONS:
        op.execute(f"revoke all on function {signature} from public")
    op.execute(f"select fleet_ensure_partitions({MONTHS_AHEAD})")


def downgrade() -> None:
    """History goes with its partitions; a parent without any keeps no rows."""
    op.execute("drop trigger append_only on audit_log")
    op.execute("drop trigger no_truncate on audit_log")
    for parent in HISTORY:
        op.execute(DROP_ALL_PARTITIONS.format(parent=parent))
    for signature in FUNCTIONS:
        op.execute(f"drop function {signature}")


FUNCTIONS = (
    "fleet_drop_partitions(timestamptz)",
    "fleet_ensure_partitions(integer)",
    "fleet_add_partition(text, text, timestamptz)",
    "fleet_history_tables()",
    "fleet_refuse_change()",
)

REFUSE_CHANGE = """
create function fleet_refuse_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception 'the audit log only grows: % refused', tg_op
        using errcode = 'insufficient_privilege',
              hint = 'Old months are dropped as a whole by retention, after being anchored.';
end
$$
"""

# each with the column that its months go by
HISTORY_TABLES = """
create function fleet_history_tables() returns table (parent text, at_column text)
language sql immutable set search_path = pg_catalog, pg_temp as $$
    values ('operations', 'created_at'),
           ('operation_results', 'created_at'),
           ('audit_log', 'at'),
           ('drift_events', 'first_seen')
$$
"""

# Made beside the parent and attached, which locks the parent less than PARTITION OF does.
ADD_PARTITION = """
create function fleet_add_partition(parent text, at_column text, month timestamptz)
returns text language plpgsql
set search_path = public, pg_temp set timezone = 'UTC' as $$
declare
    part text := parent || to_char(month, '_YYYY_MM');
    rest text := parent || '_default';
    next_month timestamptz := month + interval '1 month';
begin
    execute format('create table %I (like %I including all)', part, parent);
    execute format('lock table %I in access exclusive mode', rest);
    execute format('alter table %I disable trigger user', rest);
    execute format(
        'with moved as (delete from %1$I where %2$I >= $1 and %2$I < $2 returning *)'
        ' insert into %3$I select * from moved', rest, at_column, part)
        using month, next_month;
    execute format('alter table %I enable trigger user', rest);
    execute format('alter table %I attach partition %I for values from (%L) to (%L)',
                   parent, part, month, next_month);
    if parent = 'audit_log' then
        execute format('create trigger no_truncate before truncate on %I'
                       ' for each statement execute function fleet_refuse_change()', part);
    end if;
    return part;
end
$$
"""

ENSURE_PARTITIONS = """
create function fleet_ensure_partitions(months_ahead integer)
returns setof text language plpgsql security definer
set search_path = public, pg_temp set timezone = 'UTC' as $$
declare
    history record;
    months timestamptz[];
    month timestamptz;
begin
    perform pg_advisory_xact_lock(hashtext('fleet_partitions'));
    for history in select * from fleet_history_tables() loop
        -- this month and the next ones, and those of rows that came before their partition
        execute format(
            'select array(select generate_series(date_trunc(''month'', now()),'
            ' date_trunc(''month'', now()) + make_interval(months => $1), interval ''1 month'')'
            ' union select date_trunc(''month'', %I) from %I)',
            history.at_column, history.parent || '_default') into months using months_ahead;
        foreach month in array months loop
            continue when to_regclass(
                quote_ident(history.parent || to_char(month, '_YYYY_MM'))) is not null;
            return next fleet_add_partition(history.parent, history.at_column, month);
        end loop;
    end loop;
end
$$
"""

DROP_PARTITIONS = """
create function fleet_drop_partitions(before timestamptz)
returns setof text language plpgsql security definer
set search_path = public, pg_temp set timezone = 'UTC' as $$
declare
    part record;
    last_seq bigint;
begin
    perform pg_advisory_xact_lock(hashtext('fleet_partitions'));
    for part in
        select h.parent, c.relname as name
          from fleet_history_tables() h
          join pg_inherits i on i.inhparent = to_regclass(h.parent)
          join pg_class c on c.oid = i.inhrelid
         where c.relname ~ '_[0-9]{4}_[0-9]{2}$'
           and to_timestamp(right(c.relname, 7), 'YYYY_MM') + interval '1 month' <= before
         order by c.relname
    loop
        if part.parent = 'audit_log' then
            execute format('select max(seq) from %I', part.name) into last_seq;
            if last_seq > (select coalesce(max(seq), 0) from audit_anchors) then
                raise exception '% is not anchored', part.name
                    using errcode = 'object_not_in_prerequisite_state',
                          hint = 'Anchor the chain first; Fleet does it in its retention job.';
            end if;
        end if;
        execute format('drop table %I', part.name);
        return next part.name;
    end loop;
end
$$
"""

DROP_ALL_PARTITIONS = """
do $$
declare
    part text;
begin
    for part in select inhrelid::regclass::text from pg_inherits
                 where inhparent = '{parent}'::regclass loop
        execute 'drop table ' || part;
    end loop;
end
$$
"""
