"""How many processes a plugin runs: counted from outside, where it cannot be influenced.

Limits of a user do not hold for root, and a container may not have control groups to give.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from pathlib import Path

from fleet.render.sandbox import Child

_EVERY_SECONDS = 0.1


async def overcrowded(child: Child, most: int) -> None:
    """Return once ``child`` runs more than ``most`` processes; it is killed then."""
    while True:
        if await asyncio.to_thread(_count, child.process.pid) > most:
            child.kill()
            return
        await asyncio.sleep(_EVERY_SECONDS)


def _count(root: int) -> int:
    """Processes below ``root``. Whose parent has ended belongs to the sandbox's first one."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_bytes()
        except OSError:  # it ended meanwhile
            continue
        # "pid (name) state parent …", and a name may hold anything
        children[int(stat.rpartition(b") ")[2].split()[1])].append(int(entry.name))
    found = 0
    waiting = [root]
    while waiting:
        below = children[waiting.pop()]
        found += len(below)
        waiting += below
    return found
