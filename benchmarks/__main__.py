"""``python -m benchmarks``: all measurements, or one, as a table."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import measures
from benchmarks.measures import Cost
from benchmarks.report import rows_of, table
from benchmarks.rig import Rig, rig

MEASURES: dict[str, Callable[[Rig, int], Cost]] = {
    "first sync": measures.first_sync,
    "commit to all": measures.commit_to_all,
    "hand edits": measures.hand_edits,
    "nothing changed": measures.nothing_changed,
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--apps", type=int, default=1000, help="applications  [default: 1000]")
    parser.add_argument(
        "--only",
        choices=[name.replace(" ", "-") for name in MEASURES],
        help="one measurement; what it builds on runs before it",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there, too")
    parser.add_argument(
        "--profile", default="", metavar="FILE", help="run Fleet under cProfile (slower)"
    )
    return parser.parse_args()


def _run(rig: Rig, apps: int, only: str) -> dict[str, Cost]:
    """Every measurement up to the chosen one; each builds on the one before."""
    costs: dict[str, Cost] = {}
    measures.register(rig, apps)
    for name, measure in MEASURES.items():
        needless = only and name != only and name != "first sync"
        if needless and not (name == "commit to all" and only == "hand edits"):
            continue
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        costs[name] = measure(rig, apps)
        if name == only:
            break
    resting = measures.memory(rig)
    last = list(costs.values())[-1]
    last.figures["resting_mib"] = sum(resting.values())
    parts = ", ".join(f"{command} {mib:.0f}" for command, mib in resting.items())
    print(f"MiB at rest: {parts}", file=sys.stderr)
    return costs


def main() -> None:
    given = _arguments()
    with rig(given.profile) as running:
        costs = _run(running, given.apps, (given.only or "").replace("-", " "))
    print(table(rows_of(costs, given.apps)))
    if given.json:
        shown = {name: _plain(cost) for name, cost in costs.items()}
        given.json.write_text(json.dumps(shown, indent=2) + "\n")


def _plain(cost: Cost) -> dict[str, object]:
    requests = {" ".join(key): count for key, count in cost.requests.items()}
    plain = {field.name: getattr(cost, field.name) for field in dataclasses.fields(cost)}
    return plain | {"requests": requests}


if __name__ == "__main__":
    main()
