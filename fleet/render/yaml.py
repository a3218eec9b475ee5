"""The YAML loader and dumper of the project.

A value means what it means to kubectl and Helm (``scalars``), and comes out as plain JSON:
every key is text, nothing is shared, nothing is infinite. The input may be hostile: it is
read event by event from libyaml, and depth, size, aliases and merges are counted before
anything is built from them, so that a bomb of a few hundred bytes is refused at the line where
it would go off. Every error is a SpecInvalid that names file and line.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn, TypeAlias

import yaml as pyyaml
from yaml.cyaml import CBaseLoader, CSafeDumper

from fleet.errors import Place, SpecInvalid
from fleet.render.scalars import (
    MERGE_TAG,
    STR_TAG,
    BadScalar,
    resolve_plain,
    resolve_tagged,
    to_json,
    to_key,
)

MAX_BYTES = 16 << 20
MAX_DEPTH = 100  # libyaml's own composer crashes the process at some tens of thousands
MAX_NODES = 2_000_000
MAX_DOCUMENTS = 10_000
MAX_ALIASES = 1_000  # in one document
MAX_MERGES = 200  # in one document
MAX_COPIED_NODES = 1_000_000  # what aliases and merges may add to a document
MAX_GROWTH = 10  # times the nodes written, once the copies are more than a few
FEW_COPIED_NODES = 100_000

DuplicateKey: TypeAlias = Callable[[int, str], None]

_PARSER_ERRORS = (pyyaml.MarkedYAMLError, pyyaml.reader.ReaderError)
_TEXT_TAGS = frozenset({STR_TAG, "!"})
_COLLECTION_TAGS = {
    pyyaml.MappingStartEvent: "tag:yaml.org,2002:map",
    pyyaml.SequenceStartEvent: "tag:yaml.org,2002:seq",
}


def load_all(text: str | bytes, *, file: str = "", max_bytes: int = MAX_BYTES) -> list[Any]:
    """Every document, in order; an empty one is None.

    Raises:
        SpecInvalid: not YAML, no JSON value, or too large; names ``file`` and the line.
    """
    return [value for _, value in documents_with_lines(text, file, max_bytes=max_bytes)]


def load_one(text: str | bytes, *, file: str = "", max_bytes: int = MAX_BYTES) -> Any:
    """The only document; None when there is none.

    Raises:
        SpecInvalid: as ``load_all``, or there is a second document.
    """
    found = list(documents_with_lines(text, file, max_bytes=max_bytes))
    if len(found) > 1:
        raise SpecInvalid("only one document is expected", place=Place(file, found[1][0]))
    return found[0][1] if found else None


def documents_with_lines(
    text: str | bytes,
    file: str = "",
    *,
    max_bytes: int = MAX_BYTES,
    on_duplicate_key: DuplicateKey | None = None,
) -> Iterator[tuple[int, Any]]:
    """``(line of the document's first node, value)``, lazily; raises as ``load_all``.

    Args:
        on_duplicate_key: told line and message of each key that is there twice, instead of
            an error; the last one then wins, as it does for Helm, whose charts often do that.
    """
    source = _decoded(text, file, max_bytes)
    reader = _Reader(source, file, on_duplicate_key)
    try:
        yield from reader.documents()
    except _PARSER_ERRORS as exc:
        raise _unreadable(exc, source, file) from None


def _decoded(text: str | bytes, file: str, max_bytes: int) -> str:
    if len(text) > max_bytes:
        raise SpecInvalid(
            f"the file has more than {max_bytes >> 20} MiB of YAML"
            if max_bytes >> 20
            else f"the file has more than {max_bytes} bytes of YAML",
            place=Place(file),
        )
    try:
        if isinstance(text, bytes):
            return text.decode("utf-8-sig")
        text.encode("utf-8")  # a lone surrogate would not survive JSON
    except UnicodeError:
        raise SpecInvalid("the file is not UTF-8 text", place=Place(file)) from None
    return text


def _unreadable(exc: Exception, source: str, file: str) -> SpecInvalid:
    if isinstance(exc, pyyaml.reader.ReaderError):
        line = source.count("\n", 0, exc.position) + 1
        return SpecInvalid("a character that YAML does not allow", place=Place(file, line))
    assert isinstance(exc, pyyaml.MarkedYAMLError)
    mark = exc.problem_mark or exc.context_mark
    lines = source.split("\n")
    line = min(mark.line + 1, len(lines)) if mark else 0
    shown = lines[line - 1] if line else ""
    indent = shown[: len(shown) - len(shown.lstrip())]
    hint = "YAML is indented with spaces; this line has a tab." if "\t" in indent else ""
    return SpecInvalid(f"not YAML: {exc.problem}", place=Place(file, line), hint=hint)


@dataclass(slots=True)
class _Anchored:
    """A value that aliases may repeat; ``nodes`` is None while it is still being read."""

    value: Any = None
    nodes: int | None = None


class _Reader:
    """Builds documents from libyaml's events, counting before it builds."""

    def __init__(self, source: str, file: str, on_duplicate_key: DuplicateKey | None) -> None:
        self._next = CBaseLoader(source).get_event  # the parser; its composer is not used
        self._file = file
        self._on_duplicate_key = on_duplicate_key
        self._written = 0  # nodes in the file, over all documents
        self._copied = 0  # nodes that aliases and merges added, as the four below a document
        self._started_at = 0
        self._aliases = 0
        self._merges = 0
        self._anchors: dict[str, _Anchored] = {}

    def documents(self) -> Iterator[tuple[int, Any]]:
        count = 0
        while (event := self._next()) is not None:
            if event.__class__ is not pyyaml.DocumentStartEvent:
                continue
            count += 1
            if count > MAX_DOCUMENTS:
                self._refuse(event, f"more than {MAX_DOCUMENTS} documents in one file")
            self._copied = self._aliases = self._merges = 0
            self._started_at = self._written
            self._anchors = {}
            first: Any = self._next()
            yield first.start_mark.line + 1, self._node(first, 0)

    def _refuse(self, event: Any, message: str, hint: str = "") -> NoReturn:
        place = Place(self._file, event.start_mark.line + 1)
        raise SpecInvalid(message, place=place, hint=hint)

    def _node(self, event: Any, depth: int) -> Any:
        self._written += 1
        if self._written > MAX_NODES:
            self._refuse(event, f"more than {MAX_NODES} values in one file")
        kind = event.__class__
        if kind is pyyaml.ScalarEvent:
            value = self._scalar(event)
            if event.anchor:
                self._anchors[event.anchor] = _Anchored(value, 1)
            return value
        if kind is pyyaml.AliasEvent:
            return self._alias(event, depth)
        return self._collection(event, depth)

    def _scalar(self, event: Any) -> Any:
        text = event.value
        if event.implicit[1] or event.tag in _TEXT_TAGS:
            return text
        try:
            if event.implicit[0]:
                value = resolve_plain(text)
                return to_json(value) if value.__class__ is float else value
            return to_json(resolve_tagged(event.tag, text))
        except BadScalar as exc:
            self._refuse(event, str(exc))

    def _collection(self, event: Any, depth: int) -> Any:
        if depth >= MAX_DEPTH:
            self._refuse(event, f"more than {MAX_DEPTH} levels of nesting")
        kind = event.__class__
        if event.tag and event.tag != _COLLECTION_TAGS[kind] and event.tag != "!":
            self._refuse(event, f"the tag {event.tag!r} is not supported")
        anchored = _Anchored()
        if event.anchor:
            self._anchors[event.anchor] = anchored
        before = self._written + self._copied
        is_mapping = kind is pyyaml.MappingStartEvent
        value = self._mapping(depth + 1) if is_mapping else self._sequence(depth + 1)
        anchored.value, anchored.nodes = value, self._written + self._copied - before + 1
        return value

    def _sequence(self, depth: int) -> list[Any]:
        items: list[Any] = []
        while (event := self._next()).__class__ is not pyyaml.SequenceEndEvent:
            items.append(self._node(event, depth))
        return items

    def _mapping(self, depth: int) -> dict[str, Any]:
        """go-yaml v2 merges where ``<<`` stands: it overrides what is above it, and what is
        below overrides it. Only two keys that are both written out are duplicates."""
        found: dict[str, Any] = {}
        merged: set[str] = set()
        while (event := self._next()).__class__ is not pyyaml.MappingEndEvent:
            if _is_merge(event):
                merged |= self._merge(event, found, depth)
                continue
            key = self._key(event)
            if key in found:
                if key not in merged:
                    self._duplicate(event, key)
                merged.discard(key)
            found[key] = self._node(self._next(), depth)
        return found

    def _duplicate(self, event: Any, key: str) -> None:
        message = f"the key {key[:80]!r} is there twice"
        if self._on_duplicate_key is None:
            self._refuse(event, message)
        self._on_duplicate_key(event.start_mark.line + 1, message)

    def _key(self, event: Any) -> str:
        self._written += 1
        kind = event.__class__
        if kind is pyyaml.AliasEvent:
            value = self._alias(event, 0)
        elif kind is pyyaml.ScalarEvent:
            value = self._raw_scalar(event)
            if event.anchor:
                self._anchors[event.anchor] = _Anchored(value, 1)
        else:
            self._refuse(event, "a key must be text, a number or a boolean")
        if isinstance(value, dict | list):
            self._refuse(event, "a key must be text, a number or a boolean")
        try:
            return value if value.__class__ is str else to_key(value)
        except BadScalar as exc:
            self._refuse(event, str(exc))

    def _raw_scalar(self, event: Any) -> Any:
        """A key's value before the conversion to JSON, which writes floats in its own way."""
        if event.implicit[1] or event.tag in _TEXT_TAGS:
            return event.value
        try:
            if event.implicit[0]:
                return resolve_plain(event.value)
            return resolve_tagged(event.tag, event.value)
        except BadScalar as exc:
            self._refuse(event, str(exc))

    def _merge(self, event: Any, found: dict[str, Any], depth: int) -> set[str]:
        self._written += 1
        self._merges += 1
        if self._merges > MAX_MERGES:
            self._refuse(event, f"more than {MAX_MERGES} merge keys in one document")
        source = self._next()
        value = self._node(source, depth)
        # The same key may be in many of them; the first in a list wins.
        parts = list(reversed(value)) if isinstance(value, list) else [value]
        is_alias_of_list = source.__class__ is pyyaml.AliasEvent and isinstance(value, list)
        if is_alias_of_list or not all(isinstance(part, dict) for part in parts):
            self._refuse(source, "a merge key needs a mapping, or a list of mappings")
        keys: set[str] = set()
        for part in parts:
            found.update(part)
            keys.update(part)
        return keys

    def _alias(self, event: Any, depth: int) -> Any:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            self._refuse(event, f"more than {MAX_ALIASES} aliases in one document")
        anchored = self._anchors.get(event.anchor)
        if anchored is None:
            self._refuse(event, f"the anchor {event.anchor!r} is not defined above")
        if anchored.nodes is None:
            self._refuse(event, f"the anchor {event.anchor!r} contains itself")
        self._copied += anchored.nodes
        growth = self._copied / (self._written - self._started_at)
        if self._copied > MAX_COPIED_NODES or (
            self._copied > FEW_COPIED_NODES and growth > MAX_GROWTH
        ):
            self._refuse(event, "aliases make this document too large")
        return self._copy(anchored.value, depth, event)

    def _copy(self, value: Any, depth: int, event: Any) -> Any:
        if not isinstance(value, dict | list):
            return value
        if depth >= MAX_DEPTH:
            self._refuse(event, f"more than {MAX_DEPTH} levels of nesting")
        if isinstance(value, list):
            return [self._copy(item, depth + 1, event) for item in value]
        return {key: self._copy(item, depth + 1, event) for key, item in value.items()}


def _is_merge(event: Any) -> bool:
    if event.__class__ is not pyyaml.ScalarEvent or event.value != "<<":
        return False
    return bool(event.implicit[0]) or event.tag == MERGE_TAG


class _Dumper(CSafeDumper):
    """Block style, keys in the order given, no aliases."""

    # None is what PyYAML asks for when it knows no other: it refuses
    yaml_representers: ClassVar[dict[Any, Any]] = {
        kind: represent
        for kind, represent in CSafeDumper.yaml_representers.items()
        if kind in {type(None), bool, int, list, tuple, dict, None}
    }

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


def _represent_text(dumper: _Dumper, text: str) -> pyyaml.ScalarNode:
    if "\n" in text:
        return dumper.represent_scalar(STR_TAG, text, style="|")
    return dumper.represent_scalar(STR_TAG, text, style='"' if _is_misread(text) else None)


def _represent_float(dumper: _Dumper, value: float) -> pyyaml.ScalarNode:
    if not math.isfinite(value):
        raise SpecInvalid("infinity and NaN have no JSON value")
    text = repr(value)
    if "." not in text:  # PyYAML would tag `1e+300`, which no reader needs
        text = text.replace("e", ".0e")
    return dumper.represent_scalar("tag:yaml.org,2002:float", text)


def _is_misread(text: str) -> bool:
    """Whether ``text`` would be something else, or an error, if it were not quoted."""
    try:
        return text == "<<" or not isinstance(resolve_plain(text), str)
    except BadScalar:
        return True


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(float, _represent_float)


def dump(value: Any) -> str:
    """One JSON value as YAML that every reader reads back the same, ours and kubectl's.

    Raises:
        SpecInvalid: ``value`` is no JSON value.
    """
    try:
        return pyyaml.dump(
            value,
            Dumper=_Dumper,
            default_flow_style=False,
            sort_keys=False,
            allow_unicode=True,
            width=1 << 16,
        )
    except (pyyaml.YAMLError, RecursionError, UnicodeError) as exc:
        raise SpecInvalid("the value cannot be written as YAML") from exc
