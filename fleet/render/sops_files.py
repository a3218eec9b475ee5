"""Encrypted files of each format: taken apart, opened value by value, and written again.

SOPS adds every value to the file's code in the order in which it stands, so each format is
walked as it is written. In YAML only the encrypted scalars are replaced: what anyone may read
keeps its spelling, and with it its meaning.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NoReturn, TypeAlias

import yaml as pyyaml
from yaml.cyaml import CSafeDumper, CSafeLoader

from fleet.errors import RenderError
from fleet.render.sops import Envelope, Opening, Value, envelope_of
from fleet.render.yaml import load_all

_BLOCK = "sops"
_PREFIX = "sops_"
_STR = "tag:yaml.org,2002:str"
_FLATTENED = re.compile(r"(\w+?)__list_([0-9]{1,4})__map_(\w+)")
_INT = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_DATE = re.compile(r"(\d{4})-(\d\d?)-(\d\d?)")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {
    **dict.fromkeys(("true", "True", "TRUE"), "True"),
    **dict.fromkeys(("false", "False", "FALSE"), "False"),
}
_tag_of: Callable[..., str] = pyyaml.resolver.Resolver().resolve
#: From here on Go's JSON writes an exponent.
_LARGEST_PLAIN = 1e21

#: Opens a file's values and writes it again.
Open: TypeAlias = Callable[[Opening], str]
Pairs: TypeAlias = list[tuple[str, Any]]


def taken_apart(file: str, content: bytes) -> tuple[Envelope, Open] | None:
    """What an encrypted file says about itself, and how to open it; None for another file.

    Raises:
        SpecInvalid: it is no YAML.
        RenderError: it is encrypted in a way that is not read here.
    """
    if re.search(rb"^\[sops\]", content, re.MULTILINE):
        raise RenderError(
            f"{file}: SOPS's INI files are not read",
            hint="Encrypt it as YAML, JSON, dotenv, or with `--input-type binary`.",
            object=file,
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeError:
        return None
    if re.search(r"^sops_mac=", text, re.MULTILINE):
        return _dotenv(file, text)
    if not file.endswith((".yaml", ".yml")) and text.lstrip().startswith("{"):
        return _json(file, text)
    return _yaml(file, text)


# YAML


def _yaml(file: str, text: str) -> tuple[Envelope, Open] | None:
    first = next(iter(load_all(text, file=file)), None)  # counts before anything is composed
    if not isinstance(first, dict) or not _is_block(first.get(_BLOCK)):
        return None
    envelope = envelope_of(file, first[_BLOCK])

    def open_all(opening: Opening) -> str:
        documents = list(pyyaml.compose_all(text, Loader=CSafeLoader))
        seen: set[int] = set()
        for document in documents:
            if isinstance(document, pyyaml.MappingNode):
                document.value = [pair for pair in document.value if pair[0].value != _BLOCK]
                _open_node(document, (), opening, envelope, seen)
        opening.check()
        return pyyaml.serialize_all(
            documents, Dumper=CSafeDumper, allow_unicode=True, width=1 << 16, explicit_start=True
        )

    return envelope, open_all


def _is_block(value: Any) -> bool:
    return isinstance(value, dict) and "mac" in value


def _open_node(
    node: pyyaml.Node, path: tuple[str, ...], opening: Opening, envelope: Envelope, seen: set[int]
) -> None:
    if id(node) in seen:
        raise envelope.refusal("SOPS writes no aliases, and this file has some")
    seen.add(id(node))
    if isinstance(node, pyyaml.MappingNode):
        for key, value in node.value:
            _open_node(value, (*path, str(key.value)), opening, envelope, seen)
    elif isinstance(node, pyyaml.SequenceNode):
        for item in node.value:
            _open_node(item, path, opening, envelope, seen)
    elif isinstance(node, pyyaml.ScalarNode):
        found = opening.value(node.value, path)
        if found is None:
            _add_plain(node, opening)
        else:
            _put(node, found)


def _put(node: pyyaml.ScalarNode, found: Value) -> None:
    if found.kind in ("int", "float", "bool", "time"):
        text = found.text.lower() if found.kind == "bool" else found.text
        # tagged as what libyaml itself takes it for, or it would write the tag
        tag = _tag_of(pyyaml.ScalarNode, text, (True, False))
        node.tag, node.value, node.style = tag, text, None
    else:
        node.tag, node.value, node.style = _STR, found.text, '"'


def _add_plain(node: pyyaml.ScalarNode, opening: Opening) -> None:
    text = node.value if node.style or node.tag == "!" else _as_go_reads(node.value)
    if text is not None:
        opening.plain(text)


def _as_go_reads(text: str) -> str | None:
    """A plain scalar of YAML as SOPS puts it into the code; None for null, which is left out."""
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if _INT.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return _number(float(text))
    if date := _DATE.fullmatch(text):
        return f"{date[1]}-{date[2]:0>2}-{date[3]:0>2}T00:00:00Z"
    return text


def _integer(text: str) -> str:
    """What does not fit into 64 bits is a number with a fraction to Go, or no number."""
    plain = text.replace("_", "")
    digits = plain.lstrip("+-")
    is_octal = digits.startswith("0") and digits.isdecimal()
    try:
        value = int(plain, 8 if is_octal else 0)
    except ValueError:  # 09, 0x_, or longer than Python reads
        value = 1 << 64
    if -(1 << 63) <= value < 1 << 64:
        return str(value)
    return _number(float(plain)) if digits.isdecimal() else text


def _number(value: float) -> str:
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


# JSON, and whatever is no text at all


def _json(file: str, text: str) -> tuple[Envelope, Open] | None:
    try:
        tree = json.loads(
            text, object_pairs_hook=_Object, parse_int=float, parse_constant=_no_constant
        )
    except ValueError:
        return None
    if not isinstance(tree, _Object) or not _is_block(block := _plain(dict(tree).get(_BLOCK))):
        return None
    envelope = envelope_of(file, block)
    values = _Object((key, value) for key, value in tree if key != _BLOCK)
    is_binary = not file.endswith(".json") and [key for key, _ in values] == ["data"]

    def open_all(opening: Opening) -> str:
        found = _open_json(values, (), opening, envelope)
        opening.check()
        return str(found["data"]) if is_binary else json.dumps(found, ensure_ascii=False, indent=2)

    return envelope, open_all


class _Object(list[tuple[str, Any]]):
    """A JSON object as it is written, in pairs."""


def _no_constant(text: str) -> NoReturn:
    raise ValueError(text)


def _plain(value: Any) -> Any:
    if isinstance(value, _Object):
        return {key: _plain(item) for key, item in value}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _open_json(value: Any, path: tuple[str, ...], opening: Opening, envelope: Envelope) -> Any:
    if isinstance(value, _Object):
        if len(dict(value)) < len(value):
            raise envelope.refusal("a key is there twice")
        return {k: _open_json(item, (*path, k), opening, envelope) for k, item in value}
    if isinstance(value, list):
        return [_open_json(item, path, opening, envelope) for item in value]
    if isinstance(value, str) and (found := opening.value(value, path)):
        return _as_json(found, envelope)
    if value is not None:
        opening.plain(_number(value) if isinstance(value, float) else str(value))
    return _unfloated(value)


def _as_json(found: Value, envelope: Envelope) -> Any:
    if found.kind == "bool":
        return found.text.lower() == "true"
    if found.kind not in ("int", "float"):
        return found.text
    try:
        return int(found.text) if found.kind == "int" else _unfloated(float(found.text))
    except ValueError:
        raise envelope.refusal("a number is none") from None


def _unfloated(value: Any) -> Any:
    """Numbers without a fraction as Go writes them: without a point."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST_PLAIN:
        return int(value)
    return value


