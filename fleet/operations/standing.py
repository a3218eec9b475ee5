"""Where an application stands, from what is recorded. No I/O.

Between a look and the next a row says how live was; comparing the hash of what was
applied with the hash of what is wanted says the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from fleet.diff import is_as_applied
from fleet.health import aggregate
from fleet.model.applications import SKIP_RECONCILE_ANNOTATION, LiveResource, is_shadow
from fleet.model.health import Health, HealthStatus, SyncStatus
from fleet.model.objects import ObjectRef
from fleet.model.projects import ProjectSpec
from fleet.operations.allowing import SHADOWED
from fleet.operations.outliving import why_left
from fleet.operations.tasks import KEPT
from fleet.operations.views import View
from fleet.plan import DesiredObject, Ssa, held_back

MISSING = Health(HealthStatus.MISSING)
SKIPPED = f"it is neither compared nor synced: its annotation {SKIP_RECONCILE_ANNOTATION} says so"


def desired_of(view: View) -> Mapping[ObjectRef, DesiredObject]:
    return {} if view.prepared is None else view.prepared.by_ref


def is_complete(view: View) -> bool:
    """Whether everything that is wanted is known: the condition for any prune."""
    return (
        view.prepared is not None
        and not view.prepared.problems
        and (view.app.render_error is None or view.is_apart)
    )


def standing_rows(view: View) -> dict[ObjectRef, LiveResource]:
    """Every object's row as it should be recorded: those wanted, and those to prune."""
    if view.is_skipped:
        return dict(view.rows)
    desired = desired_of(view)
    rows: dict[ObjectRef, LiveResource] = {}
    for ref, wanted in desired.items():
        same = same_as_applied(view, wanted, view.rows.get(ref))
        rows[ref] = _wanted_row(wanted, view.rows.get(ref), view.owners.get(ref, ""), same=same)
    for ref, row in view.rows.items():
        is_ignored = view.prepared is not None and ref in view.prepared.ignored
        if ref in desired or not row.in_inventory or is_ignored:
            continue
        if row.hook or (view.prepared is not None and ref in view.prepared.set_apart):
            if row.uid or view.operation is not None:
                rows[ref] = _hook_row(row)
            continue
        if view.policy.excludes(ref.group_kind):
            continue  # it stays where it is, and is known no more
        if view.prepared is None or not is_complete(view):
            rows[ref] = row  # nothing is known about what is wanted: it stays as it was
        else:
            rows[ref] = _extra_row(row)
    return rows


def _extra_row(row: LiveResource) -> LiveResource:
    """Of an object that has left Git. One that says so itself makes no difference."""
    sync = SyncStatus.SYNCED if row.ignore_extraneous else SyncStatus.OUT_OF_SYNC
    message = why_left(row)
    if row.ignore_extraneous:
        message += ", which its compare option IgnoreExtraneous leaves out of the comparison"
    if row.message.startswith(KEPT):
        message = row.message
    return replace(row, sync=sync, requires_pruning=True, message=message)


def _hook_row(row: LiveResource) -> LiveResource:
    """Of a live hook: it is not compared with anything. It may have been an object before."""
    return replace(
        row, hook=True, sync=SyncStatus.SYNCED, requires_pruning=False, message="", drift=()
    )


def same_as_applied(view: View, wanted: DesiredObject, row: LiveResource | None) -> bool:
    if row is None or not row.applied_sha256:
        return False
    if wanted.options.ssa is Ssa.IF_NOT_PRESENT:
        return True
    return is_as_applied(row.applied_sha256, wanted.manifest, view.ignored.of(wanted.ref))


