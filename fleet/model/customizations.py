"""How people judge and act on kinds by scripts of their own: Argo CD's customizations.

Source of keys and meaning: ``features.md`` §3.6. A pattern is ``group/Kind``, of core kinds
``Kind``; ``*`` in it stands for anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from fleet.errors import SpecInvalid
from fleet.model.argo_tracking import TRACKING_KEYS, ArgoTracking, read_tracking
from fleet.model.objects import GroupKind
from fleet.model.reading import Fields, Origin

PREFIX = "resource.customizations"
#: What a split key may be about: Argo CD's three, and expressions in place of a script.
_HEALTH, _EXPRESSIONS, _ACTIONS, _OPEN_LIBS = (
    "health",
    "healthExprs",
    "actions",
    "useOpenLibs",
)
SPLIT = tuple(f"{PREFIX}.{part}." for part in (_HEALTH, _EXPRESSIONS, _ACTIONS, _OPEN_LIBS))
_MAX_CHARACTERS = 256 << 10  # of one value

#: Reads a text of YAML.
Loader = Callable[[str], Any]
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class HealthExpressions:
    """CEL: which is true of an object, asked in this order. ``message`` is a text."""

    in_progress: str = ""
    failed: str = ""
    suspended: str = ""
    current: str = ""
    message: str = ""

    @property
    def asked(self) -> dict[str, str]:
        """By the names that people write."""
        found = {
            "inProgress": self.in_progress,
            "failed": self.failed,
            "suspended": self.suspended,
            "current": self.current,
            "message": self.message,
        }
        return {name: text for name, text in found.items() if text}


@dataclass(frozen=True, slots=True)
class HealthScript:
    """A Lua script, or expressions."""

    lua: str = ""
    expressions: HealthExpressions | None = None


@dataclass(frozen=True, slots=True)
class ActionScripts:
    """Lua that says which actions there are for an object, and one script for each."""

    discovery: str
    definitions: Mapping[str, str]
    merge_builtin: bool = False


@dataclass(frozen=True)
class Customizations:
    """By pattern; and how Argo CD marks what it deploys."""

    health: Mapping[str, HealthScript] = field(default_factory=dict)
    actions: Mapping[str, ActionScripts] = field(default_factory=dict)
    tracking: ArgoTracking = ArgoTracking()

    def health_of(self, kind: GroupKind) -> HealthScript | None:
        return _find(self.health, kind)

    def actions_of(self, kind: GroupKind) -> ActionScripts | None:
        return _find(self.actions, kind)


#: Nobody customized anything.
NONE = Customizations()


def changed_patterns(before: Customizations, after: Customizations) -> tuple[str, ...]:
    """Patterns of the kinds whose health may be another now."""
    patterns = before.health.keys() | after.health.keys()
    return tuple(sorted(p for p in patterns if before.health.get(p) != after.health.get(p)))


def matches(pattern: str, kind: GroupKind) -> bool:
    return fnmatchcase(str(kind), pattern)


def _find(entries: Mapping[str, _Value], kind: GroupKind) -> _Value | None:
    """That of the kind itself, else of the first pattern by name."""
    if (exact := entries.get(str(kind))) is not None:
        return exact
    fitting = (pattern for pattern in sorted(entries) if "*" in pattern and matches(pattern, kind))
    return next((entries[pattern] for pattern in fitting), None)


def is_customization(key: str) -> bool:
    """Whether a key of ``argocd-cm`` is read here."""
    return key == PREFIX or key.startswith(SPLIT) or key in TRACKING_KEYS


def read_customizations(data: Mapping[str, str], load: Loader, origin: Origin) -> Customizations:
    """What the keys of ``argocd-cm`` that are read here say; others are skipped.

    Raises:
        SpecInvalid: a value that cannot be read, or a kind that is none; names the key.
    """
    reader = _Reader(load, origin)
    for key in sorted(data):
        # the single map first: a key of its own stands above it
        if key == PREFIX:
            reader.whole(key, data[key])
    for key in sorted(data):
        if key.startswith(SPLIT):
            reader.split(key, data[key])
    return Customizations(reader.health, reader.actions, read_tracking(data))


class _Reader:
    def __init__(self, load: Loader, origin: Origin) -> None:
        self._load = load
        self._origin = origin
        self.health: dict[str, HealthScript] = {}
        self.actions: dict[str, ActionScripts] = {}

    def whole(self, key: str, text: str) -> None:
        """The one map of all kinds: ``group/Kind`` → what is customized of it."""
        top = self._fields(key, text)
        for pattern in top.names():
            entry = top.child(pattern, required=True)
            assert entry is not None
            self._health(pattern, entry.text("health.lua"))
            self._put_actions(pattern, f"{key}.{pattern}.actions", entry.text("actions"))
            expressions = entry.child(_EXPRESSIONS)
            if expressions is not None:
                self._put_expressions(pattern, expressions)

    def split(self, key: str, text: str) -> None:
        """``resource.customizations.<what>.<group>_<Kind>``."""
        what, _, name = key.removeprefix(f"{PREFIX}.").partition(".")
        group, underscore, kind = name.rpartition("_")
        pattern = f"{group}/{kind}" if underscore and group else kind
        if not kind or "_" in group:
            raise self._invalid(key, "does not end in <group>_<Kind>, or the Kind of a core kind")
        if what == _HEALTH:
            self._health(pattern, self._sized(key, text))
        elif what == _ACTIONS:
            self._put_actions(pattern, key, text)
        elif what == _EXPRESSIONS:
            self._put_expressions(pattern, self._fields(key, text))

    def _health(self, pattern: str, lua: str) -> None:
        if lua.strip():
            self.health[pattern] = HealthScript(lua=lua)

    def _put_expressions(self, pattern: str, fields: Fields) -> None:
        found = HealthExpressions(
            in_progress=fields.text("inProgress"),
            failed=fields.text("failed"),
            suspended=fields.text("suspended"),
            current=fields.text("current", required=True),
            message=fields.text("message"),
        )
        fields.finish()
        self.health[pattern] = HealthScript(expressions=found)

    def _put_actions(self, pattern: str, key: str, text: str) -> None:
        if not text.strip():
            return
        fields = self._fields(key, text)
        definitions = {}
        for entry in fields.children("definitions"):
            lua = entry.text("action.lua", required=True)
            definitions[entry.text("name", required=True)] = lua
        self.actions[pattern] = ActionScripts(
            discovery=fields.text("discovery.lua"),
            definitions=definitions,
            merge_builtin=fields.flag("mergeBuiltinActions"),
        )

    def _fields(self, key: str, text: str) -> Fields:
        try:
            value = self._load(self._sized(key, text))
        except SpecInvalid as error:
            raise self._invalid(key, f"is not YAML: {error.bare_message}") from None
        if not isinstance(value, dict):
            raise self._invalid(key, "has to be a mapping")
        return Fields(value, f"data.{key}", self._origin)

    def _sized(self, key: str, text: str) -> str:
        if len(text) > _MAX_CHARACTERS:
            raise self._invalid(key, f"has more than {_MAX_CHARACTERS >> 10} KiB")
        return text

    def _invalid(self, key: str, message: str) -> SpecInvalid:
        return self._origin.invalid(f"data.{key}", message)
