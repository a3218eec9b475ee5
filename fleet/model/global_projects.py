"""Global projects: whose rules other projects inherit, as ``argocd-cm`` names them.

Of that ConfigMap Fleet reads ``globalProjects`` here, scripts in ``customizations``, what it
says about resources in ``resource_settings`` and who commits in ``hydration``; the rest is
kept. The value is YAML, which the reader is given: this room parses none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fleet.errors import Place, SpecInvalid
from fleet.model.argo_settings import SETTINGS
from fleet.model.customizations import is_customization
from fleet.model.documents import kept
from fleet.model.hydration import AUTHOR_KEYS, author_of
from fleet.model.names import is_label_key
from fleet.model.objects import Manifest
from fleet.model.reading import Fields, Origin
from fleet.model.resource_settings import is_resource_key
from fleet.model.selectors import Operator, Requirement

SETTINGS_CONFIG = SETTINGS
_KEY = "globalProjects"
_OPERATORS = {
    "In": Operator.IN,
    "NotIn": Operator.NOT_IN,
    "Exists": Operator.EXISTS,
    "DoesNotExist": Operator.ABSENT,
}
_VALUED = frozenset({"In", "NotIn"})


@dataclass(frozen=True, slots=True)
class GlobalProject:
    """Every project whose labels match inherits from ``project``, but that itself; no
    requirement means every project."""

    project: str
    requirements: tuple[Requirement, ...] = ()

    def reaches(self, name: str, labels: Mapping[str, str]) -> bool:
        return name != self.project and all(it.matches(labels) for it in self.requirements)


@dataclass(frozen=True, slots=True)
class SettingsConfig:
    """``argocd-cm``, as far as Fleet reads it. ``text`` is what ``globalProjects`` says."""

    text: str
    document: Manifest
    warnings: tuple[str, ...] = ()


def parse_settings_config(doc: Manifest, *, file: str = "", line: int = 0) -> SettingsConfig:
    """The ConfigMap ``argocd-cm``.

    Raises:
        SpecInvalid: its data is no mapping of texts, or who commits cannot be put so.
    """
    data = doc.get("data") or {}
    place = Place(file, line, "data")
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        raise SpecInvalid("is not a mapping of texts", place=place)
    author_of(data)
    read = {_KEY, *AUTHOR_KEYS}
    others = sorted(
        key
        for key in data
        if key not in read and not is_customization(key) and not is_resource_key(key)
    )
    warnings = (f"data: kept, and not read from here: {', '.join(others)}",) if others else ()
    return SettingsConfig(data.get(_KEY, ""), kept(doc), warnings)


def read_global_projects(text: str, parse_yaml: Callable[[str], Any]) -> tuple[GlobalProject, ...]:
    """What ``globalProjects`` says, in its order.

    Raises:
        SpecInvalid: no YAML, or not a list of selectors and names.
    """
    entries = parse_yaml(text) if text.strip() else []
    top = Fields({_KEY: entries or []}, "data", Origin())
    return tuple(_entry(fields) for fields in top.children(_KEY))


def _entry(fields: Fields) -> GlobalProject:
    project = fields.text("projectName", required=True)
    selector = fields.child("labelSelector")
    found: list[Requirement] = []
    if selector is not None:
        found += [_equal(selector, key, value) for key, value in selector.text_map("matchLabels")]
        found += [_expression(it) for it in selector.children("matchExpressions")]
        selector.finish()
    fields.finish()
    return GlobalProject(project, tuple(found))


def _equal(fields: Fields, key: str, value: str) -> Requirement:
    if not is_label_key(key):
        raise fields.invalid("matchLabels", f"{key!r} is no label key")
    return Requirement(key, Operator.IN, (value,))


def _expression(fields: Fields) -> Requirement:
    key, operator = fields.text("key", required=True), fields.text("operator", required=True)
    values = fields.texts("values")
    if operator not in _OPERATORS:
        raise fields.invalid("operator", f"{operator!r} is none of {', '.join(_OPERATORS)}")
    if bool(values) is not (operator in _VALUED):
        raise fields.invalid("values", f"do not go with {operator}")
    fields.finish()
    return Requirement(key, _OPERATORS[operator], values)
