"""Is an object as it should be? Decided from hashes and metadata, without its body.

Drift is: our owned set changed, or desired changed. Both show in a metadata-only LIST,
whatever the server did to the values. The hash of the values is the last guard, where
the body was read anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fleet.model.applications import LiveResource
from fleet.model.health import SyncStatus
from fleet.model.live import LiveMeta


class Reason(StrEnum):
    """Why an object has its sync status."""

    SAME = "Same"
    NOT_APPLIED = "NotApplied"  # there, and never applied by us
    DESIRED_CHANGED = "DesiredChanged"
    FIELDS_TAKEN = "FieldsTaken"  # another writer, or a plain edit, changed what we own
    MISSING = "Missing"
    REPLACED = "Replaced"  # deleted and made anew: another uid
    VALUE_CHANGED = "ValueChanged"  # still ours, with another value
    EXTRA = "Extra"  # there, and no longer in Git
    NOT_READ = "NotRead"  # its kind could not be listed


@dataclass(frozen=True, slots=True)
class Verdict:
    """``needs_body``: read the object whole, for its health or to show what changed.
    ``message`` says why it is out of sync, in one line; "" when it is not."""

    status: SyncStatus
    reason: Reason
    needs_body: bool = False
    message: str = ""


_MESSAGES = {
    Reason.NOT_APPLIED: "exists, but was never applied by Fleet",
    Reason.DESIRED_CHANGED: "differs from what was applied last",
    Reason.FIELDS_TAKEN: "another writer changed fields that Fleet applied",
    Reason.MISSING: "does not exist",
    Reason.REPLACED: "was deleted and created anew by another writer",
    Reason.VALUE_CHANGED: "the value of a field that Fleet applied has changed",
    Reason.EXTRA: "is no longer in Git",
}


def judge(
    *,
    desired_sha256: str,
    recorded: LiveResource | None,
    live: LiveMeta | None,
    owned_now: str = "",
    value_before: str = "",
    value_now: str = "",
    listed: bool = True,
) -> Verdict:
    """The sync status of one object.

    Args:
        desired_sha256: of the manifest that should be there; "" when none should.
        recorded: what was written down after our last apply; None when we never saw it.
        live: None when a complete LIST does not have it.
        owned_now: hash of our field set on ``live``, to be compared with ``recorded.owned``.
        value_before: hash of the values of our fields after our last apply, "" if unknown.
        value_now: the same of the body just read; "" when it was not read.
        listed: False when the kind could not be listed: absence then means nothing.
    """
    if not listed:
        return Verdict(SyncStatus.UNKNOWN, Reason.NOT_READ, message="its kind could not be read")
    reason = _reason(desired_sha256, recorded, live, owned_now)
    if reason is Reason.SAME and value_before and value_now and value_before != value_now:
        reason = Reason.VALUE_CHANGED
    needs_body = live is not None and not value_now and _is_news(reason, recorded, live, owned_now)
    status = SyncStatus.SYNCED if reason is Reason.SAME else SyncStatus.OUT_OF_SYNC
    return Verdict(status, reason, needs_body, _MESSAGES.get(reason, ""))


def _reason(
    desired_sha256: str, recorded: LiveResource | None, live: LiveMeta | None, owned_now: str
) -> Reason:
    if not desired_sha256:
        return Reason.EXTRA if live else Reason.SAME
    if live is None:
        return Reason.MISSING
    if recorded is None or not recorded.applied_sha256:
        return Reason.NOT_APPLIED
    if recorded.uid and recorded.uid != live.uid:
        return Reason.REPLACED
    if recorded.applied_sha256 != desired_sha256:
        return Reason.DESIRED_CHANGED
    return Reason.SAME if recorded.owned == owned_now else Reason.FIELDS_TAKEN


def _is_news(reason: Reason, recorded: LiveResource | None, live: LiveMeta, owned_now: str) -> bool:
    if recorded is None or reason in (Reason.NOT_APPLIED, Reason.REPLACED, Reason.FIELDS_TAKEN):
        return True
    taken_too = reason is Reason.DESIRED_CHANGED and recorded.owned != owned_now
    return taken_too or recorded.resource_version != live.resource_version
