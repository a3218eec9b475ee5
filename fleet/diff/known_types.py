"""``knownTypeFields``: fields of custom resources that hold types of Kubernetes' own, in which
one value may be spelt in several ways.

Fields of built-in kinds need none of this: the server writes what it understood. What a custom
resource holds it keeps as written, and a controller that writes ``1`` for ``1000m`` changed
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import zip_longest
from typing import Any

from fleet.diff.lists import keyed
from fleet.diff.pointers import pointer
from fleet.diff.values import MAX_DEPTH
from fleet.errors import SpecInvalid
from fleet.model.durations import parse_go_duration

_QUANTITY, _DURATION, _NUMBER, _PROTOCOL = "core/Quantity", "meta/v1/Duration", "number", "protocol"
#: A field that holds a list of the type, by position or key.
_LIST = "[]"
#: Fields of a type that hold another one; ``*`` is every field. Fields that are not here, and
#: types that are not, hold nothing that could be spelt in two ways.
_SHAPES: Mapping[str, Mapping[str, str]] = {
    "core/v1/ResourceList": {"*": _QUANTITY},
    "core/v1/ResourceRequirements": {
        "limits": "core/v1/ResourceList",
        "requests": "core/v1/ResourceList",
    },
    "core/v1/VolumeResourceRequirements": {
        "limits": "core/v1/ResourceList",
        "requests": "core/v1/ResourceList",
    },
    "core/v1/ResourceQuotaSpec": {"hard": "core/v1/ResourceList"},
    "core/v1/ResourceFieldSelector": {"divisor": _QUANTITY},
    "core/v1/EnvVarSource": {"resourceFieldRef": "core/v1/ResourceFieldSelector"},
    "core/v1/EnvVar": {"valueFrom": "core/v1/EnvVarSource"},
    "core/v1/ContainerPort": {
        "containerPort": _NUMBER,
        "hostPort": _NUMBER,
        "protocol": _PROTOCOL,
    },
    "core/v1/Container": {
        "env": "core/v1/EnvVar[]",
        "ports": "core/v1/ContainerPort[]",
        "resources": "core/v1/ResourceRequirements",
    },
    "core/v1/EmptyDirVolumeSource": {"sizeLimit": _QUANTITY},
    "core/v1/PersistentVolumeClaimSpec": {"resources": "core/v1/VolumeResourceRequirements"},
    "core/v1/PersistentVolumeClaimTemplate": {"spec": "core/v1/PersistentVolumeClaimSpec"},
    "core/v1/PersistentVolumeClaim": {"spec": "core/v1/PersistentVolumeClaimSpec"},
    "core/v1/PersistentVolumeSpec": {"capacity": "core/v1/ResourceList"},
    "core/v1/EphemeralVolumeSource": {
        "volumeClaimTemplate": "core/v1/PersistentVolumeClaimTemplate"
    },
    "core/v1/Volume": {
        "emptyDir": "core/v1/EmptyDirVolumeSource",
        "ephemeral": "core/v1/EphemeralVolumeSource",
    },
    "core/v1/PodSpec": {
        "containers": "core/v1/Container[]",
        "ephemeralContainers": "core/v1/Container[]",
        "initContainers": "core/v1/Container[]",
        "overhead": "core/v1/ResourceList",
        "volumes": "core/v1/Volume[]",
    },
    "core/v1/PodTemplateSpec": {"spec": "core/v1/PodSpec"},
    "core/v1/ServicePort": {"port": _NUMBER, "nodePort": _NUMBER, "protocol": _PROTOCOL},
    "core/v1/ServiceSpec": {"ports": "core/v1/ServicePort[]"},
}

_QUANTITY_TEXT = re.compile(
    r"([+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40}))"
    r"(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?[0-9]{1,2}))?"
)
_POWERS = {
    **{letter: Decimal(10) ** (3 * n) for n, letter in enumerate("num", -3)},
    **{letter: Decimal(1000) ** n for n, letter in enumerate("kMGTPE", 1)},
    **{f"{letter}i": Decimal(1024) ** n for n, letter in enumerate("KMGTPE", 1)},
}


def quantity(value: Any) -> Decimal | None:
    """What a quantity of Kubernetes amounts to; None for what is none.

    Source: Kubernetes API conventions, ``resource.Quantity``.
    """
    found = _QUANTITY_TEXT.fullmatch(_text(value))
    if found is None:
        return None
    number, suffix, exponent = found.groups()
    amount = Decimal(number) * (_POWERS[suffix] if suffix else 1)
    return amount.scaleb(int(exponent)) if exponent else amount


def _duration(value: Any) -> Any:
    try:
        return parse_go_duration(value) if isinstance(value, str) else None
    except SpecInvalid:
        return None


def _number(value: Any) -> Any:
    text = _text(value)
    return int(text) if re.fullmatch(r"[0-9]{1,10}", text) else None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value!r}" if is_number and abs(value) < 2**63 else ""


_MEANINGS: Mapping[str, Callable[[Any], Any]] = {
    _QUANTITY: quantity,
    _DURATION: _duration,
    _NUMBER: _number,
    # the server fills it in
    _PROTOCOL: lambda value: "TCP" if value is None else value,
}


@dataclass
class _Pairs:
    """Places that mean the same, in the one and in the other."""

    one: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)


def equal_by_type(
    one: Any, other: Any, fields: Iterable[tuple[tuple[str, ...], str]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Pointers into the one and the other object: where a value of such a type means the same,
    however it is spelt.

    Args:
        fields: path and type of each field whose type is known.
    """
    found = _Pairs()
    for path, type_ in fields:
        _follow(one, other, path, type_, ((), ()), found)
    return tuple(found.one), tuple(found.other)


