"""Where two say different things of one application: Fleet, and Argo CD in its ``status``.

Both sides are Applications as Argo CD prints them. They come from files and clusters: every
reader here is total.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fleet.model.objects import ObjectRef

Document = Mapping[str, Any]

#: Stands for an object that one of the two does not have.
ABSENT = "not there"


@dataclass(frozen=True, slots=True)
class Difference:
    """``object`` is "" for the application itself; ``what``: revision, sync or health."""

    object: str
    what: str
    fleet: str
    argo: str


def differences(fleet: Document, argo: Document) -> tuple[Difference, ...]:
    """What the two say differently, the application first, then objects by name.

    What Argo CD does not say is not compared: it may keep the health of objects to itself.
    """
    ours, theirs = _mapping(fleet, "status"), _mapping(argo, "status")
    return (*_of_application(ours, theirs), *_of_objects(_objects(ours), _objects(theirs)))


def _of_application(ours: Document, theirs: Document) -> Iterator[Difference]:
    pairs = (
        ("revision", *(_revisions(_mapping(side, "sync")) for side in (ours, theirs))),
        ("sync", *(_text(_mapping(side, "sync"), "status") for side in (ours, theirs))),
        ("health", *(_text(_mapping(side, "health"), "status") for side in (ours, theirs))),
    )
    for what, mine, other in pairs:
        if other and mine != other:
            yield Difference("", what, mine, other)


def _of_objects(
    ours: Mapping[ObjectRef, Document], theirs: Mapping[ObjectRef, Document]
) -> Iterator[Difference]:
    for ref in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(ref), theirs.get(ref)
        if mine is None or other is None:
            known = _text(mine or other or {}, "status") or "hook"
            sides = (ABSENT, known) if mine is None else (known, ABSENT)
            yield Difference(str(ref), "sync", *sides)
            continue
        pairs = (
            ("sync", _text(mine, "status"), _text(other, "status")),
            ("health", *(_text(_mapping(it, "health"), "status") for it in (mine, other))),
        )
        for what, one, two in pairs:
            if two and one != two:
                yield Difference(str(ref), what, one, two)


def _objects(status: Document) -> dict[ObjectRef, Document]:
    found = status.get("resources")
    entries = [it for it in found if isinstance(it, Mapping)] if isinstance(found, list) else []
    parts = ("group", "kind", "namespace", "name")
    return {ObjectRef(*(_text(entry, part) for part in parts)): entry for entry in entries}


def _revisions(sync: Document) -> str:
    """Of all sources."""
    several = sync.get("revisions")
    if isinstance(several, list) and several:
        return ", ".join(str(it) for it in several)
    return _text(sync, "revision")


def _mapping(value: Document, key: str) -> Document:
    found = value.get(key)
    return found if isinstance(found, Mapping) else {}


def _text(value: Document, key: str) -> str:
    found = value.get(key)
    return found if isinstance(found, str) else ""
