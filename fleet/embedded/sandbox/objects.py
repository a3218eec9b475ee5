"""JSON objects, and the few things that every part of the server does to them.

Stored objects are shared: replace them, never change them in place.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]


def now() -> datetime:
    """The wall clock; functions that decide something take it as an argument instead."""
    return datetime.now(UTC)


def timestamp(moment: datetime) -> str:
    """As ``metav1.Time`` is written: UTC, whole seconds, a ``Z``."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def go_word(value: Any) -> str:
    """What Go calls a JSON value."""
    words = {list: "array", str: "string", bool: "bool", int: "number", float: "number"}
    return words.get(type(value), "object")


def new_uid() -> str:
    """A random UID of version 4; at the start of many clusters ``uuid`` is too slow."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    parts = digits[:8], digits[8:12], f"4{digits[13:16]}", f"{variant}{digits[17:20]}", digits[20:]
    return "-".join(parts)


def meta_of(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """The metadata, or an empty mapping."""
    return obj.get("metadata") or {}


def name_of(obj: Mapping[str, Any]) -> str:
    """The name, or "" while it has none."""
    return str(meta_of(obj).get("name") or "")


def namespace_of(obj: Mapping[str, Any]) -> str:
    """The namespace, or "" for an object of the whole cluster."""
    return str(meta_of(obj).get("namespace") or "")


def labels_of(obj: Mapping[str, Any]) -> Mapping[str, str]:
    """The labels; empty where there are none."""
    return meta_of(obj).get("labels") or {}


def with_meta(obj: Mapping[str, Any], **changes: Any) -> Object:
    """A copy with other metadata; a value of None removes the key."""
    metadata = {**meta_of(obj), **changes}
    return {**obj, "metadata": {key: it for key, it in metadata.items() if it is not None}}


def at(obj: Mapping[str, Any], *path: str) -> Any:
    """The value at a path of field names; None where there is nothing."""
    found: Any = obj
    for key in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(key)
    return found


def true_conditions(obj: Mapping[str, Any]) -> set[str]:
    """The types of the conditions in its status that hold."""
    conditions = at(obj, "status", "conditions") or ()
    return {it.get("type", "") for it in conditions if it.get("status") == "True"}


def controller_of(obj: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The owner reference that says ``controller: true``."""
    owners = meta_of(obj).get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), None)
