"""What objects said about their own end, and whether somebody agreed to it. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from fleet.model.applications import DELETION_APPROVED_ANNOTATION, LiveResource
from fleet.model.objects import ObjectRef, annotations_of
from fleet.model.operations import Operation, OperationKind, OperationPhase
from fleet.operations.tasks import KEPT
from fleet.operations.views import View
from fleet.plan import Consent, ObjectOptions, read_outliving_options

#: The clock of whoever writes the annotation may be ahead of ours.
AHEAD = timedelta(minutes=1)


def is_approved(view: View, operation: Operation | None, now: datetime) -> bool:
    """Whether somebody agreed to the deletions of what is to be planned: with the operation, or
    by an annotation that is newer than what it agrees to: the request to delete the application,
    or the last sync, which told what waits."""
    deleting = view.app.deleting
    if (operation and operation.options.approved) or (deleting or {}).get("approved"):
        return True
    stamp = _time_of(annotations_of(view.app.document).get(DELETION_APPROVED_ANNOTATION, ""))
    since = view.app.attempted_at if deleting is None else _time_of(str(deleting.get("at", "")))
    return stamp is not None and stamp <= now + AHEAD and (since is None or stamp >= since)


def _time_of(text: str) -> datetime | None:
    """None for what is no time with its zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def awaiting_approval(view: View, operation: Operation, now: datetime) -> Operation | None:
    """The deletion as it waits, or None when it need not: nothing of it may go before."""
    is_new = operation.phase is OperationPhase.PENDING
    if (
        not is_new
        or operation.kind is not OperationKind.DELETE
        or is_approved(view, operation, now)
    ):
        return None
    policy = view.spec.sync_policy.options
    waiting = sorted(
        ref
        for ref, row in view.rows.items()
        if row.in_inventory
        and read_outliving_options(row.sync_options, policy).delete is Consent.CONFIRM
    )
    if not waiting:
        return None
    more = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
    message = (
        f"waits for a confirmation of {waiting[0]}{more} (Delete=confirm):"
        f" fleet app confirm-deletion {view.app.name}"
    )
    return replace(operation, message=message)


def why_left(row: LiveResource) -> str:
    """Of an object that left Git: what it said itself about that."""
    told = {
        Consent.GIVEN: "",
        Consent.REFUSED: ", and kept by its sync option Prune=false",
        Consent.CONFIRM: ", and waits for a confirmation (Prune=confirm)",
    }
    return f"is no longer in Git{told[read_outliving_options(row.sync_options).prune]}"


def outliving(
    rows: Mapping[ObjectRef, LiveResource], options: tuple[str, ...]
) -> dict[ObjectRef, ObjectOptions]:
    """What objects said about their own end when they were applied."""
    return {
        ref: read_outliving_options(row.sync_options, options)
        for ref, row in rows.items()
        if row.sync_options
    }


def known_to_stay(rows: Mapping[ObjectRef, LiveResource]) -> dict[ObjectRef, ObjectOptions]:
    """Objects that left Git and were found with a sync option that keeps them. Whoever asks
    for a sync has them asked again; Fleet by itself does when they change."""
    keeping = ObjectOptions(prune=Consent.REFUSED)
    return {ref: keeping for ref, row in rows.items() if row.message.startswith(KEPT)}
