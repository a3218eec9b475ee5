"""``fleet sandbox``: clusters to try things on. Its verbs register themselves."""

from fleet.cli.sandbox import breaking, seeding, starting, viewing
from fleet.cli.sandbox.group import sandbox

__all__ = ["breaking", "sandbox", "seeding", "starting", "viewing"]
