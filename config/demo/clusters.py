"""Keeps the demo's control planes while the demo runs; its state is in FLEET_DEMO_STATE.

Started by run.py through ``tests.keeper``, in a session of its own: Ctrl-C on the terminal
stops Fleet first, the clusters last.
"""

# ruff: noqa: INP001 - a program beside its data, no package

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.control_plane import control_plane
from tests.keeper import State, keep, locked


@contextlib.contextmanager
def _nothing_yet() -> Iterator[State]:
    yield {}


def main() -> None:
    """Keep them until told to stop, or until whoever started this is gone.

    The lock is for a demo that was interrupted and started again at once: the clusters of
    the one before may still be ending.
    """
    folder = Path(os.environ["FLEET_DEMO_STATE"]) / "clusters"
    with locked(folder / "lock"), control_plane(folder) as plane:
        keep(_nothing_yet(), plane.handle)


if __name__ == "__main__":
    main()
