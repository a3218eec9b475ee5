"""New objects and changed ones. Stored objects are never changed in place."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from fleet.embedded.sandbox.controllers.reading import annotations_of, spec_of, status_of, uid_of
from fleet.embedded.sandbox.objects import Object, name_of, namespace_of, timestamp, with_meta

# No vowels and no digits that look like one: a hash never spells a word.
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
TIMES = ("lastTransitionTime", "lastUpdateTime")


def digest(*parts: Any, length: int = 10) -> str:
    """A short name for a value: equal values, equal names."""
    text = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
    return "".join(ALPHABET[it % len(ALPHABET)] for it in hashlib.sha256(text).digest()[:length])


def number(text: str, below: int) -> int:
    """A figure that always is the same for the same text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") % below


def reference(owner: Object) -> dict[str, Any]:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name_of(owner),
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def made(
    api_version: str,
    kind: str,
    name: str,
    *,
    namespace: str = "",
    owner: Object | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    **rest: Any,
) -> Object:
    """A new object; what is empty is left out. An owner gives its namespace."""
    metadata = {
        "name": name,
        "namespace": namespace or (namespace_of(owner) if owner else ""),
        "labels": dict(labels or {}),
        "annotations": dict(annotations or {}),
        "ownerReferences": [reference(owner)] if owner else [],
    }
    filled = {key: value for key, value in metadata.items() if value}
    return {"apiVersion": api_version, "kind": kind, "metadata": filled, **rest}


def pod_from(
    template: Mapping[str, Any],
    owner: Object,
    name: str,
    *,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    generate_name: str = "",
    **spec: Any,
) -> Object:
    """A Pod as a controller makes it from a template; ``spec`` lies over the template's."""
    metadata = template.get("metadata") or {}
    pod = made(
        "v1",
        "Pod",
        name,
        owner=owner,
        labels={**(metadata.get("labels") or {}), **(labels or {})},
        annotations={**(metadata.get("annotations") or {}), **(annotations or {})},
        spec={**(template.get("spec") or {}), **spec},
        status={"phase": "Pending"},
    )
    if generate_name:
        pod["metadata"] = {"generateName": generate_name, **pod["metadata"]}
    return pod


def with_spec(obj: Object, **fields: Any) -> Object:
    return {**obj, "spec": {**spec_of(obj), **fields}}


def annotated(obj: Object, annotations: Mapping[str, str]) -> Object:
    return with_meta(obj, annotations={**annotations_of(obj), **annotations})


def with_status(obj: Object, status: Mapping[str, Any], *, zeros: Sequence[str] = ()) -> Object:
    """With a whole new status. Counters that are 0 or unknown are left out, but for ``zeros``:
    which ones those are is a matter of each kind."""
    kept = {key: it for key, it in status.items() if it is not None and (it != 0 or key in zeros)}
    return {**obj, "status": kept}


def conditions_of(
    obj: Object,
    wanted: Sequence[Mapping[str, Any]],
    now: datetime,
    *,
    updated: bool = False,
    only_if_wanted: str = "",
) -> list[dict[str, Any]]:
    """The object's conditions with ``wanted`` laid over them.

    Args:
        wanted: without times. What did not change keeps the ones it has: writing the same
            again changes nothing.
        updated: the kind has a ``lastUpdateTime`` beside the time of the last transition.
        only_if_wanted: a type that is taken away when it is not among ``wanted``.
    """
    found = {it["type"]: it for it in status_of(obj).get("conditions") or ()}
    if all(it["type"] != only_if_wanted for it in wanted):
        found.pop(only_if_wanted, None)
    for each in wanted:
        found[each["type"]] = _condition(found.get(each["type"], {}), each, now, updated=updated)
    return list(found.values())


def _condition(
    before: Mapping[str, Any], after: Mapping[str, Any], now: datetime, *, updated: bool
) -> dict[str, Any]:
    if {key: it for key, it in before.items() if key not in TIMES} == after:
        return dict(before)
    same = before.get("status") == after["status"]
    times = {"lastTransitionTime": before["lastTransitionTime"] if same else timestamp(now)}
    if updated:
        times["lastUpdateTime"] = timestamp(now)
    return {**after, **times}


def random_name(length: int) -> str:
    """Letters that nobody chose, for the end of a name."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
