"""``fleet app``: what runs where, from which source. Its verbs register themselves."""

from fleet.cli.app import acting, diffing, syncing, viewing, waiting, writing
from fleet.cli.app.group import app

__all__ = ["acting", "app", "diffing", "syncing", "viewing", "waiting", "writing"]
