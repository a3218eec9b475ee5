"""What holds for objects of every application: ``argocd-cm``'s keys that begin with ``resource.``.

Keys and values are spelt as there (``features.md`` §3.6): a value is a text of YAML, or what
such a text would say. The text is read by whoever has a reader of YAML; here it is a value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from fleet.errors import SpecInvalid
from fleet.model.applications import IgnoreDifference
from fleet.model.ignore_spec import read_ignore
from fleet.model.objects import GroupKind
from fleet.model.reading import Fields, Origin, did_you_mean

PREFIX = "resource."
_CUSTOMIZATIONS = "resource.customizations"
_IGNORE, _UPDATES, _TYPES = "ignoreDifferences", "ignoreResourceUpdates", "knownTypeFields"
#: Of ``resource.customizations.<what>.<group>_<Kind>``: read elsewhere, or of no use to Fleet.
_OTHERS = ("health", "actions", "useOpenLibs")
#: Single keys that say something here.
_READ = (
    _CUSTOMIZATIONS,
    "resource.compareoptions",
    "resource.exclusions",
    "resource.ignoreResourceUpdatesEnabled",
    "resource.inclusions",
    "resource.respectRBAC",
)
#: Those that say which kinds there are at all.
_ABOUT_KINDS = frozenset({"resource.exclusions", "resource.inclusions"})
#: Keys that are accepted and say nothing about comparing.
_ACCEPTED = (
    "resource.customLabels",
    "resource.excludeEventLabelKeys",
    "resource.ignoreResourceUpdatesEnabled",
    "resource.includeEventLabelKeys",
    "resource.links",
    "resource.respectRBAC",
    "resource.sensitive.mask.annotations",
)


class StatusField(StrEnum):
    """Of which objects the ``status`` that Git holds is left out."""

    ALL = "all"
    CRD = "crd"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class KindFilter:
    """Globs; no pattern of a sort matches everything. ``clusters`` are servers or names."""

    api_groups: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()

    def matches(self, kind: GroupKind, cluster: tuple[str, ...]) -> bool:
        """Args:
        cluster: what it is called: its server and its name.
        """
        return (
            _any(self.api_groups, (kind.group,))
            and _any(self.kinds, (kind.kind,))
            and _any(self.clusters, cluster)
        )


@dataclass(frozen=True, slots=True)
class KnownField:
    """A field of a custom resource that holds a type of Kubernetes' own."""

    group: str
    kind: str
    path: tuple[str, ...]
    type: str