def _wanted_row(
    wanted: DesiredObject, row: LiveResource | None, owner: str, *, same: bool
) -> LiveResource:
    if owner:
        return LiveResource(
            wanted.ref,
            wanted.version,
            SyncStatus.OUT_OF_SYNC,
            None,
            wave=wanted.wave,
            message=f"belongs to application {owner}",
        )
    if row is None:
        return LiveResource(
            wanted.ref,
            wanted.version,
            SyncStatus.OUT_OF_SYNC,
            MISSING,
            wave=wanted.wave,
            message="was not applied yet",
        )
    row = replace(row, version=wanted.version, wave=wanted.wave, requires_pruning=False, hook=False)
    if row.sync is SyncStatus.UNKNOWN or _has_drifted(row) or not row.in_inventory:
        return row
    if not same:
        return replace(
            row, sync=SyncStatus.OUT_OF_SYNC, message="differs from what was applied last"
        )
    return replace(row, sync=SyncStatus.SYNCED, message="")


def _has_drifted(row: LiveResource) -> bool:
    return bool(row.drift) or row.health == MISSING


def sync_status(view: View, rows: Iterable[LiveResource]) -> SyncStatus:
    """Of the application. Unknown while what is wanted cannot be told."""
    if view.prepared is None or view.app.render_error is not None or view.is_skipped:
        return SyncStatus.UNKNOWN
    if view.ignored.errors:
        return SyncStatus.UNKNOWN  # what counts cannot be told
    statuses = {row.sync for row in rows if not row.hook}
    if view.prepared.problems or SyncStatus.OUT_OF_SYNC in statuses:
        return SyncStatus.OUT_OF_SYNC
    return SyncStatus.UNKNOWN if SyncStatus.UNKNOWN in statuses else SyncStatus.SYNCED


def health_of(rows: Mapping[ObjectRef, LiveResource]) -> Health:
    return aggregate(rows.values())


def conditions_of(
    view: View, failure: str, window: str = "", backoff: str = ""
) -> tuple[dict[str, Any], ...]:
    """Argo CD's conditions: what keeps the application from being what Git says.

    Args:
        failure: message of the last sync, if it failed, or why there is none.
        window: what sync windows have against a sync that would begin or go on.
        backoff: why drift that came back is not taken back yet.
    """
    found: list[tuple[str, str]] = []
    if view.project.windows_fault:
        found.append(("InvalidSpecError", unreadable_windows(view.app.project, view.project)))
    if view.is_skipped:
        found.append(("ReconcileSkipped", SKIPPED))
    if is_shadow(view.app.document):
        found.append(("ShadowMode", SHADOWED))
    if view.app.render_error is not None:
        found.append(("ComparisonError", str(view.app.render_error.get("message", ""))))
    if view.prepared is not None:
        found += [("ComparisonError", problem.message) for problem in view.prepared.problems]
        found += [(c.type, c.message) for c in view.prepared.conditions]
    found += [("ComparisonError", message) for message in view.ignored.errors]
    found += [("CompareOptionWarning", message) for message in view.ignored.warnings]
    found += [
        ("SharedResourceWarning", f"{ref} belongs to application {owner}, too")
        for ref, owner in sorted(view.owners.items())
    ]
    found += [("OrphanedResourceWarning", message) for message in _orphans(view)]
    found += [("RenderWarning", warning) for warning in view.app.render_warnings]
    if failure:
        found.append(("SyncError", failure))
    if window and not view.project.windows_fault:
        found.append(("SyncWindow", window))
    if backoff:
        found.append(("SelfHealBackoff", backoff))
    found += held_back(view.app.holds, view.app.name)
    return tuple({"type": type, "message": message} for type, message in found)


def _orphans(view: View) -> Iterable[str]:
    """That there are objects in its namespace that belong to nobody, if its project says so."""
    found, rules = view.app.orphans, view.project.orphans
    if not found or rules is None or not rules.warn:
        return
    refs = [str(ObjectRef.from_key(key)) for key in found[:5]]
    more = f" and {len(found) - len(refs)} more" if len(found) > len(refs) else ""
    yield (
        f"objects in namespace {view.app.namespace} that belong to no application:"
        f" {', '.join(refs)}{more}"
    )


def unreadable_windows(name: str, project: ProjectSpec) -> str:
    """That the sync windows of a project cannot be told, and what follows from it."""
    return (
        f"nothing of project {name} is synced, its windows cannot be read: {project.windows_fault}"
    )
