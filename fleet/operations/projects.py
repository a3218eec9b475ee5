"""What people do with projects: put, close, let go."""

from __future__ import annotations

from fleet.errors import AlreadyExists
from fleet.model.objects import Manifest
from fleet.model.parsing import parse_project
from fleet.model.projects import DEFAULT_PROJECT, Project, is_awaited
from fleet.model.scope import EVERYTHING, Actor, Scope
from fleet.operations.putting import Put
from fleet.operations.runtime import Runtime
from fleet.registry import projects
from fleet.registry.database import Tx, rehearsed

#: What the project ``default`` allows once it is closed: nothing.
CLOSED = {
    "description": "Closed: allows nothing.",
    "sourceRepos": [],
    "destinations": [],
    "clusterResourceWhitelist": [],
}


async def put_project(
    runtime: Runtime,
    actor: Actor,
    project: Project,
    *,
    upsert: bool,
    dry_run: bool = False,
) -> Put:
    """Create a project, or change what its applications may use.

    Raises:
        AlreadyExists: without ``upsert``, the name is taken.
    """
    async with runtime.db.transaction() as tx, rehearsed(tx, undo=dry_run):
        known = await _exists(tx, project.name)
        if known and not upsert:
            raise AlreadyExists(
                f"a project named {project.name!r} exists already",
                hint="Change it with `fleet proj set` or `fleet proj edit`, or add --upsert.",
                object=f"AppProject/{project.name}",
            )
        changed = await projects.upsert_project(tx, actor, project)
    action = "created" if not known else "configured" if changed else "unchanged"
    return Put(project.name, action, project.warnings)


async def _exists(tx: Tx, name: str) -> bool:
    page, _ = await projects.list_projects(tx, EVERYTHING, name, limit=1000)
    return any(it.name == name and not is_awaited(it.document) for it in page)


async def close_default(runtime: Runtime, actor: Actor, scope: Scope) -> tuple[Put, Manifest]:
    """Let the project ``default`` allow nothing; what runs stays as it is, unsynced."""
    async with runtime.db.transaction() as tx:
        held = await projects.get_project(tx, scope, DEFAULT_PROJECT)
        document = {**held.document, "spec": CLOSED}
        changed = await projects.upsert_project(tx, actor, parse_project(document))
    return Put(DEFAULT_PROJECT, "configured" if changed else "unchanged", ()), document


async def remove_project(runtime: Runtime, actor: Actor, name: str) -> None:
    """Raises Refused while applications are in it; see the registry."""
    async with runtime.db.transaction() as tx:
        await projects.remove_project(tx, actor, name)
