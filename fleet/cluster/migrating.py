"""``managedFields`` in which what other managers wrote is ours.

After a client-side apply by ``kubectl`` every field has an owner that never lets go: a field
that leaves Git would stay for ever. Moved to us, the next apply removes it. Source: how
``kubectl apply --server-side`` does it (Kubernetes, ``csaupgrade``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from fleet.model.objects import FIELD_MANAGER

#: Who applied an object client-side before us. The second one is Argo CD, which wrote by
#: either kind of apply.
APPLIERS = frozenset({"kubectl-client-side-apply", "argocd-controller"})

#: No field stays with a manager whose fields become ours.
NOTHING_KEPT: Mapping[str, Any] = MappingProxyType({})


def by_hand(manager: str) -> bool:
    """What people write with ``kubectl``: edit, patch, label, apply …"""
    return manager == "before-first-apply" or manager.split("-", 1)[0] == "kubectl"


def foreign_entries(
    managed_fields: Iterable[Any],
    is_meant: Callable[[str], bool],
    kept: Mapping[str, Any] = NOTHING_KEPT,
) -> list[dict[str, Any]]:
    """Entries of managers that are meant, about the object itself, not a subresource. One of
    our own is among them when it is of a time when we did not apply server-side.

    Args:
        kept: field set that stays theirs; who has nothing else is not among them.
    """
    return [
        entry
        for entry in managed_fields
        if isinstance(entry, dict)
        and not entry.get("subresource")
        and (entry.get("manager"), entry.get("operation")) != (FIELD_MANAGER, "Apply")
        and is_meant(str(entry.get("manager", "")))
        and (not kept or _divided(entry.get("fieldsV1"), kept)[1])
    ]


def migrated(
    managed_fields: Iterable[Any],
    moved: Collection[Any],
    kept_fields: Mapping[str, Any] = NOTHING_KEPT,
) -> list[dict[str, Any]]:
    """All entries, with those in ``moved`` made one with ours, but for ``kept_fields``."""
    kept: list[dict[str, Any]] = []
    fields: dict[str, Any] = {}
    ours: dict[str, Any] | None = None
    for entry in managed_fields:
        if not isinstance(entry, dict):
            continue
        is_ours = (
            entry.get("manager") == FIELD_MANAGER
            and entry.get("operation") == "Apply"
            and not entry.get("subresource")
        )
        if not is_ours and entry not in moved:
            kept.append(entry)
            continue
        ours = entry if is_ours or ours is None else ours
        stays, goes = (
            ({}, entry.get("fieldsV1")) if is_ours else _divided(entry.get("fieldsV1"), kept_fields)
        )
        if stays:
            kept.append({**entry, "fieldsV1": stays})
        fields = _union(fields, goes)
    if ours is None:
        return kept
    mine = {**ours, "manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": fields}
    return [*kept, mine]


def without_kept(fields: Any, kept: Mapping[str, Any]) -> dict[str, Any]:
    """A field set without those that stay with their manager."""
    return _divided(fields, kept)[1]


def _divided(fields: Any, kept: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A field set in two: what ``kept`` names, and the rest, without nodes that only held that.
    As deep as ``kept`` is, which is ours."""
    stays: dict[str, Any] = {}
    goes: dict[str, Any] = {}
    for key, inner in fields.items() if isinstance(fields, Mapping) else ():
        if key not in kept:
            goes[key] = inner
        elif not kept[key]:
            stays[key] = inner
        else:
            below, rest = _divided(inner, kept[key])
            stays |= {key: below} if below else {}
            goes |= {key: rest} if rest.keys() - {"."} or not below else {}
    return stays, goes


def _union(one: dict[str, Any], other: Any) -> dict[str, Any]:
    """Without recursion: the depth of the trees is up to whoever wrote the object."""
    found = dict(one)
    waiting = [(found, other)]
    while waiting:
        into, source = waiting.pop()
        for key, inner in source.items() if isinstance(source, Mapping) else ():
            held = into.get(key)
            into[key] = dict(held) if isinstance(held, Mapping) else {}
            waiting.append((into[key], inner))
    return found
