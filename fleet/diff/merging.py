"""Applying an object that Fleet itself holds, by the rules of a server-side apply.

What is written by hand beside Git stays, what Git names is as Git says, and what it named
before and names no more goes. Without a schema every list is one value, as Kubernetes has it
for custom resources. Objects are hostile: the depth of what is walked is bounded where they
are read (``model.reading``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleet.model.objects import FIELD_MANAGER, Manifest

#: Whoever wrote a field that Git names and that differs from it.
SOMEBODY = "somebody"
_IDENTITY = frozenset({"apiVersion", "kind"})
_NAMED = frozenset({"name", "namespace"})


def applied_to(live: Manifest | None, before: Manifest | None, wanted: Manifest) -> Manifest:
    """The object after an apply of ``wanted``.

    Args:
        live: None where there is none yet.
        before: what was applied last by the same; None when it never was.
    """
    return _merged(live or {}, before or {}, wanted)


def _merged(
    live: Mapping[str, Any], before: Mapping[str, Any], wanted: Mapping[str, Any]
) -> Manifest:
    """``wanted`` over ``live``; of ``before`` what is wanted no more is left out. Keys keep
    their place, new ones come last."""
    found: Manifest = {}
    for key, value in live.items():
        if key in wanted:
            found[key] = _value(value, before.get(key), wanted[key])
        elif key not in before:
            found[key] = value
        elif isinstance(value, Mapping) and isinstance(before[key], Mapping) and before[key]:
            rest = _merged(value, before[key], {})
            if rest:
                found[key] = rest
    for key, value in wanted.items():
        if key not in found:
            found[key] = value
    return found


def _value(live: Any, before: Any, wanted: Any) -> Any:
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        return _merged(live, before if isinstance(before, Mapping) else {}, wanted)
    return wanted


def managed_fields(live: Manifest, applied: Manifest | None) -> list[dict[str, Any]]:
    """``metadata.managedFields``: of what was applied, the fields that still are as applied
    belong to us, the others to somebody."""
    if applied is None:
        return []
    ours, theirs = _divided(_counted(live), _counted(applied))
    found = [_entry(FIELD_MANAGER, "Apply", ours)]
    if theirs:
        found.append(_entry(SOMEBODY, "Update", theirs))
    return found


def _entry(manager: str, operation: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "manager": manager,
        "operation": operation,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }


def _counted(obj: Manifest) -> Manifest:
    """Without what says which object it is: nobody owns that."""
    rest = {key: value for key, value in obj.items() if key not in _IDENTITY}
    metadata = obj.get("metadata")
    if isinstance(metadata, Mapping):
        rest.pop("metadata")
        counted = {key: value for key, value in metadata.items() if key not in _NAMED}
        rest |= {"metadata": counted} if counted else {}
    return rest


def _divided(live: Any, applied: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields of ``applied`` as field sets: those with the same value in ``live``, and the
    others that are there."""
    ours: dict[str, Any] = {}
    theirs: dict[str, Any] = {}
    for key, value in applied.items():
        if not isinstance(live, Mapping) or key not in live:
            continue
        if isinstance(value, Mapping) and isinstance(live[key], Mapping):
            # of an empty one only that it is there; what others put into it is theirs
            mine, other = _divided(live[key], value) if value else ({".": {}}, {})
            ours |= {f"f:{key}": mine} if mine else {}
            theirs |= {f"f:{key}": other} if other else {}
        elif live[key] == value:
            ours[f"f:{key}"] = {}
        else:
            theirs[f"f:{key}"] = {}
    return ours, theirs
