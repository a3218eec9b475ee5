"""``fleet`` under cProfile: processor time of the main thread, by function.

The timer counts processor time, so that waiting costs nothing and a busy machine does not
show: ``python -m benchmarks.profiled FILE up``.
"""

from __future__ import annotations

import cProfile
import sys
import time

from fleet.cli import main


def run() -> None:
    """Run ``fleet`` with the arguments after FILE; write the statistics when it ends."""
    file, sys.argv = sys.argv[1], ["fleet", *sys.argv[2:]]
    profile = cProfile.Profile(time.thread_time)
    try:
        profile.runcall(main)
    finally:
        profile.dump_stats(file)


if __name__ == "__main__":
    run()
