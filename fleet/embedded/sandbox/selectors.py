"""Label and field selectors, as query parameters write them.

What cannot be read is told in the API server's words: the parser of labels is not the one that
Fleet's own selectors have. What a term means is the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from fleet.embedded.sandbox.kinds import Kind
from fleet.embedded.sandbox.objects import at
from fleet.embedded.sandbox.statuses import ApiError, bad_request
from fleet.model.selectors import Operator, Requirement

_WORD = re.compile(r"\s*(==|!=|=|!|<|>|\(|\)|,|[^\s=!<>(),]+)")
_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_SYMBOLS = frozenset(["=", "==", "!=", "!", "<", ">", "(", ")", ","])
_NAME_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName', or 'my.name', or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)


LabelSelector = tuple[Requirement, ...]


@lru_cache(maxsize=512)
def parse_labels(text: str) -> LabelSelector:
    """The terms of a label selector; all must be met.

    Raises:
        ApiError: it cannot be read.
    """
    return _LabelParser(text).parse() if text.strip() else ()


class _LabelParser:
    def __init__(self, text: str) -> None:
        self._words = _WORD.findall(text)
        self._place = 0

    def parse(self) -> LabelSelector:
        found = [self._requirement()]
        while (word := self._next()) != "":
            if word != ",":
                raise bad_request(f"found '{word}', expected: ',' or 'end of string'")
            if self._peek() in _SYMBOLS - {"!"}:
                raise bad_request(f"found '{self._peek()}', expected: identifier after ','")
            if self._peek():
                found.append(self._requirement())
        return tuple(found)

    def _peek(self) -> str:
        return self._words[self._place] if self._place < len(self._words) else ""

    def _next(self) -> str:
        word: str = self._peek()
        self._place += 1
        return word

    def _requirement(self) -> Requirement:
        word = self._next()
        if word == "!":
            return Requirement(_key(self._next()), Operator.ABSENT)
        if word in _SYMBOLS or not word:
            raise bad_request(f"found '{word}', expected: !, identifier, or 'end of string'")
        key = _key(word)
        operator = self._peek()
        if operator in {"", ","}:
            return Requirement(key, Operator.EXISTS)
        self._next()
        return self._with_values(key, operator)

    def _with_values(self, key: str, operator: str) -> Requirement:
        if operator in {"=", "=="}:
            return Requirement(key, Operator.IN, (self._value(),))
        if operator == "!=":
            return Requirement(key, Operator.NOT_IN, (self._value(),))
        if operator in {">", "<"}:
            value = self._value()
            if re.fullmatch(r"-?\d+", value) is None:
                raise _unparsed(
                    f"values[0]: Invalid value: \"{value}\": for 'Gt', 'Lt' operators, "
                    "the value must be an integer"
                )
            greater = operator == ">"
            return Requirement(key, Operator.GREATER if greater else Operator.LESS, (value,))
        if operator in {"in", "notin"}:
            return Requirement(key, Operator(operator), self._set())
        words = "in, notin, =, ==, !=, gt, lt"
        raise _unparsed(f"found '{operator}', expected: {words}")

    def _value(self) -> str:
        if self._peek() in {",", ""}:
            return ""
        word = self._next()
        if word in _SYMBOLS:
            raise _unparsed(f"found '{word}', expected: identifier")
        return word

    def _set(self) -> tuple[str, ...]:
        if (word := self._next()) != "(":
            raise _unparsed(f"found '{word}' expected: '('")
        values: list[str] = []
        while (word := self._next()) != ")":
            if not word:
                raise _unparsed("found '', expected: ',', or ')'")
            if word != ",":
                values.append(word)
        return tuple(values)


def _key(text: str) -> str:
    if _NAME.fullmatch(text.rpartition("/")[2]) is None:
        raise _unparsed(f'<nil>: Invalid value: "{text}": {_NAME_RULE}')
    return text


def _unparsed(why: str) -> ApiError:
    return bad_request(f"unable to parse requirement: {why}")


def selects(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether the labels meet every term."""
    return all(term.matches(labels) for term in selector)


def matches(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """The same for a ``LabelSelector`` object; None selects nothing, an empty one everything."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _meets(it, labels) for it in selector.get("matchExpressions") or ()
    )


_OPERATORS = {
    "In": Operator.IN,
    "NotIn": Operator.NOT_IN,
    "Exists": Operator.EXISTS,
    "DoesNotExist": Operator.ABSENT,
}


def _meets(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    operator = _OPERATORS.get(expression["operator"])
    if operator is None:  # validation tells of it
        return True
    values = tuple(expression.get("values") or ())
    return Requirement(expression["key"], operator, values).matches(labels)


class FieldTerm(NamedTuple):
    """One term of a field selector."""

    path: tuple[str, ...]
    value: str
    equal: bool

    def matches(self, obj: Mapping[str, Any]) -> bool:
        """Whether the object meets this term; an absent field counts as empty."""
        return (_text(at(obj, *self.path)) == self.value) is self.equal

    @property
    def of_metadata(self) -> bool:
        """Whether the metadata alone tell."""
        return self.path[0] == "metadata"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


FieldSelector = tuple[FieldTerm, ...]

_ALWAYS = ("metadata.name", "metadata.namespace")
_INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
#: What can be selected by beside name and namespace, by place of the kind.
_FIELDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "pods"): (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.podIPs",
        "status.nominatedNodeName",
    ),
    ("", "events"): (
        *(f"involvedObject.{field}" for field in _INVOLVED),
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    ("", "secrets"): ("type",),
    ("", "namespaces"): ("status.phase",),
    ("", "nodes"): ("spec.unschedulable",),
    ("", "services"): ("spec.clusterIP", "spec.type"),
    ("", "replicationcontrollers"): ("status.replicas",),
    ("apps", "replicasets"): ("status.replicas",),
    ("batch", "jobs"): ("status.successful",),
    ("certificates.k8s.io", "certificatesigningrequests"): ("spec.signerName",),
}
_PATHS = {"source": ("source", "component"), "status.successful": ("status", "succeeded")}


def parse_fields(kind: Kind, text: str) -> FieldSelector:
    """The terms of a field selector for this kind.

    Raises:
        ApiError: it cannot be read, or names a field that cannot be selected by.
    """
    return tuple(_field_term(kind, term) for term in text.split(",") if term)


def _field_term(kind: Kind, term: str) -> FieldTerm:
    found = re.fullmatch(r"([^=!]+)(==|=|!=)(.*)", term)
    if found is None:
        raise bad_request(f"invalid selector: '{term}'; can't understand '{term}'")
    name, operator, value = found.groups()
    extra = _FIELDS.get(kind.storage, ())
    if kind.custom is not None:
        extra = tuple(path.lstrip(".") for path in kind.custom.selectable)
    if name not in (*_ALWAYS, *extra):
        if extra or kind.custom is not None:
            raise bad_request(f"field label not supported: {name}")
        raise bad_request(
            f'"{name}" is not a known field selector: only "metadata.name", "metadata.namespace"'
        )
    path = _PATHS.get(name) or tuple(name.split("."))
    return FieldTerm(path, value, operator != "!=")
