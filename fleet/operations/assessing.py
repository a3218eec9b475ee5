"""The health of a live object: as people say by a script of their own, else by Fleet's rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleet.errors import ExpressionFailed
from fleet.expressions import Scripts, Told
from fleet.health import assess, counts_for_application, from_expressions, from_script, is_going
from fleet.model.customizations import Customizations, HealthScript
from fleet.model.health import Health, HealthStatus
from fleet.model.objects import Manifest, group_kind_of


async def health_of(scripts: Scripts, customized: Customizations, live: Manifest) -> Health | None:
    """None where its kind has none."""
    script = customized.health_of(group_kind_of(live))
    if script is None or is_going(live):
        return assess(live)
    told = await _told(scripts, script, live)
    if told.error:
        return Health(HealthStatus.UNKNOWN, f"the health script of its kind: {told.error}")
    if script.expressions is None:
        return from_script(told.value)
    values: Mapping[str, Any] = told.value
    return from_expressions(values)


async def counted_health_of(
    scripts: Scripts, customized: Customizations, live: Manifest
) -> Health | None:
    """As ``health_of``; None too for an object that asks not to be counted."""
    return await health_of(scripts, customized, live) if counts_for_application(live) else None


def has_health(customized: Customizations, wanted: Manifest) -> bool:
    """Whether an object that is about to be made will have a health."""
    is_scripted = customized.health_of(group_kind_of(wanted)) is not None
    return is_scripted or assess(wanted) is not None


async def _told(scripts: Scripts, script: HealthScript, live: Manifest) -> Told:
    try:
        if script.expressions is not None:
            return await scripts.cel(script.expressions.asked, live)
        return await scripts.lua(script.lua, live)
    except ExpressionFailed as error:
        return Told(error=error.message)
