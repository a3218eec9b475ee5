"""An action as data: when it is offered, what it asks for, what it changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from fleet.errors import Place, Refused, SpecInvalid
from fleet.model.objects import Manifest, ref_of

#: As values of ``ActionSpec.when``: switched on, and switched off or never set.
ON: tuple[Any, ...] = (True, "true", "on")
OFF: tuple[Any, ...] = (None, False, "false", "off", "")


@dataclass(frozen=True, slots=True)
class Parameter:
    """What an action asks for. ``is_count``: a whole number from 0 to 2³¹ - 1; else a text."""

    name: str
    is_count: bool = False
    default: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """What a change is made from; ``values`` are checked."""

    obj: Manifest
    values: Mapping[str, Any]
    now: datetime


#: A leaf of a patch that is not the same for every object.
Leaf: TypeAlias = Callable[[Request], Any]


@dataclass(frozen=True, slots=True)
class Patch:
    """A JSON merge patch of the object itself, or of its ``subresource``.

    ``is_exact``: made from this very version of the object, and good for no other.
    """

    body: dict[str, Any]
    subresource: str = ""
    is_exact: bool = False


@dataclass(frozen=True, slots=True)
class Creation:
    """A new object."""

    manifest: Manifest


Change: TypeAlias = Patch | Creation


@dataclass(frozen=True, slots=True)
class Offer:
    """An action of one object, as people see it."""

    name: str
    is_disabled: bool = False
    title: str = ""
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """A built-in action.

    Attributes:
        patches: subresource ("" the object itself) → merge patch, whose leaves may be ``Leaf``.
        makes: the new object, instead of patches.
        when: dotted path → values; it is offered while each path holds one of them.
    """

    name: str
    patches: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    makes: Leaf | None = None
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    parameters: tuple[Parameter, ...] = ()


def at(obj: object, path: str) -> Any:
    """What is at a dotted path; a part in brackets may have dots: ``metadata.annotations[a.b]``."""
    outer, _, inner = path.partition("[")
    for key in [*outer.split("."), *([inner.removesuffix("]")] if inner else [])]:
        obj = obj.get(key) if isinstance(obj, Mapping) else None
    return obj


def offer_of(spec: ActionSpec, obj: Manifest) -> Offer:
    fits = all(_is_one_of(at(obj, path), values) for path, values in spec.when.items())
    return Offer(spec.name, is_disabled=not fits, parameters=spec.parameters)


def _is_one_of(value: Any, values: tuple[Any, ...]) -> bool:
    return any(
        value is known or (type(value) is type(known) and value == known) for known in values
    )


def changes_of(
    spec: ActionSpec, obj: Manifest, given: Mapping[str, str], now: datetime
) -> tuple[Change, ...]:
    """What the action changes.

    Raises:
        Refused: it is not offered for the object as it is.
        SpecInvalid: a parameter is missing, unknown or of another form.
    """
    if offer_of(spec, obj).is_disabled:
        raise Refused(
            f"{ref_of(obj)}: {spec.name} is not possible as it is now",
            hint="`fleet app actions list` says what is.",
            object=str(ref_of(obj)),
        )
    request = Request(obj, _checked(spec, given), now)
    if spec.makes is not None:
        return (Creation(spec.makes(request)),)
    return tuple(
        Patch(_filled(template, request), subresource)
        for subresource, template in spec.patches.items()
    )


def _filled(template: Any, request: Request) -> Any:
    if callable(template):
        return template(request)
    if isinstance(template, Mapping):
        return {key: _filled(value, request) for key, value in template.items()}
    return template


def _checked(spec: ActionSpec, given: Mapping[str, str]) -> dict[str, Any]:
    known = {parameter.name: parameter for parameter in spec.parameters}
    for name in given.keys() - known.keys():
        raise _wrong(spec, name, "is no parameter of this action")
    return {name: _value(spec, parameter, given) for name, parameter in known.items()}


def _value(spec: ActionSpec, parameter: Parameter, given: Mapping[str, str]) -> Any:
    text = given.get(parameter.name, parameter.default)
    if not text:
        raise _wrong(spec, parameter.name, "is required")
    if not parameter.is_count:
        return text
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) < 2**31):
        raise _wrong(spec, parameter.name, f"must be a whole number from 0, not {text!r}")
    return int(text)


def _wrong(spec: ActionSpec, name: str, message: str) -> SpecInvalid:
    return SpecInvalid(
        message,
        place=Place(field=f"parameters.{name}"),
        hint=f"`fleet app actions run … {spec.name} --param NAME=VALUE` gives one.",
    )
