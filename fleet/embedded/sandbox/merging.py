"""Server-side apply, and who owns what after any other write.

``apply`` merges what a manager applies into the live object, takes away what only that manager
owned and applies no longer, and refuses to change what others own unless forced. ``track`` moves
the ownership of what an update changed. Both keep ``metadata.managedFields``; neither fills in
defaults: do that to what ``apply`` returns, and before ``track``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Final, NamedTuple

import orjson

from fleet.embedded.sandbox.comparing import Changes, compare, fields_of, held
from fleet.embedded.sandbox.fieldsets import (
    FieldSet,
    NoStep,
    difference,
    intersection,
    path_set,
    paths,
    union,
    with_named,
    without,
)
from fleet.embedded.sandbox.joining import merge, remove
from fleet.embedded.sandbox.objects import Object, at, with_meta
from fleet.embedded.sandbox.owners import Owner, Owners, cap_updaters, read_owners, write_owners
from fleet.embedded.sandbox.roundtrip import blank
from fleet.embedded.sandbox.shapes import Shape

#: Fields that nobody owns.
_UNOWNED: Final = path_set(
    ("apiVersion",),
    ("kind",),
    ("metadata",),
    *(
        ("metadata", name)
        for name in (
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "clusterName",
            "generation",
            "managedFields",
            "resourceVersion",
        )
    ),
)
_STATUS: Final = path_set(("status",))
_ALL_BUT_STATUS: Final = path_set(("spec",), ("metadata",))
#: What an update writes as managedFields to end all ownership.
_FORGET: Final[tuple[list[Object], ...]] = ([], [{}])
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


class Conflict(NamedTuple):
    """One field that another owner holds at another value."""

    manager: str
    path: str
    message: str


class ApplyConflict(Exception):
    """An apply would change fields of others; the message is the API server's."""

    def __init__(self, found: Sequence[tuple[Owner, FieldSet]]) -> None:
        self.found = found
        self.causes = tuple(
            Conflict(owner.manager, path, f"conflict with {owner}")
            for owner, fields in found
            for path in paths(fields)
        )
        super().__init__(self._message())

    def _message(self) -> str:
        if len(self.causes) == 1:
            (only,) = self.causes
            return f"Apply failed with 1 conflict: {only.message}: {only.path}"
        lines: list[str] = []
        for owner, fields in self.found:
            lines.append(f"conflicts with {owner}:")
            lines += (f"- {path}" for path in paths(fields))
        return f"Apply failed with {len(self.causes)} conflicts: " + "\n".join(lines)


def reset_fields(shape: Shape, subresource: str) -> FieldSet:
    """The fields that a request cannot write, so that its manager does not come to own them."""
    if subresource == "status":
        return _ALL_BUT_STATUS
    return _STATUS if not subresource and "status" in shape.fields else {}


def apply(
    live: Object | None,
    applied: Object,
    *,
    shape: Shape,
    manager: str,
    force: bool,
    now: str,
    subresource: str = "",
    reset: FieldSet | None = None,
) -> Object:
    """The object after an apply, with its managers; ``live`` as it was when nothing changes.

    Args:
        live: None when the apply creates the object.
        applied: what the request holds, as it came: without defaults.
        now: what becomes the entry's time, e.g. ``2026-01-01T00:00:00Z``.
        reset: fields that this request cannot write; ``reset_fields`` where None.

    Raises:
        ApplyConflict: others own what would change, and ``force`` is not set.
        FieldsInvalid: ``applied`` does not have the shape of its kind.
    """
    if reset is None:
        reset = reset_fields(shape, subresource)
    owners = read_owners(live)
    if live is not None and not owners:
        owners = _before_first_apply(live, shape=shape, now=now, reset=reset)
    base = with_meta(live, managedFields=None) if live is not None else None
    me = Owner(manager or "unknown", "Apply", applied["apiVersion"], subresource, "", {})
    work = _Apply(base, applied, shape, me, reset)
    try:
        result, owners = work.run(owners, force=force)
    except ApplyConflict as conflict:
        if manager != "kubectl" or not work.takes_over(conflict):
            raise
        result, owners = work.run(owners, force=True)
    if result != base and me.key in owners:
        owners[me.key] = replace(owners[me.key], time=now)
    if manager == "kubectl":
        result = _with_last_applied(result, applied)
    return write_owners(result, owners)


def _before_first_apply(live: Object, *, shape: Shape, now: str, reset: FieldSet) -> Owners:
    """What exists already when tracking begins belongs to a manager of that name."""
    changes = _excluding(compare(dict(blank(shape)), live, shape), reset)
    fields = difference(union(changes.added, changes.modified), _UNOWNED)
    owner = Owner("before-first-apply", "Update", live["apiVersion"], "", now, fields)
    return {owner.key: owner} if fields else {}


