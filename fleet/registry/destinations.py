"""Applications whose cluster is taken away, or called something else, and those that find
it again.

An application without a cluster is kept as it was written; nothing is known of it, and
nothing is done, until a cluster is registered that its destination names.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fleet.errors import Refused
from fleet.model.clusters import Cluster
from fleet.model.ids import ApplicationId, RepositoryId
from fleet.model.scope import Actor
from fleet.registry.application_refs import ApplicationRef
from fleet.registry.audit import record_change
from fleet.registry.database import Tx
from fleet.registry.deployments import close_deployments
from fleet.registry.desired import repositories_of
from fleet.registry.drift import close_all
from fleet.registry.statements import text

_DETACH = """
    update applications set cluster_id = null, sync_status = 'Unknown',
      health_status = 'Unknown', health_message = '', health_since = null, conditions = '[]',
      images = '{}', compared_at = null, synced_revision = '', due_at = null,
      changed_at = clock_timestamp()
    where id = :id and operation_id is null and deleting is null returning name
"""

_ADOPT = """
    update applications a set cluster_id = :cluster, generation = a.generation + 1,
      urgency = least(a.urgency, 20), dirty_at = clock_timestamp(),
      changed_at = clock_timestamp()
    from projects p
    where p.id = a.project_id and a.cluster_id is null and :project in ('', p.name)
      and (a.document #>> '{spec,destination,name}' = :name
        or rtrim(a.document #>> '{spec,destination,server}', '/') = :server)
    returning a.id, a.name
"""


# what is rendered does not depend on what its cluster is called
_FOLLOW = """
    update applications a
    set document = jsonb_set(a.document, cast(:path as text[]), to_jsonb(cast(:new as text))),
      generation = a.generation + 1,
      rendered_generation =
        a.rendered_generation + cast(a.rendered_generation = a.generation as integer),
      changed_at = clock_timestamp()
    from projects p
    where p.id = a.project_id and a.cluster_id = :cluster
      and rtrim(a.document #>> cast(:path as text[]), '/') = :old
    returning a.name, a.document, a.namespace, p.name as project
"""


@dataclass(frozen=True, slots=True)
class Follower:
    """An application whose document names its cluster anew."""

    name: str
    project: str
    namespace: str


async def detach(tx: Tx, actor: Actor, app: ApplicationRef, cluster: str, now: datetime) -> None:
    """Forget where the application is; what it has there stays and is no longer watched.

    Raises:
        Refused: an operation runs, or it is being deleted.
    """
    done = await tx.execute(text(_DETACH), {"id": app.id})
    if done.one_or_none() is None:
        raise Refused(
            f"Application/{app.name} is at work on cluster {cluster!r}",
            hint=f"Wait for it, or end it with `fleet app terminate-op {app.name}`.",
            object=f"Application/{app.name}",
        )
    await tx.execute(text("delete from resources where application_id = :id"), {"id": app.id})
    await close_deployments(tx, app.id, now)
    await close_all(tx, app.id, "cluster removed", now)
    before = {"cluster": cluster}
    await record_change(tx, actor, "detach", "Application", app.name, before=before)


async def follow(tx: Tx, actor: Actor, before: Cluster, after: Cluster) -> tuple[Follower, ...]:
    """Have applications name their cluster as it is called, and found, from now on.

    Nothing else about them changes: nothing is rendered or applied because of it.
    """
    followers = []
    for field, old, new in (
        ("name", before.name, after.name),
        ("server", before.server, after.server),
    ):
        if old == new:
            continue
        path = ["spec", "destination", field]
        values = {"cluster": after.id, "path": path, "old": old, "new": new}
        for row in (await tx.execute(text(_FOLLOW), values)).all():
            spec = row.document["spec"]
            was = {**spec, "destination": {**spec["destination"], field: old}}
            await record_change(
                tx,
                actor,
                "update",
                "Application",
                row.name,
                before={**row.document, "spec": was},
                after=row.document,
            )
            followers.append(Follower(row.name, row.project, row.namespace))
    return tuple(sorted(followers, key=lambda app: app.name))


async def adopt(
    tx: Tx, actor: Actor, cluster: Cluster
) -> tuple[tuple[str, ...], tuple[RepositoryId, ...]]:
    """Give the cluster the applications that name it and have none.

    Returns:
        Their names, and the repositories to poll so that they are rendered for it.
    """
    values = {
        "cluster": cluster.id,
        "project": cluster.project,
        "name": cluster.name,
        "server": cluster.server,
    }
    rows = (await tx.execute(text(_ADOPT), values)).all()
    if not rows:
        return (), ()
    polled = await repositories_of(tx, [ApplicationId(row.id) for row in rows])
    names = tuple(sorted(row.name for row in rows))
    for name in names:
        after = {"cluster": cluster.name}
        await record_change(tx, actor, "attach", "Application", name, after=after)
    return names, polled
