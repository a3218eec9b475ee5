"""Sync windows, asked about one application: may it sync now, by itself or for a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fleet.errors import Refused, WindowClosed
from fleet.model.applications import ApplicationSummary
from fleet.model.clusters import Cluster
from fleet.model.operations import Operation, OperationKind, OperationPhase, SyncOptions
from fleet.model.projects import ProjectSpec
from fleet.model.windows import Hold, SyncWindow
from fleet.operations.allowing import SHADOWED
from fleet.operations.judging import AUTOMATED
from fleet.operations.standing import unreadable_windows
from fleet.operations.views import View
from fleet.policy import (
    WindowSubject,
    WindowVerdict,
    assigned,
    hold_on,
    judge,
    next_change,
)
from fleet.registry.application_refs import ApplicationRef


def hold_of_automation(view: View, cluster: Cluster, now: datetime) -> Hold | None:
    """What windows have against a sync that Fleet would begin by itself; None: nothing."""
    return _hold(view, cluster, now, manual=False)


def hold_of(
    view: View, operation: Operation, cluster: Cluster, now: datetime, *, anew: bool = False
) -> Hold | None:
    """What windows have against an operation. A deletion, a dry run, one for which the glass
    was broken, and one that only ends its hooks are not theirs to hold.

    Args:
        anew: it begins, or is tried again; else it goes on.
    """
    options = operation.options
    is_ending = operation.phase is OperationPhase.TERMINATING
    is_apart = operation.kind is OperationKind.DELETE or is_ending
    if is_apart or options.dry_run or options.break_glass:
        return None
    began = None if anew else operation.started_at
    return _hold(view, cluster, now, manual=operation.trigger not in AUTOMATED, began=began)


def _hold(
    view: View, cluster: Cluster, now: datetime, *, manual: bool, began: datetime | None = None
) -> Hold | None:
    project = view.project
    if project.windows_fault:
        return Hold(unreadable_windows(view.app.project, project))
    if not project.windows:
        return None
    subject = WindowSubject(view.app.name, view.app.namespace, cluster.name, cluster.server)
    return hold_on(assigned(project.windows, subject), now, manual=manual, began=began)


def check_windows(view: View, operation: Operation, cluster: Cluster, now: datetime) -> None:
    """Before each write.

    Raises:
        WindowClosed: the operation has to wait.
    """
    hold = hold_of(view, operation, cluster, now)
    if hold is not None:
        raise WindowClosed(str(hold), object=f"Application/{view.app.name}")


def check_request(
    app: ApplicationRef, project: ProjectSpec, options: SyncOptions, now: datetime
) -> None:
    """Whether a sync that a person asks for may begin.

    Raises:
        Refused: the application is in shadow mode.
        WindowClosed: names the window, until when, and how to go about it.
    """
    if app.is_shadow and not options.dry_run:
        raise Refused(
            f"Application/{app.name}: is not synced: {SHADOWED}",
            hint=f"`fleet app set {app.name} --no-shadow` ends that.",
            object=f"Application/{app.name}",
        )
    if options.dry_run or options.break_glass:
        return
    hold = hold_of_request(app, project, now)
    if hold is not None:
        raise WindowClosed(
            f"Application/{app.name}: syncs are held back: {hold}",
            hint=f"`fleet proj windows list {app.project}` shows its windows."
            f" Whoever may override them: `fleet app sync {app.name} --break-glass --reason TEXT`.",
            object=f"Application/{app.name}",
        )


def hold_of_request(app: ApplicationRef, project: ProjectSpec, now: datetime) -> Hold | None:
    """What windows have against a sync that a person asks for."""
    if project.windows_fault:
        return Hold(unreadable_windows(app.project, project))
    windows = assigned(project.windows, _subject_of(app))
    return hold_on(windows, now, manual=True)


@dataclass(frozen=True, slots=True)
class WindowStanding:
    """Whether an application may sync now, which window decides, when that next changes.

    ``fault``: why the windows of its project cannot be read; then nothing may sync.
    """

    verdict: WindowVerdict
    assigned: tuple[SyncWindow, ...] = ()
    changes_at: datetime | None = None
    fault: str = ""


def standing_of(
    app: ApplicationSummary, project: ProjectSpec, now: datetime
) -> WindowStanding | None:
    """None where no window concerns the application."""
    if project.windows_fault:
        fault = unreadable_windows(app.project, project)
        return WindowStanding(WindowVerdict(automated=False, manual=False), fault=fault)
    windows = assigned(project.windows, _subject_of(app))
    if not windows:
        return None
    return WindowStanding(judge(windows, now), windows, next_change(windows, now))


def _subject_of(app: ApplicationRef | ApplicationSummary) -> WindowSubject:
    return WindowSubject(app.name, app.namespace, app.cluster, app.server)
