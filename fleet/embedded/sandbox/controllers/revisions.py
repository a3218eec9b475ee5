"""ControllerRevisions: the templates that a StatefulSet or DaemonSet had, by number.

A Pod says which one it was made from in its label ``controller-revision-hash``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from fleet.embedded.sandbox.controllers.making import digest, made
from fleet.embedded.sandbox.controllers.reading import spec_of
from fleet.embedded.sandbox.controllers.steps import Delete, Step, Write
from fleet.embedded.sandbox.objects import Object, name_of

REVISION_HASH = "controller-revision-hash"
HISTORY = 10


def revision_of(obj: Object) -> str:
    """The name of the revision that the template is now."""
    return f"{name_of(obj)}-{digest(spec_of(obj)['template'])}"


def hash_of(revision: str) -> str:
    """The last part of a revision's name."""
    return revision.rpartition("-")[2]


def record(obj: Object, known: Sequence[Object]) -> Iterator[Step]:
    """Have the template on record, as the newest: one that comes back gets a new number."""
    name = revision_of(obj)
    newest = max((int(it.get("revision", 0)) for it in known if name_of(it) != name), default=0)
    there = next((it for it in known if name_of(it) == name), None)
    if there is not None and int(there.get("revision", 0)) > newest:
        return
    template = spec_of(obj)["template"]
    labels = {
        **((template.get("metadata") or {}).get("labels") or {}),
        REVISION_HASH: hash_of(name),
    }
    data = {"spec": {"template": {"$patch": "replace", **template}}}
    fresh = made("apps/v1", "ControllerRevision", name, owner=obj, labels=labels, data=data)
    yield Write({**(there or fresh), "revision": newest + 1})


def forget(obj: Object, known: Sequence[Object], used: Collection[str]) -> Iterator[Step]:
    """Delete the oldest beyond ``revisionHistoryLimit`` that no Pod was made from."""
    limit = spec_of(obj).get("revisionHistoryLimit")
    kept = {*used, revision_of(obj)}
    idle = [it for it in known if name_of(it) not in kept]
    idle.sort(key=lambda it: int(it.get("revision", 0)))
    for each in idle[: max(0, len(idle) - (HISTORY if limit is None else limit))]:
        yield Delete(each)


def template_of(obj: Object, known: Sequence[Object], revision: str) -> Mapping[str, Any]:
    """The template on record under that name; today's when it is not known."""
    for each in known:
        if name_of(each) == revision:
            kept: dict[str, Any] = dict(each["data"]["spec"]["template"])
            kept.pop("$patch", None)
            return kept
    found: Mapping[str, Any] = spec_of(obj)["template"]
    return found
