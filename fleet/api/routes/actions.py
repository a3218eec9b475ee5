"""What people do with an application: sync, roll back, refresh, terminate, rename, diff."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import Query, Response
from pydantic import Field, field_validator

from fleet.api.answers import accepted
from fleet.api.caller import Caller, Calling
from fleet.api.guarded import guarded_router
from fleet.api.requests import Body, Document, Moment, Nothing
from fleet.api.routes.applications import found, shown
from fleet.api.shapes import OWN_INFO, operation_shape
from fleet.errors import Place, SpecInvalid
from fleet.model.diffs import FieldChange
from fleet.model.objects import ObjectRef
from fleet.model.operations import SyncOptions
from fleet.model.retries import Retry
from fleet.operations import applications as operations
from fleet.operations import confirming, renaming
from fleet.operations.deviating import Deviation, sync_to
from fleet.operations.diffing import ApplicationDiff, Failure, Shown, diff_application
from fleet.operations.holding import Terms
from fleet.policy import BREAK_GLASS

router = guarded_router("applications")

#: More than any application has, and little enough to be read at once.
MANY = 10_000


class RetryBody(Body):
    """Tried again ``limit`` times, after ``seconds`` and pauses that grow by ``factor``; with
    ``refresh`` what Git wants by then, else the same manifests."""

    limit: Annotated[int, Field(ge=0, le=1000)]
    seconds: Annotated[float, Field(ge=0, le=86_400)] = 5
    factor: Annotated[int, Field(ge=1, le=1000)] = 2
    longest_seconds: Annotated[float, Field(ge=0, le=86_400)] = 180
    refresh: bool = False

    def value(self) -> Retry:
        return Retry(
            limit=self.limit,
            duration=timedelta(seconds=self.seconds),
            factor=self.factor,
            max_duration=timedelta(seconds=self.longest_seconds),
            refresh=self.refresh,
        )


#: Why sync windows are to be overridden; "": they are not.
BreakGlassReason = Annotated[str, Field(max_length=1000)]


class HoldingBody(Body):
    """Where auto-sync would undo it, what was asked for stays until ``until``, or until somebody
    resumes; for this ``reason``."""

    reason: Annotated[str, Field(max_length=1000)] = ""
    until: Moment | None = None

    def terms(self) -> Terms:
        return Terms(self.reason, self.until)


Revision = Annotated[str, Field(min_length=1, max_length=1024)]


class ElsewhereBody(Body):
    """Something else than the application follows: ``revision`` of the first source,
    ``revisions`` of those at ``source_positions``, counted from 1; or ``manifests`` that were
    rendered elsewhere."""

    revision: Annotated[str, Field(max_length=1024)] = ""
    revisions: Annotated[tuple[Revision, ...], Field(max_length=100)] = ()
    source_positions: Annotated[tuple[int, ...], Field(max_length=100)] = ()
    manifests: Annotated[list[Document], Field(max_length=MANY)] | None = None

    def by_position(self) -> dict[int, str]:
        """Revisions by the source's position, from 0.

        Raises:
            SpecInvalid: revisions and positions do not pair up.
        """
        count = len(self.source_positions)
        if len(self.revisions) != count or len(set(self.source_positions)) != count:
            raise SpecInvalid(
                "each revision needs a source position of its own", place=Place(field="revisions")
            )
        positions = [position - 1 for position in self.source_positions]
        found = dict(zip(positions, self.revisions, strict=True))
        if self.revision:
            found.setdefault(0, self.revision)
        return found


class InfoBody(Body):
    """One thing to keep with the operation. Fleet's own names are not to be had."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    value: Annotated[str, Field(max_length=4096)]

    @field_validator("name")
    @classmethod
    def _is_free(cls, name: str) -> str:
        if name in OWN_INFO:
            raise ValueError(f"{name} is written by Fleet itself")
        return name


class SyncBody(HoldingBody, ElsewhereBody):
    """``retry`` None: as the application says.

    ``resources`` are ``GROUP:KIND:NAMESPACE/NAME``, or ``GROUP:KIND:NAME``; none means all.
    The strategy ``apply`` runs no hooks."""

    prune: bool = False
    dry_run: bool = False
    force_conflicts: bool = False
    resources: Annotated[tuple[str, ...], Field(max_length=MANY)] = ()
    sync_options: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    retry: RetryBody | None = None
    strategy: Literal["hook", "apply"] = "hook"
    info: Annotated[tuple[InfoBody, ...], Field(max_length=100)] = ()
    break_glass_reason: BreakGlassReason = ""


class RollbackBody(HoldingBody):
    """``id``: of the deployment, as the history shows it."""

    id: Annotated[int, Field(ge=0, lt=1 << 31)]
    prune: bool = False
    dry_run: bool = False
    break_glass_reason: BreakGlassReason = ""


class RefreshBody(Body):
    """``hard`` renders again even if nothing changed."""

    hard: bool = False


class RenameBody(Body):
    name: str
    dry_run: bool = False


class DiffBody(ElsewhereBody):
    """Compare with that; with nothing, with what is wanted now."""


def object_ref(text: str) -> ObjectRef:
    """``GROUP:KIND:NAMESPACE/NAME`` as ``argocd`` spells it.

    Raises:
        SpecInvalid: it is not of that form.
    """
    parts = text.split(":", 2)
    namespace, _, name = parts[-1].rpartition("/")
    if len(parts) != 3 or not parts[1] or not name or text.startswith("!"):
        raise SpecInvalid(
            f"{text!r} names no object",
            place=Place(field="resources"),
            hint="Write GROUP:KIND:NAMESPACE/NAME, e.g. apps:Deployment:shop/web.",
        )
    return ObjectRef(parts[0], parts[1], namespace, name)


