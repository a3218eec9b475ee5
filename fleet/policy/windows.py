"""Whether the sync windows of a project let an application sync. Rules: ``features.md`` §1.9.

No window concerns the application: allowed. A deny window is open: refused, to people only
unless every open one has ``manualSync``. Allow windows concern it and none is open: refused,
to people unless every one has ``manualSync``. A sync that runs when that changes may go on
if it was allowed when it began, and every window that stands against it now has
``syncOverrun``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from fleet.model.windows import Hold, SyncWindow, WindowKind
from fleet.policy.globs import is_glob, matches_glob
from fleet.policy.window_times import SIGHT, is_open, next_flip

Windows = Sequence[SyncWindow]

#: Windows that open and close this often without changing the answer are not looked at
#: further: the answer is asked for again by then.
_MOST_FLIPS = 2000


@dataclass(frozen=True, slots=True)
class WindowSubject:
    """The application that windows are about; ``server`` is its cluster's address."""

    application: str
    namespace: str
    cluster: str
    server: str


@dataclass(frozen=True, slots=True)
class WindowVerdict:
    """What the windows of an application say.

    Attributes:
        automated, manual: whether a sync by Fleet itself, and one by a person, may begin.
        window: the one that decides; None where no window does.
        against: those that stand in the way, open deny windows or closed allow windows.
    """

    automated: bool
    manual: bool
    window: SyncWindow | None = None
    against: tuple[SyncWindow, ...] = ()

    @property
    def reason(self) -> str:
        """What stands in the way, in words; "" when nothing does."""
        if not self.against or self.window is None:
            return ""
        if self.window.kind is WindowKind.DENY:
            return f"{self.window} is open"
        if len(self.against) == 1:
            return f"{self.window} is closed"
        return f"none of {len(self.against)} allow windows is open, the next is {self.window}"

    def allows(self, *, manual: bool) -> bool:
        return self.manual if manual else self.automated


def assigned(windows: Iterable[SyncWindow], subject: WindowSubject) -> tuple[SyncWindow, ...]:
    """Those that concern the application, in their order."""
    return tuple(window for window in windows if _concerns(window, subject))


def _concerns(window: SyncWindow, subject: WindowSubject) -> bool:
    known = (subject.cluster, subject.server.rstrip("/"))
    clusters = tuple(text for text in known if text)
    answers = [
        any(_matches(pattern, text) for pattern in patterns for text in texts)
        for patterns, texts in (
            (window.applications, (subject.application,)),
            (window.namespaces, (subject.namespace,)),
            (window.clusters, clusters),
        )
        if patterns
    ]
    return bool(answers) and (all(answers) if window.and_operator else any(answers))


def _matches(pattern: str, text: str) -> bool:
    """A pattern that is no glob concerns all: a window only ever takes something away."""
    return not is_glob(pattern) or matches_glob(pattern.rstrip("/"), text)


def judge(windows: Windows, now: datetime) -> WindowVerdict:
    """What ``windows``, all of which concern the application, say at ``now``."""
    active = [window for window in windows if is_open(window, now)]
    denies = tuple(window for window in active if window.kind is WindowKind.DENY)
    allows = tuple(window for window in windows if window.kind is WindowKind.ALLOW)
    if denies:
        return _refused(denies, _strictest(denies))
    opened = next((window for window in active if window.kind is WindowKind.ALLOW), None)
    if opened is not None or not allows:
        return WindowVerdict(automated=True, manual=True, window=opened)
    return _refused(allows, _next_to_open(allows, now))


def _refused(against: tuple[SyncWindow, ...], decides: SyncWindow) -> WindowVerdict:
    manual = all(window.manual_sync for window in against)
    return WindowVerdict(automated=False, manual=manual, window=decides, against=against)


def _strictest(denies: Windows) -> SyncWindow:
    """The first that holds people back, too, if there is one."""
    return next((window for window in denies if not window.manual_sync), denies[0])


def _next_to_open(allows: Windows, now: datetime) -> SyncWindow:
    far = now + 2 * SIGHT
    return min(allows, key=lambda window: next_flip(window, now) or far)


def may_go_on(windows: Windows, began: datetime, now: datetime, *, manual: bool) -> bool:
    """Whether a sync that began at ``began`` may still write at ``now``.

    Args:
        windows: those that concern the application.
        manual: a person asked for it.
    """
    verdict = judge(windows, now)
    if verdict.allows(manual=manual):
        return True
    if not all(window.sync_overrun for window in verdict.against):
        return False
    return judge(windows, began).allows(manual=manual)


def hold_on(
    windows: Windows, now: datetime, *, manual: bool, began: datetime | None = None
) -> Hold | None:
    """Why a sync may not begin at ``now``, or go on; None when it may.

    Args:
        windows: those that concern the application.
        manual: a person asked for it.
        began: when it began, if it did.
    """

    def may(at: datetime) -> bool:
        if began is not None:
            return may_go_on(windows, began, at, manual=manual)
        return judge(windows, at).allows(manual=manual)

    return None if may(now) else Hold(judge(windows, now).reason, _next(windows, now, may))


def next_change(windows: Windows, now: datetime) -> datetime | None:
    """When what ``windows`` say next changes, for people or for Fleet; None: not in sight."""

    def said(at: datetime) -> tuple[bool, bool]:
        verdict = judge(windows, at)
        return verdict.automated, verdict.manual

    return _next(windows, now, said)


def _next(windows: Windows, now: datetime, answer: Callable[[datetime], object]) -> datetime | None:
    """When ``answer`` is another than at ``now`` for the first time."""
    before, at = answer(now), now
    flips: dict[SyncWindow, datetime | None] = {}
    for _ in range(_MOST_FLIPS):
        for window in _relevant(windows, at):
            known = flips.get(window, at)
            if known is not None and known <= at:
                flips[window] = next_flip(window, at)
        ahead = [flip for flip in flips.values() if flip is not None and flip > at]
        if not ahead or min(ahead) > now + SIGHT:
            return None
        at = min(ahead)
        if answer(at) != before:
            return at
    return at


def _relevant(windows: Windows, at: datetime) -> Windows:
    """Those whose next flip may change the answer: while a deny window is open, allow windows
    have no say."""
    denies = [window for window in windows if window.kind is WindowKind.DENY]
    return denies if any(is_open(window, at) for window in denies) else windows


def next_opening(windows: Iterable[SyncWindow], now: datetime) -> datetime | None:
    """When some sync may become possible that is not now: an allow window opens, or a deny
    window closes; None: not in sight."""
    flips = [
        next_flip(window, now)
        for window in windows
        if is_open(window, now) is (window.kind is WindowKind.DENY)
    ]
    return min((flip for flip in flips if flip is not None), default=None)
