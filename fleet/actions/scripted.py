"""What Lua says of actions: which there are, and what one makes of the object.

Source: Argo CD's documentation of resource actions. A script returns the changed object, or a
list of ``{operation, resource}``, where an operation is ``patch`` (of the object itself) or
``create``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fleet.actions.offers import Change, Creation, Offer, Parameter, Patch
from fleet.errors import ExpressionFailed
from fleet.model.objects import Manifest, group_kind_of, metadata_of, ref_of

#: What only the API server writes, and what says which object it is.
_NOT_CHANGED = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "managedFields",
    "selfLink",
)


def offers_from_script(value: Any, defined: Iterable[str]) -> tuple[Offer, ...]:
    """Of what discovery returned: name → settings, or nothing but the defined ones.

    Raises:
        ExpressionFailed: it returned something else.
    """
    if value in ([], {}, None):
        return ()
    if not isinstance(value, Mapping):
        raise ExpressionFailed("discovery of actions returned no table of them")
    names = frozenset(defined)
    return tuple(
        _offer(name, settings if isinstance(settings, Mapping) else {})
        for name, settings in sorted(value.items())
        if name in names
    )


def _offer(name: str, settings: Mapping[str, Any]) -> Offer:
    listed = settings.get("params")
    parameters = tuple(
        Parameter(entry["name"], default=_text(entry.get("default")))
        for entry in (listed if isinstance(listed, list) else [])
        if isinstance(entry, Mapping) and isinstance(entry.get("name"), str)
    )
    is_disabled = settings.get("disabled") is True
    return Offer(name, is_disabled, _text(settings.get("displayName")), parameters)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def changes_from_script(value: Any, obj: Manifest) -> tuple[Change, ...]:
    """Of what an action's script returned.

    Raises:
        ExpressionFailed: it returned no object, or would change another one.
    """
    if isinstance(value, Mapping):
        value = [{"operation": "patch", "resource": value}]
    if not isinstance(value, list) or not value:
        raise ExpressionFailed("the action's script returned no object")
    found: list[Change] = []
    for entry in value:
        operation = entry.get("operation") if isinstance(entry, Mapping) else None
        resource = entry.get("resource") if isinstance(entry, Mapping) else None
        if not isinstance(resource, Mapping) or operation not in ("create", "patch"):
            raise ExpressionFailed("the action's script returned no list of operations")
        if operation == "create":
            found.append(Creation(_created(resource, obj)))
        else:
            found += _patches(resource, obj)
    return tuple(found)


def _created(resource: Mapping[str, Any], source: Manifest) -> Manifest:
    """A new object; without a namespace it goes beside the one that the action is of."""
    metadata = dict(metadata_of(resource))
    metadata.setdefault("namespace", metadata_of(source).get("namespace"))
    return {**resource, "metadata": metadata}


def _patches(resource: Mapping[str, Any], obj: Manifest) -> list[Patch]:
    same = group_kind_of(resource) == group_kind_of(obj)
    meant, own = ref_of(resource), ref_of(obj)
    if not same or meant.name != own.name or (meant.namespace or own.namespace) != own.namespace:
        raise ExpressionFailed(f"the action's script would change {meant}, and is of {own}")
    before, after = _comparable(obj), _comparable(restored(dict(resource), obj))
    statuses = before.pop("status", None), after.pop("status", None)
    found = []
    if body := merge_patch(before, after):
        found.append(Patch(body, is_exact=True))
    if body := merge_patch({"status": statuses[0] or {}}, {"status": statuses[1] or {}}):
        found.append(Patch(body, "status", is_exact=True))
    return found


def _comparable(obj: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {k: v for k, v in metadata_of(obj).items() if k not in _NOT_CHANGED}
    kept = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind")}
    return {**kept, "metadata": metadata}


def restored(value: Any, before: Any) -> Any:
    """What went through Lua, which has one kind of table, no null and no long integers."""
    if value == {} and isinstance(before, list):
        return []
    if isinstance(value, Mapping) and isinstance(before, Mapping):
        nulls = {key: None for key, item in before.items() if item is None and key not in value}
        return nulls | {key: restored(item, before.get(key)) for key, item in value.items()}
    if isinstance(value, list) and isinstance(before, list):
        more: list[Any] = [None] * (len(value) - len(before))
        return [restored(item, old) for item, old in zip(value, before + more, strict=False)]
    is_number = isinstance(before, int | float) and not isinstance(before, bool)
    if is_number and isinstance(value, int | float) and float(value) == float(before):
        return before
    return value


def merge_patch(before: Any, after: Any) -> dict[str, Any]:
    """The RFC 7386 patch that makes ``after`` of ``before``; both are mappings."""
    found: dict[str, Any] = {}
    for key in before.keys() - after.keys():
        if before[key] is not None:
            found[key] = None
    for key, value in after.items():
        old = before.get(key)
        if value == old and type(value) is type(old):
            continue
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            if inner := merge_patch(old, value):
                found[key] = inner
        elif not (value is None and key not in before):
            found[key] = value
    return found
