"""What widely used operators say about their objects, as tables: group → kind → rule.

The facts are from the operators' own documentation of their statuses. ``*`` as a kind stands
for all of a group that the table does not name; a group that begins with a dot for all whose
names end so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from fleet.health.operators import (
    clouds,
    databases,
    delivery,
    messaging,
    networks,
    observing,
    security,
    storing,
    workloads,
)
from fleet.health.rules import Judge
from fleet.model.objects import GroupKind

Table: TypeAlias = Mapping[str, Mapping[str, Judge]]

_TABLES: tuple[Table, ...] = (
    clouds.TABLE,
    databases.TABLE,
    delivery.TABLE,
    messaging.TABLE,
    networks.TABLE,
    observing.TABLE,
    security.TABLE,
    storing.TABLE,
    workloads.TABLE,
)
_GROUPS: dict[str, Mapping[str, Judge]] = {
    group: kinds for table in _TABLES for group, kinds in table.items()
}
_FAMILIES = tuple((group, kinds) for group, kinds in _GROUPS.items() if group.startswith("."))


def rule_of(kind: GroupKind) -> Judge | None:
    """The rule of a kind; that of its own group stands above that of a family of groups."""
    kinds = _GROUPS.get(kind.group)
    if kinds is None:
        kinds = next((rules for end, rules in _FAMILIES if kind.group.endswith(end)), {})
    return kinds.get(kind.kind) or kinds.get("*")


__all__ = ["rule_of"]