def _follow(
    one: Any,
    other: Any,
    path: tuple[str, ...],
    type_: str,
    at: tuple[tuple[str, ...], tuple[str, ...]],
    found: _Pairs,
) -> None:
    """Down to where the field is, into every item of a list on the way."""
    if isinstance(one, list) and isinstance(other, list):
        for left, right, place in _paired(one, other, at):
            _follow(left, right, path, type_, place, found)
    elif not path:
        _compare(one, other, type_, at, found)
    elif isinstance(one, Mapping) and isinstance(other, Mapping):
        name, rest = path[0], path[1:]
        place = (*at[0], name), (*at[1], name)
        _follow(one.get(name), other.get(name), rest, type_, place, found)


def _compare(
    one: Any,
    other: Any,
    type_: str,
    at: tuple[tuple[str, ...], tuple[str, ...]],
    found: _Pairs,
    depth: int = 0,
) -> None:
    if depth > MAX_DEPTH:
        return
    meaning = _MEANINGS.get(type_)
    if meaning is not None:
        left, right = meaning(one), meaning(other)
        if left is not None and left == right:
            _note(one, other, at, found)
    elif type_.endswith(_LIST) and isinstance(one, list) and isinstance(other, list):
        for left, right, place in _paired(one, other, at):
            _compare(left, right, type_.removesuffix(_LIST), place, found, depth + 1)
    elif isinstance(one, Mapping) and isinstance(other, Mapping):
        for name, inner in _fields_of(type_, one, other):
            place = (*at[0], name), (*at[1], name)
            _compare(one.get(name), other.get(name), inner, place, found, depth + 1)
    elif type_ in _SHAPES and not one and not other:
        _note(one, other, at, found)  # nothing, written as nothing or left out


def _note(one: Any, other: Any, at: tuple[tuple[str, ...], tuple[str, ...]], found: _Pairs) -> None:
    if one is not None:
        found.one.append(pointer(at[0]))
    if other is not None:
        found.other.append(pointer(at[1]))


def _fields_of(
    type_: str, one: Mapping[str, Any], other: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    shape = _SHAPES.get(type_, {})
    if "*" in shape:
        return ((name, shape["*"]) for name in {**one, **other})
    return iter(shape.items())


def _paired(
    one: list[Any], other: list[Any], at: tuple[tuple[str, ...], tuple[str, ...]]
) -> Iterator[tuple[Any, Any, tuple[tuple[str, ...], tuple[str, ...]]]]:
    """Items that belong together: by their keys, else by position."""
    pair = keyed(at[0][-1] if at[0] else "", one, other)
    if pair is None:
        for index, (left, right) in enumerate(zip_longest(one, other)):
            yield left, right, ((*at[0], str(index)), (*at[1], str(index)))
        return
    places = list(pair[0]), list(pair[1])
    for label in places[0]:
        if label in pair[1]:
            left, right = (str(labels.index(label)) for labels in places)
            yield pair[0][label], pair[1][label], ((*at[0], left), (*at[1], right))
