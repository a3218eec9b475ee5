"""A sync to something else than the application follows: other revisions, or manifests that were
rendered on somebody's own machine.

It is rendered before the request is answered, so that a wrong revision is told at once. The
manifests are stored as those of a commit are, and applied as those of a rollback are: where
auto-sync would undo that, they stay what is wanted until somebody resumes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fleet.errors import Place, Refused, SpecInvalid
from fleet.model.applications import ApplicationSpec
from fleet.model.holds import Pin
from fleet.model.objects import Manifest
from fleet.model.operations import Operation, OperationKind, SyncOptions, Trigger
from fleet.model.scope import EVERYTHING, Actor, Scope
from fleet.operations.applications import note_broken_glass, refuse_unknown, wake
from fleet.operations.crashpoints import committing
from fleet.operations.evaluating import Evaluation
from fleet.operations.holding import OPEN_END, Terms, pin_application, stay_of
from fleet.operations.reaching import require_worker
from fleet.operations.rendering import render_at
from fleet.operations.runtime import Runtime
from fleet.operations.specs import application_spec
from fleet.operations.windowing import check_request
from fleet.registry import applications, desired, history, manifests, projects
from fleet.registry.application_refs import ApplicationRef
from fleet.registry.desired import Pending
from fleet.registry.history import OperationRequest
from fleet.registry.manifests import ManifestSet
from fleet.render.manifests import check_count, flatten

#: The revision of manifests that came from somebody's own machine.
LOCAL = "local"


@dataclass(frozen=True)
class Deviation:
    """What to apply instead: one of the two; with neither there is none.

    Attributes:
        revisions: by the source's position, from 0.
        manifests: rendered elsewhere.
    """

    revisions: Mapping[int, str] = field(default_factory=dict)
    manifests: Sequence[Manifest] | None = None

    def __bool__(self) -> bool:
        return bool(self.revisions) or self.manifests is not None


@dataclass(frozen=True)
class _Wanted:
    stored: ManifestSet
    revision: str
    sources: tuple[dict[str, Any], ...]
    what: str


async def sync_to(
    runtime: Runtime,
    actor: Actor,
    scope: Scope,
    name: str,
    options: SyncOptions,
    deviation: Deviation,
    terms: Terms = OPEN_END,
) -> Operation:
    """Ask for a sync to something else now.

    Raises:
        NotFound: no such application.
        RevisionNotFound: the repository has no such revision.
        RenderError: it does not render there.
        SpecInvalid: no such source, revisions and manifests at once, or ``terms`` that are over.
        WindowClosed: sync windows are against it.
        Refused: an operation runs already, or auto-sync would undo a part of it at once.
        NoWorker: no worker is alive that would do it.
    """
    refuse_unknown(options.sync_options)
    if deviation.revisions and deviation.manifests is not None:
        raise SpecInvalid("give revisions or manifests, not both", place=Place(field="revisions"))
    async with runtime.db.reading() as tx:
        app = await applications.find_application(tx, scope, name)
        entry = await desired.inputs_of(tx, app.id)
        await require_worker(tx, app.cluster_id)
    assert entry is not None, "it was there in this transaction"
    spec = application_spec(entry.document)
    if options.resources and spec.sync_policy.auto_sync and not options.dry_run:
        raise Refused(
            f"Application/{name}: auto-sync would take back a part that is synced elsewhere",
            hint="Sync all of it, or switch auto-sync off:"
            f" fleet app set {name} --sync-policy none",
            object=f"Application/{name}",
        )
    wanted = await _wanted(runtime, entry, spec, deviation)
    options = replace(options, manifests_sha256=wanted.stored.sha256)
    return await _request(runtime, actor, app, wanted, options, terms)


async def _wanted(
    runtime: Runtime, entry: Pending, spec: ApplicationSpec, deviation: Deviation
) -> _Wanted:
    if deviation.manifests is not None:
        stored = Evaluation(runtime).store(_checked(deviation.manifests))
        return _Wanted(stored, LOCAL, (), f"manifests of {LOCAL} files")
    rendered = await render_at(runtime, entry.id, deviation.revisions)
    asked = [
        deviation.revisions.get(position, source.target_revision)
        for position, source in enumerate(spec.sources)
    ]
    sources = tuple(
        {
            "repoURL": source.repo_url,
            **({"chart": source.chart} if source.chart else {"path": source.path}),
            "targetRevision": target,
            "revision": revision,
        }
        for source, target, revision in zip(spec.sources, asked, rendered.revisions, strict=True)
    )
    what = f"revision {', '.join(deviation.revisions.values())}"
    return _Wanted(rendered.stored, rendered.revisions[0], sources, what)


def _checked(manifests: Sequence[Manifest]) -> list[Manifest]:
    """What somebody sent, held to what a render is held to.

    Raises:
        SpecInvalid: one is no Kubernetes object.
        RenderError: too many, or one that is too large.
    """
    found = [
        object
        for index, value in enumerate(manifests)
        for object in flatten(value, Place(field=f"manifests[{index}]"))
    ]
    check_count(found)
    return found


async def _request(
    runtime: Runtime,
    actor: Actor,
    app: ApplicationRef,
    wanted: _Wanted,
    options: SyncOptions,
    terms: Terms,
) -> Operation:
    now, sha256 = runtime.now(), wanted.stored.sha256
    stay = stay_of(actor, terms, now, otherwise=f"synced to {wanted.what}")
    async with committing(runtime.db, "request") as tx:
        project = (await projects.get_project(tx, EVERYTHING, app.project)).spec
        check_request(app, project, options, now)
        await manifests.put(tx, runtime.ring, [wanted.stored])
        request = OperationRequest(
            app.id,
            OperationKind.SYNC,
            Trigger.MANUAL,
            options,
            revision=wanted.revision,
            sources=wanted.sources,
            manifests_sha256=sha256,
        )
        operation = await history.create_operation(tx, actor, request, now)
        await note_broken_glass(tx, actor, app, project, operation, now)
        if not options.dry_run and not options.resources:
            pin = Pin(stay, wanted.what, sha256, wanted.revision, wanted.sources)
            await pin_application(tx, actor, app, pin, now)
        await wake(tx, app)
    return operation
