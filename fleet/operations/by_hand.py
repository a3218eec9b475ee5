"""Live objects of an application that people delete or patch by hand, through Fleet.

It is for those who have no other way to a cluster. What Git says is put back like any other
change that Fleet did not make.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fleet.cluster import delete, get_metadata, patch_object
from fleet.errors import NotFound, Refused
from fleet.model.applications import LiveResource
from fleet.model.clusters import ApiKind
from fleet.model.scope import Actor, Scope
from fleet.operations.diffing import Site, application_of, kind_at, site_of
from fleet.operations.runtime import Runtime
from fleet.operations.tasks import unknown_kind
from fleet.registry.audit import record_change

_Act = Callable[[Site, ApiKind, LiveResource], Awaitable[bool]]
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which objects. ``every`` says that there may be more than one, or none named."""

    kind: str
    name: str = ""
    group: str = ""
    namespace: str = ""
    every: bool = False

    def matches(self, row: LiveResource) -> bool:
        wanted = (self.group, self.namespace, self.name)
        has = (row.ref.group, row.ref.namespace, row.ref.name)
        return row.ref.kind == self.kind and all(
            not one or one == other for one, other in zip(wanted, has, strict=True)
        )


async def delete_objects(
    runtime: Runtime,
    actor: Actor,
    scope: Scope,
    name: str,
    chosen: Chosen,
    *,
    force: bool = False,
    orphan: bool = False,
) -> tuple[str, ...]:
    """Delete live objects of an application; returns which.

    Args:
        force: their processes get no time to end.
        orphan: what they own stays.

    Raises:
        NotFound: no such application, or it has no such object.
        Refused: several are meant, and nobody said all.
        Forbidden: the project does not allow one of them.
        ClusterError: the cluster did not answer.
    """

    async def act(site: Site, kind: ApiKind, row: LiveResource) -> bool:
        client, ref = site.link.client, row.ref
        meta = await get_metadata(client, kind, ref.namespace, ref.name)
        if meta is None:
            return False
        return await delete(
            client,
            kind,
            ref.namespace,
            ref.name,
            uid=meta.uid,
            gate=site.gate,
            propagation="orphan" if orphan else "foreground",
            grace_seconds=0 if force else None,
        )

    return await _for_each(runtime, actor, scope, name, chosen, "delete-resource", act)


async def patch_objects(
    runtime: Runtime,
    actor: Actor,
    scope: Scope,
    name: str,
    chosen: Chosen,
    patch: Any,
    patch_type: str,
) -> tuple[str, ...]:
    """Patch live objects of an application; returns which.

    Raises:
        as ``delete_objects``, and ObjectRejected: the server refused the patch.
    """

    async def act(site: Site, kind: ApiKind, row: LiveResource) -> bool:
        ref = row.ref
        await patch_object(
            site.link.client,
            kind,
            ref.namespace,
            ref.name,
            patch,
            patch_type=patch_type,
            gate=site.gate,
        )
        return True

    return await _for_each(runtime, actor, scope, name, chosen, "patch-resource", act)


async def _for_each(
    runtime: Runtime,
    actor: Actor,
    scope: Scope,
    name: str,
    chosen: Chosen,
    action: str,
    act: _Act,
) -> tuple[str, ...]:
    app = await application_of(runtime, scope, name)
    rows = _matching(name, app.resources, chosen)
    site = await site_of(runtime, app)

    async def one(row: LiveResource) -> str:
        kind = kind_at(site, row.ref, row.version)
        if kind is None:
            raise unknown_kind(row.ref, row.version)
        return str(row.ref) if await act(site, kind, row) else ""

    answers = await asyncio.gather(*map(one, rows), return_exceptions=True)
    done = tuple(answer for answer in answers if isinstance(answer, str) and answer)
    if done:
        # what was done is told even if the next one was refused
        async with runtime.db.transaction() as tx:
            after = {"objects": list(done)}
            await record_change(tx, actor, action, "Application", name, after=after)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return done


def _matching(
    name: str, resources: tuple[LiveResource, ...], chosen: Chosen
) -> tuple[LiveResource, ...]:
    about = f"Application/{name}"
    found = tuple(row for row in resources if row.uid and chosen.matches(row))
    if not found:
        wanted = "/".join(filter(None, (chosen.kind, chosen.namespace, chosen.name)))
        raise NotFound(
            f"{about}: has no live object {wanted}",
            hint=f"`fleet app resources {name}` lists what it has.",
            object=about,
        )
    if not chosen.every and (len(found) > 1 or not chosen.name):
        several = ", ".join(str(row.ref) for row in found[:_NAMED])
        raise Refused(
            f"{about}: {len(found)} objects are meant: {several}",
            hint="Name one with its group and namespace, or say --all.",
            object=about,
        )
    return found
