"""What people do with projects: put, close, let go."""

from __future__ import annotations

from fleet.errors import AlreadyExists, Place, Refused, SpecInvalid
from fleet.model.objects import Manifest
from fleet.model.parsing import parse_project
from fleet.model.projects import DEFAULT_PROJECT, Project, is_awaited
from fleet.model.scope import EVERYTHING, Actor, Scope
from fleet.operations.access import policy_of
from fleet.operations.inheriting import global_projects, settle_inheritance
from fleet.operations.putting import Put
from fleet.operations.runtime import Runtime
from fleet.policy import project_doubts
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
        SpecInvalid: a role has a line that is no rule, or reaches out of the project.
    """
    async with runtime.db.transaction() as tx, rehearsed(tx, undo=dry_run):
        known = await _exists(tx, project.name)
        if known and not upsert:
            raise AlreadyExists(
                f"a project named {project.name!r} exists already",
                hint="Change it with `fleet proj set` or `fleet proj edit`, or add --upsert.",
                object=f"AppProject/{project.name}",
            )
        changed, doubts = await written(tx, actor, project)
    action = "created" if not known else "configured" if changed else "unchanged"
    return Put(project.name, action, (*project.warnings, *doubts))


async def written(tx: Tx, actor: Actor, project: Project) -> tuple[bool, tuple[str, ...]]:
    """Make it, or give it this document.

    Returns:
        Whether anything changed by it, and what of its roles is probably not meant.

    Raises:
        SpecInvalid: a role has a line that is no rule, or reaches out of the project.
    """
    doubts = await _role_doubts(tx, project)
    changed = await projects.upsert_project(tx, actor, project)
    await settle_inheritance(tx, project.name)
    return changed, doubts


async def _role_doubts(tx: Tx, project: Project) -> tuple[str, ...]:
    if not project.spec.roles:
        return ()
    found: list[str] = []
    mode = (await policy_of(tx)).mode
    for index, role in enumerate(project.spec.roles):
        try:
            found += project_doubts(role, mode)
        except SpecInvalid as error:
            raise SpecInvalid(
                error.bare_message,
                place=Place(field=f"spec.roles[{index}].{error.place.field}"),
                hint=error.hint,
                object=f"AppProject/{project.name}",
            ) from None
    return tuple(found)


async def _exists(tx: Tx, name: str) -> bool:
    page, _ = await projects.list_projects(tx, EVERYTHING, name, limit=1000)
    return any(it.name == name and not is_awaited(it.document) for it in page)


async def close_default(runtime: Runtime, actor: Actor, scope: Scope) -> tuple[Put, Manifest]:
    """Let the project ``default`` allow nothing; what runs stays as it is, unsynced."""
    async with runtime.db.transaction() as tx:
        held = await projects.get_project(tx, scope, DEFAULT_PROJECT)
        document = {**held.document, "spec": CLOSED}
        changed = await projects.upsert_project(tx, actor, parse_project(document))
        await settle_inheritance(tx, DEFAULT_PROJECT)
    return Put(DEFAULT_PROJECT, "configured" if changed else "unchanged", ()), document


async def remove_project(runtime: Runtime, actor: Actor, name: str) -> None:
    """Raises Refused while something is in it, or inherits of it; see the registry."""
    async with runtime.db.transaction() as tx:
        await let_go(tx, actor, name)


async def let_go(tx: Tx, actor: Actor, name: str) -> None:
    """``remove_project`` in a transaction that does more."""
    if any(it.project == name for it in await global_projects(tx)):
        raise Refused(
            f"project {name!r} is a global one, of which others inherit",
            hint="Take it out of `globalProjects` of argocd-cm first.",
            object=f"AppProject/{name}",
        )
    await projects.remove_project(tx, actor, name)