class _Apply:
    """One apply; run twice where kubectl takes over what it used to apply by itself."""

    def __init__(
        self, live: Object | None, applied: Object, shape: Shape, me: Owner, reset: FieldSet
    ) -> None:
        self.live = live
        self.shape = shape
        self.me = me
        self.reset = reset
        self.wanted = without(fields_of(applied, shape), reset)
        self.merged: Object = applied if live is None else merge(live, applied, shape)

    def run(self, owners: Owners, *, force: bool) -> tuple[Object, Owners]:
        """The object after it, and the owners of the fields of both.

        Raises:
            ApplyConflict: see ``apply``.
        """
        before = owners.get(self.me.key)
        time = before.time if before else ""
        owners = {**owners, self.me.key: replace(self.me, fields=self.wanted, time=time)}
        result = self.merged
        if before and difference(before.fields, self.wanted):
            result = _prune(result, owners, before.fields, self.shape)
        if self.live is not None and result != self.live:
            changes = _excluding(compare(self.live, result, self.shape), self.reset)
            owners = _take(owners, changes, self.me, force=force)
        mine = difference(self.wanted, _UNOWNED)
        if mine:
            owners[self.me.key] = replace(owners[self.me.key], fields=mine)
        else:
            owners.pop(self.me.key, None)
        return result, owners

    def takes_over(self, conflict: ApplyConflict) -> bool:
        """Did kubectl, which used to apply on the client's side, set all that is in conflict?

        Raises:
            ApplyConflict: it set a part; this is the rest.
        """
        last = _last_applied(self.live)
        if self.live is None or last.get("apiVersion") != self.me.api_version:
            return False
        changes = compare(last, self.live, self.shape)
        allowed = fields_of(last, self.shape)
        for moved in (changes.modified, changes.added, changes.removed):
            allowed = difference(allowed, moved)
        rest = [(owner, difference(fields, allowed)) for owner, fields in conflict.found]
        if any(fields for _, fields in rest):
            raise ApplyConflict([(owner, fields) for owner, fields in rest if fields])
        return True


def _last_applied(obj: Object | None) -> Object:
    """What kubectl applied last on the client's side; empty where it did not."""
    text = at(obj or {}, "metadata", "annotations", _LAST_APPLIED)
    try:
        found = orjson.loads(text or "null")
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _with_last_applied(obj: Object, applied: Object) -> Object:
    """Keep kubectl's annotation up to date where an object has it."""
    annotations = at(obj, "metadata", "annotations") or {}
    if not annotations.get(_LAST_APPLIED):
        return obj
    metadata = dict(applied["metadata"])
    if "annotations" in metadata:
        metadata["annotations"] = {
            name: text for name, text in metadata["annotations"].items() if name != _LAST_APPLIED
        }
    text = orjson.dumps({**applied, "metadata": metadata}, option=orjson.OPT_SORT_KEYS).decode()
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return with_meta(obj, annotations={**annotations, _LAST_APPLIED: text + "\n"})


def _excluding(changes: Changes, reset: FieldSet) -> Changes:
    if not reset:
        return changes
    return Changes(
        without(changes.added, reset),
        without(changes.modified, reset),
        without(changes.removed, reset),
    )


def _take(owners: Owners, changes: Changes, me: Owner | None, *, force: bool) -> Owners:
    """The owners after a write: others than ``me`` lose what it changed and what it removed.

    Raises:
        ApplyConflict: others own what it changed, and ``force`` is not set.
    """
    touched = union(changes.modified, changes.added)
    others = [owners[key] for key in sorted(owners) if me is None or key != me.key]
    if not force:
        shared = [(owner, intersection(owner.fields, touched)) for owner in others]
        conflicts = [(owner, fields) for owner, fields in shared if fields]
        if conflicts:
            raise ApplyConflict(conflicts)
    lost = union(touched, changes.removed)
    left = dict(owners)
    for owner in others:
        fields = difference(owner.fields, lost)
        if not fields:
            del left[owner.key]
        elif fields != owner.fields:
            left[owner.key] = replace(owner, fields=fields)
    return left


def _prune(merged: Object, owners: Owners, last: FieldSet, shape: Shape) -> Object:
    """Take away what the manager owned (``last``) and nobody owns now."""
    last = with_named(last, shape)
    owned = with_named(reduce(union, (owner.fields for owner in owners.values()), {}), shape)
    everything = held(merged, shape)
    pruned = remove(merged, last, shape)
    pruned = remove(merged, difference(everything, union(held(pruned, shape), owned)), shape)
    gone = intersection(difference(everything, held(pruned, shape)), last)
    result: Object = remove(merged, gone, shape)
    return result


def track(
    before: Object | None,
    after: Object,
    *,
    shape: Shape,
    manager: str,
    operation: str = "Update",
    now: str,
    subresource: str = "",
    reset: FieldSet | None = None,
) -> Object:
    """``after`` with its managers: what differs from ``before`` now belongs to ``manager``.

    What an object holds as ``managedFields`` counts, as for the API server: an empty list, or one
    with an empty entry, makes it forget all owners; an object that has none is not tracked.
    """
    if reset is None:
        reset = reset_fields(shape, subresource)
    given = (after.get("metadata") or {}).get("managedFields")
    forget = not subresource and given in _FORGET
    owners: Owners = {}
    if not forget:
        owners = ({} if subresource else read_owners(after)) or read_owners(before)
    bare = with_meta(after, managedFields=None)
    if before is not None and not owners:
        return bare
    start = with_meta(before, managedFields=None) if before is not None else dict(blank(shape))
    try:
        changes = _excluding(compare(start, bare, shape), reset)
    except NoStep:  # validation refuses it; until then its fields are as they were
        return write_owners(bare, owners)
    owners = _take(owners, changes, None, force=True)
    fields = difference(union(changes.modified, changes.added), _UNOWNED)
    if fields:
        me = Owner(manager or "unknown", operation, after["apiVersion"], subresource, now, fields)
        mine = owners.get(me.key)
        owners[me.key] = replace(me, fields=union(mine.fields, fields)) if mine else me
    return write_owners(bare, cap_updaters(owners))
