"""Calling an application something else, without anything in its cluster changing.

A chart's objects are named after its release, and a release without a name of its own is
named after the application: the next render would bring other objects and prune all there
are. So the name that the release has had is written into the document first.
"""

from __future__ import annotations

from typing import Any

from fleet.errors import Place, Refused, SpecInvalid
from fleet.model.applications import Source
from fleet.model.names import DNS_SUBDOMAIN_RULE, is_dns_subdomain
from fleet.model.scope import Actor, Scope
from fleet.operations.crashpoints import committing
from fleet.operations.runtime import Runtime
from fleet.operations.specs import application_spec
from fleet.registry import applications, desired, queue
from fleet.registry.database import rehearsed
from fleet.registry.desired import Pending


async def rename_application(
    runtime: Runtime,
    actor: Actor,
    scope: Scope,
    name: str,
    new_name: str,
    *,
    dry_run: bool = False,
) -> tuple[str, ...]:
    """Call an application something else; what it is, has and did stays its own. Returns what
    that comes to, for people.

    Args:
        dry_run: find out whether it could be, and change nothing.

    Raises:
        NotFound: no such application.
        SpecInvalid: no valid name.
        AlreadyExists: it is taken.
        Refused: nobody can tell yet whether a chart's objects are named after it.
    """
    if not is_dns_subdomain(new_name):
        raise SpecInvalid(
            f"{new_name!r} is no valid name",
            place=Place(field="name"),
            hint=f"{DNS_SUBDOMAIN_RULE}.",
        )
    async with committing(runtime.db, "request") as tx:
        app = await applications.find_application(tx, scope, name)
        entry = await desired.inputs_of(tx, app.id)
        pinned = releases_named_after(entry) if entry is not None else ()
        async with rehearsed(tx, undo=dry_run):
            await applications.rename_application(tx, actor, app.id, new_name, releases=pinned)
            if app.cluster_id is not None:
                await queue.wake(tx, "reconcile", [str(app.cluster_id)])
            if entry is not None:  # its name may stand in what it renders to
                polled = {str(source.repository_id) for source in entry.sources}
                await queue.wake(tx, "poll", sorted(polled))
    kept = [f"source {position + 1} keeps the Helm release name {name}" for position in pinned]
    return ("no object changes: they carry its identity, not its name", *kept)


def releases_named_after(entry: Pending) -> tuple[int, ...]:
    """Positions of the sources whose Helm release bears the application's name.

    Raises:
        Refused: a source was changed and not rendered since, and names no tool.
    """
    spec = application_spec(entry.document)
    pairs = zip(spec.sources, entry.sources, strict=True)
    found = []
    for position, (source, follows) in enumerate(pairs):
        tool = _tool(source, follows.inputs)
        if tool is None and entry.manifests_sha256:
            raise Refused(
                f"application {entry.name!r} cannot be renamed before it is rendered: the names"
                " of what its chart made may follow from its own",
                hint=f"Render it first: fleet app refresh {entry.name} --hard",
                object=f"Application/{entry.name}",
            )
        if tool == "Helm" and not (source.helm and source.helm.release_name):
            found.append(position)
    if found and "sourceHydrator" in entry.document["spec"]:
        raise Refused(
            f"application {entry.name!r} cannot be renamed: the names of what its chart made"
            " follow from its own, and spec.sourceHydrator has no place for a release name",
            hint="Give it a spec.source with helm.releaseName instead.",
            object=f"Application/{entry.name}",
        )
    return tuple(found)


def _tool(source: Source, inputs: dict[str, Any]) -> str | None:
    """What renders a source; None when its files decide that and were not read yet."""
    if source.only_ref:
        return ""
    if source.chart or source.helm is not None:
        return "Helm"
    if source.kustomize is not None or source.directory is not None:
        return "Directory"
    return inputs.get("tool") or None
