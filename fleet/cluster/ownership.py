"""What ``managedFields`` says: which fields are ours, which we lost, and who wrote a field.

A field set (``fieldsV1``) is a tree: ``f:<name>`` is a field, ``k:{…}`` the list item with
these keys, ``v:<value>`` the item of a set with this value, ``i:<n>`` an item by position,
``.`` the node itself; an empty node is a leaf. Source: Kubernetes, structured-merge-diff
``fieldpath/serialize.go``.

Paths are written as ``FieldChange`` writes them: ``.spec.containers[name=web].image``.
Objects read back from a cluster are hostile too: every function here is total.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from fleet.model.diffs import Ownership
from fleet.model.live import LiveMeta
from fleet.model.objects import FIELD_MANAGER

#: A quoted value inside a list key, as the server spells paths: ``[name="web"]``.
_QUOTED = re.compile(r'=("(?:[^"\\]|\\.)*")')


def owned_fields(meta: LiveMeta) -> dict[str, Any] | None:
    """The field set of manager ``fleet``, operation Apply, no subresource; None when we
    never applied the object."""
    for entry in meta.managed_fields:
        if _is_ours(entry):
            fields = entry.get("fieldsV1")
            return fields if isinstance(fields, dict) else {}
    return None


def ownership(meta: LiveMeta) -> Ownership:
    """Our fields as one hash, and the other writers by name, sorted and unique."""
    fields = owned_fields(meta)
    foreign = {
        str(entry["manager"])
        for entry in meta.managed_fields
        if isinstance(entry, dict) and entry.get("manager") and not _is_ours(entry)
    }
    return Ownership("" if fields is None else fields_hash(fields), tuple(sorted(foreign)))


def fields_hash(fields: Mapping[str, Any]) -> str:
    """SHA-256, in hex, of the field set as canonical JSON: equal sets, equal hashes."""
    try:
        text = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # nested deeper than the encoder goes
        text = "\n".join(sorted(field_paths(fields))).encode()
    return hashlib.sha256(text).hexdigest()


def field_paths(fields: Mapping[str, Any] | None) -> frozenset[str]:
    """Every path that the set holds: its leaves, and the nodes it names with ``.``."""
    found: set[str] = set()
    # A stack, not recursion: the depth of the tree is up to whoever wrote the object.
    rest: list[tuple[str, Any]] = [("", fields or {})]
    while rest:
        path, node = rest.pop()
        members = node if isinstance(node, Mapping) else {}
        if path and (not members or "." in members):
            found.add(path)
        rest.extend((path + _step(key), members[key]) for key in members if key != ".")
    return frozenset(found)


def lost_fields(before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> frozenset[str]:
    """Paths that we owned ``before`` and do not own ``now``: what somebody took."""
    return field_paths(before) - field_paths(now)


def writers(managed_fields: Iterable[Any]) -> dict[str, str]:
    """Path → the manager that wrote it last. Co-owned fields go to the latest ``time``;
    without one (or the same second), the manager that is not us, as it is the news."""
    entries = [entry for entry in managed_fields if isinstance(entry, dict)]
    entries.sort(key=lambda entry: (str(entry.get("time", "")), not _is_ours(entry)))
    found: dict[str, str] = {}
    for entry in entries:
        manager = str(entry.get("manager", ""))
        fields = entry.get("fieldsV1")
        if isinstance(fields, Mapping):
            found.update(dict.fromkeys(field_paths(fields), manager))
    return found


def readable_path(field: str) -> str:
    """A path as the API server spells it in a conflict, in our spelling."""
    return _QUOTED.sub(lambda match: "=" + _plain(match[1]), field)


def paths_owned(
    fields: Mapping[str, Any] | None, conflicts: Iterable[tuple[str, str]]
) -> frozenset[str]:
    """Which fields of ``conflicts`` (as ``FieldConflict`` carries them) lie in the set
    ``fields``, or in front of or behind a path of it.

    With the set that we owned after the last apply: these were taken from us and may be
    taken back; the rest were never ours.
    """
    owned = field_paths(fields)
    wanted = {readable_path(field) for _, field in conflicts}
    return frozenset(
        path for path in wanted if any(_overlap(path, ours) or path == ours for ours in owned)
    )


def _overlap(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    return longer.startswith(shorter) and longer[len(shorter) :][:1] in (".", "[")


def _is_ours(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and entry.get("manager") == FIELD_MANAGER
        and entry.get("operation") == "Apply"
        and not entry.get("subresource")
    )


def _step(key: object) -> str:
    kind, _, rest = str(key).partition(":")
    if kind == "f":
        return f".{rest}"
    if kind == "i":
        return f"[{rest}]"
    if kind == "v":
        return f"[={_plain(rest)}]"
    if kind == "k":
        return f"[{_list_key(rest)}]"
    return f".{key}"


def _list_key(text: str) -> str:
    try:
        keys = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    if not isinstance(keys, dict):
        return text
    return ",".join(f"{name}={_shown(value)}" for name, value in sorted(keys.items()))


def _plain(text: str) -> str:
    try:
        return _shown(orjson.loads(text))
    except orjson.JSONDecodeError:
        return text


def _shown(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
