"""Reading ``spec.syncWindows`` of an AppProject."""

from __future__ import annotations

from datetime import timedelta

from fleet.errors import SpecInvalid
from fleet.model.cron import parse_cron
from fleet.model.durations import parse_go_duration
from fleet.model.reading import Fields
from fleet.model.windows import UTC_NAME, SyncWindow, WindowKind, load_zone


def read_windows(fields: Fields) -> tuple[SyncWindow, ...]:
    """Raises:
    SpecInvalid: names the window and the field that is wrong, e.g. ``syncWindows[0].timeZone``.
    """
    return tuple(_window(id, child) for id, child in enumerate(fields.children("syncWindows")))


def _window(id: int, fields: Fields) -> SyncWindow:
    kind = fields.text("kind", required=True)
    if kind not in set(WindowKind):
        raise fields.invalid("kind", "must be allow or deny")
    schedule = fields.text("schedule", required=True)
    duration = fields.text("duration", required=True)
    zone = fields.text("timeZone") or UTC_NAME
    fields.checked("timeZone", lambda: load_zone(zone))
    window = SyncWindow(
        id=id,
        kind=WindowKind(kind),
        schedule=schedule,
        duration=duration,
        cron=fields.checked("schedule", lambda: parse_cron(schedule)),
        length=fields.checked("duration", lambda: _positive(duration)),
        time_zone=zone,
        and_operator=fields.flag("andOperator"),
        manual_sync=fields.flag("manualSync"),
        sync_overrun=fields.flag("syncOverrun"),
        description=fields.text("description"),
        applications=fields.texts("applications"),
        namespaces=fields.texts("namespaces"),
        clusters=fields.texts("clusters"),
    )
    if window.names_nothing:
        fields.origin.warn(
            fields.path, "names no applications, namespaces or clusters, so it concerns none"
        )
    fields.finish()
    return window


def _positive(text: str) -> timedelta:
    found = parse_go_duration(text)
    if found <= timedelta(0):
        raise SpecInvalid(f"{text!r} must be longer than nothing")
    return found
