"""The schema ``audit``: views that people and auditors query, documented in docs/sql.md.

A public interface: columns may be appended, never renamed, retyped, reordered or dropped.
No view keeps rows secret, so none needs ``security_barrier``; what is not to be seen
(sealed credentials, tokens) is simply not in any of them. Dry runs are left out of the
history because nothing happened. They run with the rights of their owner:
a reader needs nothing on the tables below.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("create schema audit")
    op.execute("comment on schema audit is 'Stable views for people: see docs/sql.md'")
    for statement in HISTORY_VIEWS + NOW_VIEWS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("drop schema audit cascade")


HISTORY_VIEWS = (
    """
    create view audit.sync_history as
    select id as sync_id, application, project, cluster, namespace, trigger, initiated_by,
           revision, previous_revision, sources, rollout_id, phase, message,
           started_at, finished_at,
           extract(epoch from finished_at - started_at)::numeric as duration_seconds,
           created, configured, unchanged, pruned, failed, manifests_sha256
      from operations
     where not coalesce((options ->> 'dryRun')::boolean, false)
    """,
    """
    create view audit.sync_results as
    select operation_id as sync_id, api_group, kind, namespace, name, phase, wave, action,
           message, error
      from operation_results r
     where not exists (
           select from operations o
            where o.id = r.operation_id and o.created_at = r.created_at
              and coalesce((o.options ->> 'dryRun')::boolean, false))
    """,
    """
    create view audit.deployments as
    select application, cluster, namespace, revision, manifests_sha256, healthy_at,
           deployed_from, deployed_until
      from deployments
    """,
    """
    create function audit.deployed_at(moment timestamptz)
    returns table (application text, cluster text, namespace text, revision text,
                   manifests_sha256 text, healthy_at timestamptz, deployed_from timestamptz,
                   deployed_until timestamptz)
    language sql stable
    begin atomic
        select d.application, d.cluster, d.namespace, d.revision, d.manifests_sha256,
               d.healthy_at, d.deployed_from, d.deployed_until
          from audit.deployments d
         where d.deployed_from <= moment
           and (d.deployed_until is null or d.deployed_until > moment);
    end
    """,
    """
    create view audit.drift_history as
    select application, cluster, object, fields, manager, first_seen, last_seen, healed_at,
           healed_by
      from drift_events
    """,
    """
    create view audit.changes as
    select at, actor, source_ip, action, object_kind, object, before, after, request_id,
           chain_hash, decision, seq
      from audit_log
    """,
)

# A cluster that was not read for three of its intervals is Unknown, and so is all that
# runs on it: what was true then says nothing about now.
NOW_VIEWS = (
    """
    create view audit.clusters as
    select c.name as cluster, c.server, c.project, c.labels,
           case when seen.stale then 'Unknown' else c.status end as status,
           c.message, c.version,
           (select count(*) from applications a where a.cluster_id = c.id) as applications,
           c.observed_at as last_seen,
           case when seen.stale then seen.at end as stale_since,
           c.paused_by, c.paused_reason, c.paused_until, c.created_at
      from clusters c
     cross join instance i
     cross join lateral (
           select coalesce(c.observed_at, c.created_at) as at,
                  coalesce(c.observed_at, c.created_at) < now() - 3 * make_interval(
                      secs => coalesce(c.interval_seconds, i.default_interval_seconds)) as stale
           ) as seen
    """,
    """
    create view audit.applications as
    select a.name as application, p.name as project, coalesce(c.cluster, '') as cluster,
           a.namespace, a.labels,
           case when c.stale_since is null then a.sync_status else 'Unknown' end as sync_status,
           case when c.stale_since is null then a.health_status else 'Unknown' end
               as health_status,
           case when c.stale_since is null then a.health_message else '' end as health_message,
           a.synced_revision as revision,
           coalesce(a.revisions[1], '') as desired_revision,
           a.manifests_sha256, a.images, c.last_seen, c.stale_since, a.created_at, a.changed_at
      from applications a
      join projects p on p.id = a.project_id
      left join clusters k on k.id = a.cluster_id
      left join audit.clusters c on c.cluster = k.name
    """,
    """
    create view audit.projects as
    select p.name as project,
           coalesce(p.document #>> '{spec,description}', '') as description,
           count(a.application) as applications,
           count(*) filter (where a.sync_status = 'OutOfSync') as out_of_sync,
           count(*) filter (where a.health_status not in ('Healthy', 'Suspended'))
               as not_healthy,
           min(a.last_seen) as last_seen,
           p.created_at, p.changed_at
      from projects p
      left join audit.applications a on a.project = p.name
     group by p.id
    """,
    """
    create view audit.repositories as
    select regexp_replace(r.url, '(//[^/@:]*):[^/@]*@', '\\1@') as repository, r.type, r.project,
           not r.implicit as registered, r.status, r.message,
           (select coalesce(jsonb_agg(jsonb_build_object(
                       'chart', f.chart, 'targetRevision', f.target_revision,
                       'revision', f.revision, 'resolvedAt', f.resolved_at)
                       order by f.chart, f.target_revision), '[]'::jsonb)
              from repository_refs f where f.repository_id = r.id) as revisions,
           r.observed_at as last_seen, r.failing_since, r.created_at
      from repositories r
    """,
)
