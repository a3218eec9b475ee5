"""Which lists of Kubernetes are maps in disguise, and by which of their fields.

Source: ``x-kubernetes-list-map-keys`` of the built-in types, and the lists that the server
keeps unique by name without saying so in the schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from fleet.diff.values import number_text

_NAME = (("name",),)
#: Field that holds the list → the keys to try. ``()`` is a list of plain values, unique.
_KEYS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "claims": _NAME,
    "conditions": (("type",),),
    "containers": _NAME,
    "env": _NAME,
    "ephemeralContainers": _NAME,
    "finalizers": ((),),
    "hostAliases": (("ip",),),
    "imagePullSecrets": _NAME,
    "initContainers": _NAME,
    "listeners": _NAME,
    "matchConditions": _NAME,
    "ownerReferences": (("uid",),),
    "ports": (("containerPort", "protocol"), ("port", "protocol")),
    "resourceClaims": _NAME,
    "schedulingGates": _NAME,
    "secrets": _NAME,
    "topologySpreadConstraints": (("topologyKey", "whenUnsatisfiable"),),
    "variables": _NAME,
    "versions": _NAME,
    "volumeDevices": (("devicePath",),),
    "volumeMounts": (("mountPath",),),
    "volumes": _NAME,
    "webhooks": _NAME,
}
#: Keys that the server fills in; a manifest that leaves them out means the same item.
_DEFAULTS = {"protocol": "TCP"}


def keyed(field: str, *lists: list[Any]) -> tuple[dict[str, Any], ...] | None:
    """Each list as label → item, e.g. ``name=web``; None when they have to be compared by
    position: no such key is known for ``field``, an item lacks it, or two share it."""
    for names in _KEYS.get(field, ()):
        found = [_labelled(items, names) for items in lists]
        if all(labels is not None for labels in found):
            return tuple(labels for labels in found if labels is not None)
    return None


def list_keys(field: str, items: list[Any]) -> list[Any] | None:
    """What tells each item from the others: a mapping of its keys, or the value itself; None
    as ``keyed``. A key that an item leaves out is left out."""
    for names in _KEYS.get(field, ()):
        if _labelled(items, names) is not None:
            return [{name: item[name] for name in names if name in item} or item for item in items]
    return None


def _labelled(items: list[Any], names: tuple[str, ...]) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    for item in items:
        label = _label(item, names)
        if not label or label in found:
            return None
        found[label] = item
    return found


def _label(item: Any, names: tuple[str, ...]) -> str:
    """Spelt as ``managedFields`` paths are everywhere in Fleet, so that writers are found."""
    if not names:
        return f"={item}" if isinstance(item, str) else ""
    if not isinstance(item, Mapping):
        return ""
    parts = []
    for name in sorted(names):
        value = item.get(name, _DEFAULTS.get(name))
        if not isinstance(value, str | int | float):
            return ""
        parts.append(f"{name}={_shown(value)}")
    return ",".join(parts)


def _shown(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return orjson.dumps(value).decode() if isinstance(value, bool) else number_text(value)