@dataclass(frozen=True)
class ResourceSettings:
    """Attributes:
    exclusions: None where nothing was set: then those that Argo CD is shipped with hold.
    update_rules: fields whose changes alone are no news.
    errors: why some of them cannot be told; nothing may follow from the rest then.
    """

    ignore_differences: tuple[IgnoreDifference, ...] = ()
    update_rules: tuple[IgnoreDifference, ...] = ()
    exclusions: tuple[KindFilter, ...] | None = None
    inclusions: tuple[KindFilter, ...] = ()
    known_fields: tuple[KnownField, ...] = ()
    status_field: StatusField = StatusField.ALL
    ignores_updates: bool = True
    errors: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Tells one from another; "" where nothing is set."""
        if self == ResourceSettings():
            return ""
        return hashlib.sha256(repr(self).encode()).hexdigest()


@dataclass
class _Found:
    ignore: list[IgnoreDifference] = field(default_factory=list)
    updates: list[IgnoreDifference] = field(default_factory=list)
    types: list[KnownField] = field(default_factory=list)


def read_resource_settings(
    data: Mapping[str, Any], parse: Callable[[str], Any], *, file: str = ""
) -> ResourceSettings:
    """The settings in ``data``; a value that is a text is read by ``parse``.

    Raises:
        SpecInvalid: names the key, and what is wrong with its value.
    """
    top = Fields(data, "", Origin(file))
    found = _Found()
    for key in data:
        if key not in _ACCEPTED:
            _read_key(top, key, parse, found)
    _check_word(top, "resource.respectRBAC", ("normal", "strict"))
    _check_word(top, "resource.ignoreResourceUpdatesEnabled", ("true", "false"))
    options = _mapping(top, "resource.compareoptions", parse)
    return ResourceSettings(
        ignore_differences=tuple(found.ignore),
        update_rules=tuple(found.updates),
        exclusions=_filters(top, "resource.exclusions", parse),
        inclusions=_filters(top, "resource.inclusions", parse) or (),
        known_fields=tuple(found.types),
        status_field=_status_field(options),
        ignores_updates=str(data.get("resource.ignoreResourceUpdatesEnabled", True)).lower()
        != "false",
    )


def is_resource_key(key: str) -> bool:
    """Whether a key of ``argocd-cm`` is read here."""
    return key in _READ or key.startswith(tuple(f"{_CUSTOMIZATIONS}.{what}." for what in _READERS))


def read_in_force(
    setting: Mapping[str, Any],
    config: Mapping[str, Any],
    parse: Callable[[str], Any],
    *,
    about: str,
) -> ResourceSettings:
    """What holds where a setting and an ``argocd-cm`` say something: key by key what the
    latter says, else what the setting says.

    A key of ``config`` that cannot be read is among the errors. Where it says which kinds
    there are, none is left out meanwhile: an object that is forgotten is lost to the inventory.

    Args:
        about: names ``config`` in errors.

    Raises:
        SpecInvalid: ``setting`` cannot be read.
    """
    said, errors = {}, {}
    for key in sorted(filter(is_resource_key, config)):
        try:
            read_resource_settings({key: config[key]}, parse)
        except SpecInvalid as error:
            errors[key] = f"{about}: data.{error.message}"
        else:
            said[key] = config[key]
    found = read_resource_settings({**setting, **said}, parse)
    if errors.keys() & _ABOUT_KINDS:
        found = replace(found, exclusions=(), inclusions=())
    return replace(found, errors=tuple(errors.values()))


def _read_key(top: Fields, key: str, parse: Callable[[str], Any], found: _Found) -> None:
    if key in ("resource.compareoptions", "resource.exclusions", "resource.inclusions"):
        return
    if key == _CUSTOMIZATIONS:
        _legacy(top, parse, found)
        return
    what, _, about = key.removeprefix(f"{_CUSTOMIZATIONS}.").partition(".")
    if key.startswith(f"{_CUSTOMIZATIONS}.") and about and what in (*_READERS, *_OTHERS):
        if what in _READERS and (value := _value(top, key, parse)) is not None:
            _READERS[what](Fields({key: value}, "", top.origin), key, _kind_of(about), found)
        return
    known = [*_ACCEPTED, *(f"{_CUSTOMIZATIONS}.{what}" for what in (*_READERS, *_OTHERS))]
    raise top.invalid(key, f"is no setting about resources{did_you_mean(key, known)}")


def _legacy(top: Fields, parse: Callable[[str], Any], found: _Found) -> None:
    """One mapping ``<group>/<Kind>: {ignoreDifferences: …}``, as before Argo CD 2."""
    table = _mapping(top, _CUSTOMIZATIONS, parse)
    for about in table.names():
        entry = table.child(about, required=True)
        assert entry is not None
        group, _, kind = about.rpartition("/")
        for what, read in _READERS.items():
            if entry.has(what):
                value = _value(entry, what, parse)
                read(Fields({what: value}, entry.path, top.origin), what, (group, kind), found)


def _kind_of(about: str) -> tuple[str, str]:
    """``apps_Deployment``, ``Service`` of the core group, or ``all``."""
    if about == "all":
        return "*", "*"
    group, _, kind = about.rpartition("_")
    return group, kind


def _read_ignore(fields: Fields, key: str, about: tuple[str, str], found: _Found) -> None:
    found.ignore.append(_rule(fields, key, about))


def _read_updates(fields: Fields, key: str, about: tuple[str, str], found: _Found) -> None:
    found.updates.append(_rule(fields, key, about))


def _rule(fields: Fields, key: str, about: tuple[str, str]) -> IgnoreDifference:
    child = fields.child(key, required=True)
    assert child is not None
    return read_ignore(child, about)


def _read_types(fields: Fields, key: str, about: tuple[str, str], found: _Found) -> None:
    for item in fields.children(key):
        path = tuple(part for part in item.text("field", required=True).split(".") if part)
        found.types.append(KnownField(*about, path, item.text("type", required=True)))
        item.finish()


_READERS: Mapping[str, Callable[[Fields, str, tuple[str, str], _Found], None]] = {
    _IGNORE: _read_ignore,
    _UPDATES: _read_updates,
    _TYPES: _read_types,
}


def _value(fields: Fields, key: str, parse: Callable[[str], Any]) -> Any:
    value = fields.raw(key)
    if not isinstance(value, str):
        return value
    try:
        return parse(value)
    except SpecInvalid as error:
        raise fields.invalid(key, f"is no YAML: {error.bare_message}") from None


def _mapping(fields: Fields, key: str, parse: Callable[[str], Any]) -> Fields:
    value = _value(fields, key, parse)
    return Fields({key: value or {}}, fields.path, fields.origin).child(key) or Fields(
        {}, key, fields.origin
    )


def _filters(top: Fields, key: str, parse: Callable[[str], Any]) -> tuple[KindFilter, ...] | None:
    if not top.has(key):
        return None
    made = Fields({key: _value(top, key, parse)}, "", top.origin)
    filters = []
    for item in made.children(key):
        patterns = (item.texts(name) for name in ("apiGroups", "kinds", "clusters"))
        filters.append(KindFilter(*patterns))
        item.finish()
    return tuple(filters)


def _check_word(top: Fields, key: str, words: tuple[str, ...]) -> None:
    if (value := top.raw(key)) not in (None, "") and str(value).lower() not in words:
        raise top.invalid(key, f"is none of {', '.join(words)}")


def _status_field(options: Fields) -> StatusField:
    value = options.raw("ignoreResourceStatusField")
    if value in (None, ""):
        return StatusField.ALL
    # YAML reads an unquoted `off` as false; Argo CD takes both for none
    word = {"false": "none", "off": "none"}.get(str(value).lower(), str(value))
    if word not in tuple(StatusField):
        raise options.invalid("ignoreResourceStatusField", "is none of all, crd, none")
    return StatusField(word)


def _any(patterns: tuple[str, ...], values: tuple[str, ...]) -> bool:
    return not patterns or any(
        fnmatchcase(value, pattern) for pattern in patterns for value in values
    )
