"""``spec.orphanedResources`` of a project: what lives in its namespaces and nobody wants."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from fleet.model.objects import ObjectRef
from fleet.model.reading import Fields

#: In every namespace without anybody having put them there (``features.md`` §1.18).
_GIVEN = frozenset(
    {
        ("", "ConfigMap", "kube-root-ca.crt"),
        ("", "ServiceAccount", "default"),
    }
)
_API_SERVICE = ObjectRef("", "Service", "default", "kubernetes")


@dataclass(frozen=True, slots=True)
class OrphanFilter:
    """Globs. An empty kind, name or namespace matches all, an empty group the core group."""

    group: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""

    def matches(self, ref: ObjectRef) -> bool:
        return (
            fnmatchcase(ref.group, self.group)
            and fnmatchcase(ref.kind, self.kind or "*")
            and fnmatchcase(ref.name, self.name or "*")
            and fnmatchcase(ref.namespace, self.namespace or "*")
        )


@dataclass(frozen=True, slots=True)
class OrphanRules:
    """That a project wants to know. ``warn``: by a condition of its applications, too."""

    warn: bool = False
    ignore: tuple[OrphanFilter, ...] = ()

    def kept(self, refs: Iterable[ObjectRef]) -> tuple[ObjectRef, ...]:
        """Those of the objects that nobody wants that count, sorted."""
        return tuple(
            sorted(
                ref
                for ref in refs
                if (ref.group, ref.kind, ref.name) not in _GIVEN
                and ref != _API_SERVICE
                and not any(found.matches(ref) for found in self.ignore)
            )
        )


def read_orphan_rules(fields: Fields | None) -> OrphanRules | None:
    """None where the project does not ask.

    Raises:
        SpecInvalid: a field of another type.
    """
    if fields is None:
        return None
    ignore = []
    for item in fields.children("ignore"):
        values = (item.text(name) for name in ("group", "kind", "name", "namespace"))
        ignore.append(OrphanFilter(*values))
        item.finish()
    rules = OrphanRules(bool(fields.maybe_flag("warn")), tuple(ignore))
    fields.finish()
    return rules
