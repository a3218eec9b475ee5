"""Objects of an application, as ``--resource`` and ``--label`` choose them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from fleet.errors import UsageError

METAVAR = "[!]GROUP:KIND:[NAMESPACE/]NAME"

Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ObjectPattern:
    """``GROUP:KIND:[NAMESPACE/]NAME``, each part with ``*``; without a namespace in any;
    with ``!`` in front everything else."""

    text: str
    group: str
    kind: str
    namespace: str
    name: str
    excluded: bool = False

    @property
    def is_exact(self) -> bool:
        """Whether it names one object by itself."""
        return bool(self.namespace) and not self.excluded and "*" not in self.text

    def matches(self, resource: Resource) -> bool:
        pairs = (
            (resource.get("group", ""), self.group),
            (resource.get("kind", ""), self.kind),
            (resource.get("namespace", ""), self.namespace or "*"),
            (resource.get("name", ""), self.name),
        )
        return all(fnmatchcase(str(value), pattern) for value, pattern in pairs)


def object_pattern(text: str) -> ObjectPattern:
    """A pattern as it is written.

    Raises:
        UsageError: it is not of that form.
    """
    parts = text.removeprefix("!").split(":", 2)
    namespace, _, name = parts[-1].rpartition("/")
    if len(parts) != 3 or not parts[1] or not name:
        raise UsageError(
            f"{text!r} names no object",
            hint=f"Write {METAVAR}, e.g. apps:Deployment:shop/web; '*' stands for anything.",
        )
    return ObjectPattern(text, parts[0], parts[1], namespace, name, text.startswith("!"))


def chosen(
    resources: Iterable[Resource], patterns: Sequence[ObjectPattern]
) -> tuple[Resource, ...]:
    """Those that one pattern wants (any, if none wants one) and that none excludes."""
    wanting = [it for it in patterns if not it.excluded]
    excluding = [it for it in patterns if it.excluded]
    return tuple(
        resource
        for resource in resources
        if (not wanting or any(it.matches(resource) for it in wanting))
        and not any(it.matches(resource) for it in excluding)
    )


def labelled(
    resources: Iterable[Resource], manifests: Iterable[Resource], labels: Mapping[str, str]
) -> tuple[Resource, ...]:
    """Those whose manifest has all these labels. A manifest may leave its namespace out."""
    places: dict[tuple[str, str, str], set[str]] = {}
    for manifest in manifests:
        metadata = manifest.get("metadata") or {}
        if labels.items() <= (metadata.get("labels") or {}).items():
            group = str(manifest.get("apiVersion", "")).rpartition("/")[0]
            key = (group, str(manifest.get("kind", "")), str(metadata.get("name", "")))
            places.setdefault(key, set()).add(metadata.get("namespace") or "")
    found = []
    for resource in resources:
        key = (resource.get("group", ""), resource.get("kind", ""), resource.get("name", ""))
        if places.get(key, set()) & {"", resource.get("namespace", "")}:
            found.append(resource)
    return tuple(found)


def reference(resource: Resource) -> str:
    """``GROUP:KIND:[NAMESPACE/]NAME`` of one object."""
    place = "/".join(filter(None, (resource.get("namespace", ""), resource["name"])))
    return f"{resource.get('group', '')}:{resource['kind']}:{place}"
