"""``helm.valuesFrom``: values of a chart that stand in the cluster, as Flux's HelmRelease has them.

Source of the fields: Flux's ``ValuesReference``; of a path: Helm's ``--set``.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from fleet.model.applications import VALUES_KEY, ValuesReference
from fleet.model.reading import Fields

KINDS = ("ConfigMap", "Secret")
#: Of one source. Each is a request to the cluster.
MOST_REFERENCES = 32
#: Helm's own bounds on what a path may name.
MOST_PARTS = 30
LARGEST_INDEX = 65_536

#: A key of a mapping, or a position in a list.
Part: TypeAlias = str | int

_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_SEGMENT = re.compile(r"((?:[^\\.\[\]]|\\.)+)((?:\[[0-9]{1,6}\])*)")
_ESCAPED = re.compile(r"\\(.)")
_WRITTEN = re.compile(
    r"(?P<kind>[A-Za-z]+)/(?P<name>[^:@?]+)(?::(?P<key>[^@?]+))?(?:@(?P<path>[^?]+))?(?P<may>\?)?"
)


def read_values_from(fields: Fields) -> tuple[ValuesReference, ...]:
    """The entries of a ``helm`` block.

    Raises:
        SpecInvalid: one that could name no object, or no place for its value; or too many.
    """
    found = tuple(_reference(entry) for entry in fields.children("valuesFrom"))
    if len(found) > MOST_REFERENCES:
        raise fields.invalid("valuesFrom", f"has more than {MOST_REFERENCES} entries")
    return found


def _reference(fields: Fields) -> ValuesReference:
    kind = fields.text("kind", required=True)
    if kind not in KINDS:
        raise fields.invalid("kind", f"must be {' or '.join(KINDS)}")
    name = fields.text("name", required=True)
    if _NAME.fullmatch(name) is None:
        raise fields.invalid("name", f"{name[:80]!r} is no name of a {kind}")
    key = fields.text("valuesKey") or VALUES_KEY
    if _KEY.fullmatch(key) is None:
        raise fields.invalid("valuesKey", f"{key[:80]!r} is no key of a {kind}")
    path = fields.text("targetPath")
    if path and value_path(path) is None:
        raise fields.invalid(
            "targetPath",
            f"{path[:80]!r} is no path of a value",
            hint=r"Write it as for `helm --set`: database.hosts[0].name, a\.b for a dot in a key.",
        )
    made = ValuesReference(kind, name, key, path, fields.flag("optional"))
    fields.finish()
    return made


def value_path(text: str) -> tuple[Part, ...] | None:
    r"""The keys and positions that a path names: ``a\.b.c[1]`` is ``a.b``, ``c``, 1. None if it
    is none."""
    parts: list[Part] = []
    at = 0
    while True:
        found = _SEGMENT.match(text, at)
        if found is None:
            return None
        parts.append(_ESCAPED.sub(r"\1", found[1]))
        parts += [int(index) for index in re.findall(r"[0-9]+", found[2])]
        at = found.end()
        if at == len(text):
            break
        if text[at] != ".":
            return None
        at += 1
    fits = all(part <= LARGEST_INDEX for part in parts if isinstance(part, int))
    return tuple(parts) if fits and len(parts) <= MOST_PARTS else None


def parse_reference(text: str) -> dict[str, object] | None:
    """An entry as it is written on a command line, ``KIND/NAME[:KEY][@PATH][?]``, as it stands
    in a document; None if it is none."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        return None
    kinds = {kind.lower(): kind for kind in KINDS}
    kind = kinds.get(found["kind"].lower())
    if kind is None:
        return None
    said = {"valuesKey": found["key"], "targetPath": found["path"]}
    return {
        "kind": kind,
        "name": found["name"],
        **{key: value for key, value in said.items() if value},
        **({"optional": True} if found["may"] else {}),
    }


def spelled(entry: object) -> str:
    """An entry of a document as it is written on a command line, but for ``?``."""
    if not isinstance(entry, dict):
        return ""
    key, path = entry.get("valuesKey") or VALUES_KEY, entry.get("targetPath") or ""
    key = "" if key == VALUES_KEY else key
    return f"{entry.get('kind')}/{entry.get('name')}{key and ':' + key}{path and '@' + path}"
