"""``fleet app``: what runs where, from which source. Its verbs register themselves."""

from fleet.cli.app import (
    acting,
    adopting,
    by_hand,
    deleting,
    diffing,
    holding,
    shadowing,
    sources,
    syncing,
    viewing,
    waiting,
    writing,
)
from fleet.cli.app.group import app

__all__ = [
    "acting",
    "adopting",
    "app",
    "by_hand",
    "deleting",
    "diffing",
    "holding",
    "shadowing",
    "sources",
    "syncing",
    "viewing",
    "waiting",
    "writing",
]