@router.post("/applications/{name}/sync", summary="Make the cluster as Git says, now")
async def post_sync(caller: Calling, name: str, body: SyncBody) -> Response:
    await found(caller, "sync", name)
    reason = await break_glass(caller, name, body.break_glass_reason)
    check_pairs(body.sync_options)
    options = SyncOptions(
        prune=body.prune,
        dry_run=body.dry_run,
        force_conflicts=body.force_conflicts,
        resources=tuple(object_ref(text) for text in body.resources),
        sync_options=body.sync_options,
        retry=None if body.retry is None else body.retry.value(),
        break_glass=reason,
        hookless=body.strategy == "apply",
        info=tuple((it.name, it.value) for it in body.info),
    )
    deviation = Deviation(body.by_position(), body.manifests)
    if deviation:
        await found(caller, "rollback", name)
        operation = await sync_to(
            caller.runtime, caller.actor, caller.scope, name, options, deviation, body.terms()
        )
    else:
        operation = await operations.sync_application(
            caller.runtime, caller.actor, caller.scope, name, options
        )
    return accepted(operation_shape(operation))


def check_pairs(options: tuple[str, ...]) -> None:
    """Raises SpecInvalid for a sync option that is not ``NAME=VALUE``."""
    for option in options:
        if "=" not in option:
            raise SpecInvalid(f"{option!r} is not NAME=VALUE", place=Place(field="syncOptions"))


async def break_glass(caller: Caller, name: str, reason: str) -> str:
    """The reason, if there is one and the caller may override sync windows.

    Raises:
        Forbidden: they may not.
    """
    if reason.strip():
        await found(caller, BREAK_GLASS, name)
    return reason.strip()


@router.post("/applications/{name}/rollback", summary="Apply what an earlier deployment applied")
async def post_rollback(caller: Calling, name: str, body: RollbackBody) -> Response:
    await found(caller, "rollback", name)
    reason = await break_glass(caller, name, body.break_glass_reason)
    operation = await operations.rollback_application(
        caller.runtime,
        caller.actor,
        caller.scope,
        name,
        body.id,
        prune=body.prune,
        dry_run=body.dry_run,
        break_glass=reason,
        terms=body.terms(),
    )
    return accepted(operation_shape(operation))


@router.post("/applications/{name}/refresh", summary="Look at Git and at the cluster, now")
async def post_refresh(caller: Calling, name: str, body: RefreshBody | None = None) -> Response:
    await found(caller, "refresh", name)
    mode: operations.RefreshMode = "hard" if body is not None and body.hard else "normal"
    await operations.refresh_application(caller.runtime, caller.actor, caller.scope, name, mode)
    return accepted({"name": name, "mode": mode})


@router.post("/applications/{name}/terminate", summary="End the running operation where it is")
async def post_terminate(caller: Calling, name: str, _: Nothing | None = None) -> dict[str, Any]:
    await found(caller, "sync", name)
    await operations.terminate_application(caller.runtime, caller.actor, caller.scope, name)
    return {"name": name}


@router.post("/applications/{name}/confirm-deletion", summary="Agree to deletions that wait for it")
async def post_confirm_deletion(caller: Calling, name: str, _: Nothing | None = None) -> Response:
    await found(caller, "update", name)
    operation = await confirming.confirm_deletion(caller.runtime, caller.actor, caller.scope, name)
    return accepted({"name": name} if operation is None else operation_shape(operation))


@router.post("/applications/{name}/rename", summary="Call an application something else")
async def post_rename(caller: Calling, name: str, body: RenameBody) -> dict[str, Any]:
    await found(caller, "update", name)
    steps = await renaming.rename_application(
        caller.runtime, caller.actor, caller.scope, name, body.name, dry_run=body.dry_run
    )
    if body.dry_run:
        return {"name": body.name, "dryRun": True, "steps": list(steps)}
    return await shown(caller, body.name)


@router.get("/applications/{name}/diff", summary="What a sync would change")
async def get_diff(
    caller: Calling, name: str, revision: Annotated[str, Query(max_length=1024)] = ""
) -> dict[str, Any]:
    return await _diff(caller, name, DiffBody(revision=revision))


@router.post("/applications/{name}/diff", summary="What a sync of something else would change")
async def post_diff(caller: Calling, name: str, body: DiffBody) -> dict[str, Any]:
    return await _diff(caller, name, body)


async def _diff(caller: Caller, name: str, body: DiffBody) -> dict[str, Any]:
    await found(caller, "get", name)
    answer = await diff_application(
        caller.runtime, caller.scope, name, revisions=body.by_position(), given=body.manifests
    )
    return _diff_shape(answer)


def _diff_shape(answer: ApplicationDiff) -> dict[str, Any]:
    return {
        "different": bool(answer.shown),
        "revisions": list(answer.revisions),
        "items": [shown_shape(shown) for shown in answer.shown],
        "warnings": list(answer.warnings),
        "errors": [failure_shape(failure) for failure in answer.failures],
        "next": "",
    }


def shown_shape(shown: Shown) -> dict[str, Any]:
    ref = shown.diff.ref
    return {
        "group": ref.group,
        "kind": ref.kind,
        "namespace": ref.namespace,
        "name": ref.name,
        "action": shown.action,
        "changes": [_change_shape(change) for change in shown.diff.changes],
        "unified": shown.text,
        "live": shown.diff.live,
        "predicted": shown.diff.predicted,
    }


def _change_shape(change: FieldChange) -> dict[str, Any]:
    return {
        "path": change.path,
        "type": str(change.type),
        "live": change.live,
        "desired": change.desired,
        "manager": change.manager,
    }


def failure_shape(failure: Failure) -> dict[str, Any]:
    return {**failure.error.as_dict(), "object": str(failure.ref)}
