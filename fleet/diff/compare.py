"""Live against predicted, field by field."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import zip_longest
from typing import Any

from fleet.diff.lists import keyed
from fleet.diff.mask import mask_pair
from fleet.diff.normalize import normalize
from fleet.diff.values import MAX_DEPTH, same
from fleet.model.diffs import ChangeType, FieldChange, ObjectDiff
from fleet.model.objects import Manifest, ObjectRef, ref_of

#: Not there, as opposed to null inside a list.
_ABSENT: Any = object()
_NOBODY = ObjectRef("", "", "", "")


def compare(
    live: Manifest | None,
    predicted: Manifest | None,
    *,
    salt: bytes,
    writers: Mapping[str, str] | None = None,
    sensitive_annotations: Collection[str] = (),
    keep_status: bool = False,
) -> ObjectDiff:
    """What an apply would change. Everything in the result is normalised and masked.

    Null counts as absent in mappings, as it does for the API server. Lists that Kubernetes
    merges by key are compared by key; if their common items stand in another order, that
    is one more change, at ``<list>[order]``, with the keys in the order of each side. An
    object that is created or pruned has no changes: one of its sides is None.

    Args:
        salt: at least 16 random bytes, made for this diff and not kept; see ``mask_object``.
        writers: path → manager that wrote it, of the live object.
        sensitive_annotations: annotations hidden besides the values of Secrets.
        keep_status: compare the status, too.
    """
    ref = next((ref_of(side) for side in (live, predicted) if side is not None), _NOBODY)
    before, after = mask_pair(
        None if live is None else normalize(live, keep_status=keep_status),
        None if predicted is None else normalize(predicted, keep_status=keep_status),
        salt,
        sensitive_annotations=sensitive_annotations,
    )
    found = _Changes(writers or {})
    if before is not None and after is not None:
        found.between(before, after)
    return ObjectDiff(ref, before, after, tuple(found.changes))


class _Changes:
    """Collects changes on a walk through both sides, in the order of the sorted keys."""

    def __init__(self, writers: Mapping[str, str]) -> None:
        self.changes: list[FieldChange] = []
        self._writers = writers

    def between(
        self, live: Any, desired: Any, path: str = "", field: str = "", depth: int = 0
    ) -> None:
        """``field`` is the last name in ``path``: it tells how a list is keyed."""
        if depth < MAX_DEPTH and isinstance(live, Mapping) and isinstance(desired, Mapping):
            for key in sorted({*live, *desired}, key=str):
                one, other = _present(live.get(key)), _present(desired.get(key))
                self._at(one, other, f"{path}.{key}", str(key), depth)
        elif depth < MAX_DEPTH and isinstance(live, list) and isinstance(desired, list):
            self._lists(live, desired, path, field, depth)
        elif not same(live, desired):
            self._add(path, live, desired)

    def _at(self, live: Any, desired: Any, path: str, field: str, depth: int) -> None:
        if live is _ABSENT or desired is _ABSENT:
            if live is not desired:
                self._add(path, live, desired)
        else:
            self.between(live, desired, path, field, depth + 1)

    def _lists(
        self, live: list[Any], desired: list[Any], path: str, field: str, depth: int
    ) -> None:
        pair = keyed(field, live, desired)
        if pair is None:
            items = zip_longest(live, desired, fillvalue=_ABSENT)
            for index, (one, other) in enumerate(items):
                self._at(one, other, f"{path}[{index}]", "", depth)
            return
        before, after = pair
        for key in dict.fromkeys([*before, *after]):
            one, other = before.get(key, _ABSENT), after.get(key, _ABSENT)
            self._at(one, other, f"{path}[{key}]", "", depth)
        if [key for key in before if key in after] != [key for key in after if key in before]:
            self._add(f"{path}[order]", list(before), list(after))

    def _add(self, path: str, live: Any, desired: Any) -> None:
        if live is _ABSENT:
            self.changes.append(FieldChange(path, ChangeType.ADDED, None, desired))
            return
        removed = desired is _ABSENT
        change = ChangeType.REMOVED if removed else ChangeType.CHANGED
        manager = writer_of(path, self._writers)
        self.changes.append(FieldChange(path, change, live, None if removed else desired, manager))


def _present(value: Any) -> Any:
    return _ABSENT if value is None else value


def writer_of(path: str, writers: Mapping[str, str]) -> str:
    """Who wrote the live value at ``path``: of the field itself, else of something in it
    (a mapping is owned by its parts), else of the atomic list or mapping it is a part of.

    A field that the server filled in has no writer: what is around it is owned by parts.
    """
    if path in writers:
        return writers[path]
    if parts := _parts(path, writers):
        return writers[min(parts)]
    above = path
    while above:
        above = above[: max(above.rfind("."), above.rfind("["))]
        if above in writers:
            return "" if _parts(above, writers) else writers[above]
    return ""


def _parts(path: str, writers: Mapping[str, str]) -> list[str]:
    return [known for known in writers if known.startswith((f"{path}.", f"{path}["))]
