"""Kinds: what the API serves under which path. Those of every cluster, and a cluster's own.

Built-in kinds are immutable and shared by all clusters; a cluster adds those of its CRDs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from fleet.embedded.sandbox.builtin import GROUPS, Row

if TYPE_CHECKING:
    from fleet.embedded.sandbox.shapes import Shape

#: In the order in which discovery lists them.
CUSTOM_VERBS = (
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "create",
    "update",
    "watch",
)
ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, eq=False)
class Custom:
    """What a CRD says about one version of its kind."""

    crd: str
    schema: Mapping[str, Any]
    #: Paths of ``spec.versions[].subresources.scale``; empty without that subresource.
    scale: Mapping[str, str]
    columns: tuple[Mapping[str, Any], ...]
    selectable: tuple[str, ...] = ()
    warning: str = ""

    @cached_property
    def shape(self) -> Shape:
        """The structural schema, read at first use."""
        from fleet.embedded.sandbox.shapes import of_schema

        return of_schema(self.schema)


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One kind in one version. Compared by identity."""

    group: str
    version: str
    kind: str
    list_kind: str
    plural: str
    singular: str
    short_names: tuple[str, ...]
    namespaced: bool
    categories: tuple[str, ...]
    subresources: tuple[str, ...]
    verbs: tuple[str, ...]
    #: The model of the official client that describes it; "" for a custom kind.
    model: str
    #: Where its objects are kept. Kinds with the same place are versions of each other.
    storage: tuple[str, str]
    custom: Custom | None = None

    @property
    def api_version(self) -> str:
        """As objects write it, e.g. ``apps/v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """As messages write it: ``deployments.apps``, ``pods``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def shape(self) -> Shape:
        """What an object of this kind may hold."""
        from fleet.embedded.sandbox.shapes import builtin

        return self.custom.shape if self.custom else builtin(self.model)

    def __repr__(self) -> str:
        return f"Kind({self.api_version} {self.kind})"


def _kind(group_version: str, row: Row) -> Kind:
    group, _, version = group_version.rpartition("/")
    return Kind(
        group=group,
        version=version,
        kind=row.kind,
        list_kind=f"{row.kind}List",
        plural=row.plural,
        singular=row.kind.lower(),
        short_names=tuple(row.short.split()),
        namespaced=row.namespaced,
        categories=tuple(row.categories.split()),
        subresources=tuple(row.subresources.split()),
        verbs=tuple(row.verbs.split()) or ALL_VERBS,
        model=row.model or f"V1{row.kind}",
        storage=row.storage or (group, row.plural),
    )


BUILTIN: tuple[Kind, ...] = tuple(
    _kind(group_version, row) for group_version, rows in GROUPS for row in rows
)
_BUILTIN_BY_PATH = {(it.group, it.version, it.plural): it for it in BUILTIN}
_BUILTIN_BY_KIND = {(it.api_version, it.kind): it for it in BUILTIN}
#: The version that objects are stored in: the first that is listed for a place.
_STORED = {it.storage: it for it in reversed(BUILTIN) if it.storage == (it.group, it.plural)}


def builtin_kind(api_version: str, kind: str) -> Kind:
    """A built-in kind by the words that objects use.

    Raises:
        KeyError: there is none.
    """
    return _BUILTIN_BY_KIND[api_version, kind]


_BUILTIN_GROUPS = frozenset(it.group for it in BUILTIN)


def is_builtin_group(group: str) -> bool:
    """Whether the API server itself serves the group."""
    return group in _BUILTIN_GROUPS


def find_builtin(api_version: str, kind: str) -> Kind | None:
    """The same; None where there is none."""
    return _BUILTIN_BY_KIND.get((api_version, kind))


class Kinds:
    """What one cluster serves: the built-in kinds and its own."""

    __slots__ = ("_by_kind", "_by_path", "_stored", "changes")

    def __init__(self) -> None:
        self._by_path: dict[tuple[str, str, str], Kind] = {}
        self._by_kind: dict[tuple[str, str], Kind] = {}
        self._stored: dict[tuple[str, str], Kind] = {}
        #: How often the custom kinds changed: what is derived from them is stale then.
        self.changes = 0

    def at_path(self, group: str, version: str, plural: str) -> Kind | None:
        """The kind that ``/apis/<group>/<version>/<plural>`` serves."""
        key = (group, version, plural)
        return _BUILTIN_BY_PATH.get(key) or self._by_path.get(key)

    def named(self, api_version: str, kind: str) -> Kind | None:
        """The kind that an object of this ``apiVersion`` and ``kind`` has."""
        key = (api_version, kind)
        return _BUILTIN_BY_KIND.get(key) or self._by_kind.get(key)

    def stored(self, storage: tuple[str, str]) -> Kind | None:
        """The version of the kind at this place in which its objects are kept."""
        return _STORED.get(storage) or self._stored.get(storage)

    def kept_as(self, kind: Kind) -> Kind:
        """The version in which objects of this kind are kept: it itself while nobody serves it."""
        return self.stored(kind.storage) or kind

    def storages(self) -> Iterator[Kind]:
        """Every place once, by the kind its objects are kept in."""
        yield from _STORED.values()
        yield from self._stored.values()

    @property
    def custom(self) -> tuple[Kind, ...]:
        """The cluster's own kinds, every version."""
        return tuple(self._by_path.values())

    def define(self, kinds: Iterable[Kind], stored: Kind) -> None:
        """Serve ``kinds``, all versions of one CRD, instead of what was served there."""
        self.forget(stored.storage)
        for kind in kinds:
            self._by_path[kind.group, kind.version, kind.plural] = kind
            self._by_kind[kind.api_version, kind.kind] = kind
        self._stored[stored.storage] = stored

    def forget(self, storage: tuple[str, str]) -> None:
        """Serve the custom kind of this place no longer."""
        self.changes += 1
        self._stored.pop(storage, None)
        self._by_path = {k: it for k, it in self._by_path.items() if it.storage != storage}
        self._by_kind = {k: it for k, it in self._by_kind.items() if it.storage != storage}
