"""What may not come of itself: an application that is in its own Git."""

from __future__ import annotations

from dataclasses import replace

from fleet.model.children import APPLICATION
from fleet.model.operations import Condition
from fleet.plan.desired import Prepared

CYCLE = "ResourceCycleWarning"


def without_itself(prepared: Prepared, name: str) -> Prepared:
    """The objects of an application that Fleet itself holds, without that application: what
    it wants of itself would change what it wants. It is told by a condition."""
    own = [
        made.ref
        for made in prepared.objects
        if made.ref.group_kind == APPLICATION.group_kind and made.ref.name == name
    ]
    if not own:
        return prepared
    told = f"{own[0]} is this application itself: left alone, put it with `fleet apply`"
    return replace(
        prepared,
        objects=tuple(made for made in prepared.objects if made.ref not in own),
        conditions=(*prepared.conditions, Condition(CYCLE, told)),
    )
