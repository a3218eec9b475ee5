"""What a YAML scalar means: the rules of sigs.k8s.io/yaml, which kubectl and Helm read with.

That is YAML 1.1 as go-yaml v2 resolves it, then the conversion to JSON: ``on`` and ``y`` are
booleans, ``0777`` and ``0o777`` are octal, dates and ``1:30`` are text, ``1e3`` is the number
1000 (a whole float becomes an integer in JSON). The tables in the tests were compared with
``helm template`` and ``fromYaml``.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
from decimal import Decimal
from functools import lru_cache
from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool | None

_CORE = "tag:yaml.org,2002:"
STR_TAG = _CORE + "str"
MERGE_TAG = _CORE + "merge"

_WORDS: dict[str, bool | float | None] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE"), True),
    **dict.fromkeys(("on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE"), False),
    **dict.fromkeys(("off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_NUMBER_STARTS = frozenset("+-0123456789.")
_STARTS = _NUMBER_STARTS | {word[0] for word in _WORDS if word}

_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]*)", re.ASCII)
_PREFIXED = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[oO]?([0-7]+)|0[bB]([01]+))", re.ASCII)
_POINT_FIRST = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)

_SMALLEST, _LARGEST = -(2**63), 2**64 - 1


class BadScalar(ValueError):
    """A scalar that has no JSON value; the message says why, without naming the place."""


@lru_cache(maxsize=8192)
def resolve_plain(text: str) -> Scalar:
    """The value of an unquoted, untagged scalar; floats stay floats.

    Raises:
        BadScalar: an integer of more than 64 bits.
    """
    if text and text[0] not in _STARTS:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    number = _number(text)
    return text if number is None else number


def _number(text: str) -> int | float | None:
    if text[0] == ".":  # only here go-yaml leaves the underscores to Go's own parser
        return _finite(text) if _POINT_FIRST.fullmatch(text) else None
    plain = text.replace("_", "")
    if _DECIMAL.fullmatch(plain):
        return _bounded(int(plain) if len(plain) < 30 else None)
    prefixed = _PREFIXED.fullmatch(plain)
    if prefixed:
        sign, *digits = prefixed.groups()
        base, found = next((b, d) for b, d in zip((16, 8, 2), digits, strict=True) if d)
        return _bounded(int(sign + found, base) if len(found) < 80 else None)
    return _finite(plain) if _FLOAT.fullmatch(plain) else None


def _finite(text: str) -> float | None:
    value = float(text)
    return None if math.isinf(value) else value


def _bounded(value: int | None) -> int:
    if value is None or not _SMALLEST <= value <= _LARGEST:
        raise BadScalar("the integer does not fit into 64 bits")
    return value


def resolve_tagged(tag: str, text: str) -> Scalar:
    """The value of a scalar with an explicit tag.

    Raises:
        BadScalar: a tag that is not of YAML's core, or a value that it does not fit.
    """
    name = tag.removeprefix(_CORE)
    if name in {"str", "timestamp"}:
        return text
    if name == "binary":
        return _binary(text)
    value = resolve_plain(text)
    fits = {
        "null": value is None,
        "bool": isinstance(value, bool),
        "int": isinstance(value, int) and not isinstance(value, bool),
        "float": isinstance(value, int | float) and not isinstance(value, bool),
    }
    if name not in fits:
        raise BadScalar(f"the tag {tag!r} is not supported")
    if not fits[name]:
        raise BadScalar(f"the value is no {name}, which its tag says it is")
    return value


def _binary(text: str) -> str:
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        raise BadScalar("!!binary holds no base64 of UTF-8 text, and JSON has no bytes") from None


def to_json(value: Scalar) -> Scalar:
    """The value as Go writes it to JSON and Kubernetes reads it back.

    Raises:
        BadScalar: infinity or not a number.
    """
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadScalar("infinity and NaN have no JSON value")
        if value.is_integer() and abs(value) < 2**63:
            return int(value)
    return value


def to_key(value: Scalar) -> str:
    """A mapping's key as text, as the conversion to JSON writes it.

    Raises:
        BadScalar: null, or an integer above 63 bits.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float_key(value)
    if value is None or value >= 2**63:
        raise BadScalar("a key must be text, a number or a boolean")
    return str(value)


def _float_key(value: float) -> str:
    """Go's ``FormatFloat(value, 'g', -1, 32)``: the shortest digits that a float32 survives."""
    single = _as_float32(value)
    if not math.isfinite(single):
        return ".nan" if math.isnan(single) else ".inf" if single > 0 else "-.inf"
    candidates = (f"{single:.{precision}e}" for precision in range(9))
    shortest = next(text for text in candidates if _as_float32(float(text)) == single)
    in_full = -4 <= int(shortest.partition("e")[2]) < 6
    return format(Decimal(shortest), "f") if in_full else shortest


def _as_float32(value: float) -> float:
    try:
        found: float = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)
    return found
