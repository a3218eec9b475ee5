"""Label selectors as ``kubectl -l`` spells them: ``env=prod,region in (eu,us),!canary``.

Source: Kubernetes ``labels.Parse``: ``=``, ``==``, ``!=``, ``in``, ``notin``, presence,
absence, and ``>`` and ``<`` on whole numbers. ``!=`` and ``notin`` match an object that
lacks the label.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from fleet.errors import UsageError
from fleet.model.names import is_label_key, is_label_value

_KEY = r"(?P<key>[^\s!=<>(),]+)"
_ABSENT = re.compile(rf"!\s*{_KEY}")
_PRESENT = re.compile(_KEY)
_SET = re.compile(rf"{_KEY}\s+(?P<operator>in|notin)\s*\((?P<values>[^()]*)\)")
_COMPARED = re.compile(rf"{_KEY}\s*(?P<operator>==|!=|=|<|>)\s*(?P<value>[^\s!=<>(),]*)")
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,19}")
_MAX_LENGTH = 8192  # characters

_HINT = "For example: env=prod, tier!=cache, 'region in (eu,us)', canary, '!canary'."


class Operator(StrEnum):
    IN = "in"
    NOT_IN = "notin"
    EXISTS = "exists"
    ABSENT = "absent"
    GREATER = "gt"
    LESS = "lt"


#: How an operator is written before one value.
_SIGNS = {Operator.IN: "=", Operator.NOT_IN: "!=", Operator.GREATER: ">", Operator.LESS: "<"}


@dataclass(frozen=True, slots=True)
class Requirement:
    """``values`` is empty for EXISTS and ABSENT, and one whole number for GREATER and LESS."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.operator is Operator.EXISTS:
            return self.key
        if self.operator is Operator.ABSENT:
            return f"!{self.key}"
        joined = ",".join(self.values)
        if len(self.values) > 1:
            return f"{self.key} {self.operator} ({joined})"
        return f"{self.key}{_SIGNS[self.operator]}{joined}"

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case Operator.IN:
                return value in self.values
            case Operator.NOT_IN:
                return value not in self.values
            case Operator.EXISTS:
                return value is not None
            case Operator.ABSENT:
                return value is None
            case Operator.GREATER | Operator.LESS:
                return self._compares(value)

    def _compares(self, value: str | None) -> bool:
        if value is None or _WHOLE_NUMBER.fullmatch(value) is None:
            return False
        found, wanted = int(value), int(self.values[0])
        return found > wanted if self.operator is Operator.GREATER else found < wanted


@dataclass(frozen=True, slots=True)
class Selector:
    """All requirements must hold; none at all matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def __str__(self) -> str:
        """One text for all ways to write it; ``parse_selector`` reads it back."""
        return ",".join(sorted(set(map(str, self.requirements))))

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.matches(labels) for requirement in self.requirements)


def parse_selector(text: str) -> Selector:
    """The selector; blank text selects everything.

    Raises:
        UsageError: naming the part that is wrong.
    """
    if len(text) > _MAX_LENGTH:
        raise UsageError("the label selector is too long", hint=_HINT)
    if not text.strip():
        return Selector()
    return Selector(tuple(_requirement(part.strip()) for part in _split(text)))


def _split(text: str) -> list[str]:
    """At the commas outside parentheses."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        if character == "," and depth == 0:
            parts.append(text[start:position])
            start = position + 1
        else:
            depth += (character == "(") - (character == ")")
    parts.append(text[start:])
    return parts


def _requirement(text: str) -> Requirement:
    if found := _ABSENT.fullmatch(text):
        made = Requirement(found["key"], Operator.ABSENT)
    elif found := _PRESENT.fullmatch(text):
        made = Requirement(found["key"], Operator.EXISTS)
    elif found := _SET.fullmatch(text):
        values = tuple(sorted({value.strip() for value in found["values"].split(",")}))
        made = Requirement(found["key"], Operator(found["operator"]), values)
    elif found := _COMPARED.fullmatch(text):
        made = _comparison(found["key"], found["operator"], found["value"])
    else:
        raise UsageError(f"label selector: {text!r} is no requirement", hint=_HINT)
    _check(made)
    return made


def _comparison(key: str, sign: str, value: str) -> Requirement:
    if sign in {"<", ">"}:
        if _WHOLE_NUMBER.fullmatch(value) is None:
            raise UsageError(f"label selector: {value!r} is not a whole number", hint=_HINT)
        return Requirement(key, Operator.GREATER if sign == ">" else Operator.LESS, (value,))
    return Requirement(key, Operator.NOT_IN if sign == "!=" else Operator.IN, (value,))


def _check(requirement: Requirement) -> None:
    if not is_label_key(requirement.key):
        raise UsageError(f"label selector: {requirement.key!r} is no label key", hint=_HINT)
    for value in requirement.values:
        if requirement.operator in {Operator.IN, Operator.NOT_IN} and not is_label_value(value):
            raise UsageError(f"label selector: {value!r} is no label value", hint=_HINT)
