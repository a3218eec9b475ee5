"""The figures as a table, with Argo CD's beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from benchmarks.measures import Cost
from benchmarks.processes import MIB

#: Argo CD 3.6-dev on an equal rig with defaults, 1000 applications; "tuned" where its
#: defaults were not measured. docs/performance.md says how.
ARGO_CD = {
    ("first sync", "seconds"): "297",
    ("first sync", "CPU seconds"): "280",
    ("first sync", "requests an application"): "22.7",
    ("commit to all", "seconds until all are live"): "453 (tuned)",
    ("commit to all", "CPU seconds"): "436 (tuned)",
    ("hand edits", "healed, p50 ms"): "8400",
    ("hand edits", "healed, p99 ms"): "11800",
    ("nothing changed", "CPU seconds a pass"): "22",
    ("nothing changed", "cores, idle"): "0.15",
    ("memory", "MiB (PSS), at most"): "360-630",
}
GOALS = {
    ("first sync", "seconds"): "20",
    ("first sync", "requests an application"): "1.5",
    ("commit to all", "seconds until all are live"): "15",
    ("hand edits", "healed, p50 ms"): "150",
    ("hand edits", "healed, p99 ms"): "1000",
    ("nothing changed", "requests an application"): "0",
    ("nothing changed", "rows of applications and history"): "0",
    ("nothing changed", "CPU seconds a pass"): "0.5",
    ("memory", "MiB (PSS), at most"): "300",
}
#: Tables that hold neither applications nor history: a row a cluster and a repository, the
#: leader's, the queue's.
KEEPING = (
    "clusters",
    "repositories",
    "repository_refs",
    "leases",
    "scheduled_jobs",
    "procrastinate",
)

Rows = list[tuple[str, str, str, str, str]]


def _rows_of_work(rows: Counter[str]) -> int:
    return sum(count for table, count in rows.items() if not table.startswith(KEEPING))


def _is_single(verb: str, what: str) -> bool:
    """Asked about the object of one application; a LIST asks about all, however many pages."""
    return what == "configmaps" and verb not in ("LIST", "WATCH")


def _figures(name: str, cost: Cost, apps: int) -> dict[str, float]:
    asked = sum(cost.requests.values())
    common = {"CPU seconds": cost.cpu_seconds, "requests an application": asked / apps}
    match name:
        case "first sync":
            return {
                "seconds": cost.seconds,
                "of these, creating applications": cost.figures["creating_seconds"],
                "seconds until all are live": cost.figures["live_seconds"],
                **common,
                "rows an application": sum(cost.rows.values()) / apps,
                "renders": cost.counters["fleet_renders"],
                "fetches": cost.counters["fleet_fetches"],
            }
        case "commit to all":
            return {
                "seconds until all are live": cost.seconds,
                "seconds until all are recorded": cost.figures["recorded_seconds"],
                **common,
                "rows an application": sum(cost.rows.values()) / apps,
                "renders": cost.counters["fleet_renders"],
                "fetches": cost.counters["fleet_fetches"],
            }
        case "hand edits":
            return {
                "healed, p50 ms": cost.figures["p50_seconds"] * 1000,
                "healed, p99 ms": cost.figures["p99_seconds"] * 1000,
                "CPU seconds": cost.cpu_seconds,
                "requests an edit": asked / cost.figures["edits"] - 1,  # one is the edit
            }
        case _:
            passes = cost.figures["passes"]
            single = sum(n for (verb, what), n in cost.requests.items() if _is_single(verb, what))
            return {
                "requests an application": single / passes / apps,
                "requests a pass": asked / passes,
                "rows of applications and history": _rows_of_work(cost.rows),
                "rows a pass, in all": sum(cost.rows.values()) / passes,
                "CPU seconds a pass": cost.figures["pass_cpu_seconds"],
                "cores, idle": cost.figures["idle_cores"],
            }


def rows_of(costs: Mapping[str, Cost], apps: int) -> Rows:
    """(measurement, figure, ours, goal, Argo CD's); memory is of all measurements."""
    found: Rows = []
    figures = {name: _figures(name, cost, apps) for name, cost in costs.items()}
    peak = max(cost.peak_pss for cost in costs.values())
    resting = [c.figures["resting_mib"] for c in costs.values() if "resting_mib" in c.figures]
    figures["memory"] = {"MiB (PSS), at most": peak / MIB}
    if resting:
        figures["memory"]["MiB (PSS), at rest"] = resting[-1]
    for name, entries in figures.items():
        for label, value in entries.items():
            key = (name, label)
            found.append((*key, shown(value), GOALS.get(key, ""), ARGO_CD.get(key, "")))
    return found


def shown(value: float) -> str:
    """Three digits that matter."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.1f}"


def table(rows: Rows) -> str:
    """Markdown, aligned, so that it reads on a terminal too."""
    return aligned([("measurement", "figure", "Fleet", "goal", "Argo CD"), *_without_repeats(rows)])


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; the first line is its head."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]

    def row(cells: Sequence[str]) -> str:
        return "| " + " | ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)) + " |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([row(lines[0]), rule, *map(row, lines[1:])])


def _without_repeats(rows: Rows) -> Rows:
    before = ""
    found: Rows = []
    for name, *rest in rows:
        found.append(("" if name == before else name, *rest))  # type: ignore[arg-type]
        before = name
    return found
