"""What a process tree costs: processor time and memory, as the kernel counts them."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1 << 20
SAMPLE_SECONDS = 1.0
# Fields of /proc/PID/stat after the command: utime, stime, cutime, cstime.
FIRST, LAST = 11, 15


def tree_of(root: int) -> list[int]:
    """A process and all that descend from it, as far as they live right now."""
    found = [root]
    for pid in found:
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in task.read_text().split()]
    return found


def cpu_seconds(root: int) -> float:
    """Processor time of the tree so far, children that ended and were waited for included."""
    total = 0
    for pid in tree_of(root):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += sum(int(field) for field in fields[FIRST:LAST])
    return total / TICKS


def pss_by_command(root: int) -> dict[str, int]:
    """Proportional set size in bytes, by command; pages that several map count once in all.

    Between vfork and exec a child is its parent once more, memory and all; it is left out.
    """
    found: dict[str, int] = {}
    for pid in tree_of(root):
        with contextlib.suppress(OSError):
            if pid != root and _command_line(pid) == _command_line(root):
                continue
            name = Path(f"/proc/{pid}/comm").read_text().strip()
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    found[name] = found.get(name, 0) + int(line.split()[1]) * 1024
    return found


def _command_line(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


class PeakPss:
    """Samples the memory of a tree while its block runs. ``bytes`` is the largest sum."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.bytes = 0

    def _sample(self) -> None:
        while True:
            self.bytes = max(self.bytes, sum(pss_by_command(self._root).values()))
            if self._stop.wait(SAMPLE_SECONDS):
                return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