# dotenv


def _dotenv(file: str, text: str) -> tuple[Envelope, Open]:
    pairs = list(_assignments(file, text))
    stated = {k.removeprefix(_PREFIX): v for k, v in pairs if k.startswith(_PREFIX)}
    envelope = envelope_of(file, _unflattened(stated))

    def open_all(opening: Opening) -> str:
        lines = []
        for key, value in pairs:
            if key.startswith(_PREFIX):
                continue
            found = opening.value(value, (key,))
            if found is None:
                opening.plain(value)
            shown = (found.text if found else value).replace("\n", "\\n")
            lines.append(f"{key}={shown}\n")
        opening.check()
        return "".join(lines)

    return envelope, open_all


def _assignments(file: str, text: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line or line.startswith("#"):
            continue
        key, cut, value = line.partition("=")
        if not cut:
            raise RenderError(f"{file}: line {number} is no NAME=value", object=file)
        yield key, value.replace("\\n", "\n")


def _unflattened(stated: dict[str, str]) -> dict[str, Any]:
    """``age__list_0__map_enc`` and the like as lists of mappings."""
    lists: dict[str, dict[int, dict[str, str]]] = {}
    found: dict[str, Any] = {}
    for key, value in stated.items():
        if match := _FLATTENED.fullmatch(key):
            lists.setdefault(match[1], {}).setdefault(int(match[2]), {})[match[3]] = value
        else:
            found[key] = value
    found["mac_only_encrypted"] = found.get("mac_only_encrypted") == "true"
    return {**found, **{k: [entries[n] for n in sorted(entries)] for k, entries in lists.items()}}
