"""``python -m benchmarks.scale``: a fleet of sandbox clusters on one core, Fleet on the other."""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

from benchmarks.measures import application, config_map, wait_until
from benchmarks.processes import MIB, cpu_seconds, pss_by_command
from benchmarks.report import aligned, shown
from benchmarks.rig import ROOT, Fleet, fleet_up, workplace
from tests.servers.git_repo import GitRepo

PATHS = ("web", "notices")
NAMESPACE = "shop"
REGISTER_SIDE_BY_SIDE = 8
#: Longer than the interval and its jitter, so that each cluster was read at least once.
IDLE_SECONDS = 190
BROKEN_SHARE = 0.1
Figures = dict[str, float]


class Sandbox:
    """The process of ``benchmarks.sandbox``, on the core that this one is pinned to."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.sandbox"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.pid = self._process.pid

    def ask(self, **wish: Any) -> dict[str, Any]:
        """One wish, one answer."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(wish).encode() + b"\n")
        stdin.flush()
        answer: dict[str, Any] = json.loads(stdout.readline())
        return answer

    def close(self) -> None:
        """Let it end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@dataclass
class Scene:
    """What the measurements share. ``commits`` is how many there were."""

    fleet: Fleet
    sandbox: Sandbox
    repo: GitRepo
    clusters: tuple[str, ...]
    commits: int = 0
    broken: tuple[str, ...] = ()

    @property
    def healthy(self) -> set[str]:
        return set(self.clusters) - set(self.broken)

    def commit(self) -> str:
        """Change what every application wants; returns the value that arrives."""
        self.commits += 1
        value = f"commit {self.commits}"
        self.repo.commit({f"{path}/configmap.yaml": config_map(path, value) for path in PATHS})
        return value

    def arrivals(self, value: str) -> dict[str, float]:
        """When it was live, by healthy cluster; waits until it is live on all of those."""
        found: dict[str, float] = {}

        def all_there() -> bool:
            nonlocal found
            found = self.sandbox.ask(do="arrivals", value=value)
            return self.healthy <= found.keys()

        wait_until(all_there)
        return {name: at for name, at in found.items() if name in self.healthy}


@contextlib.contextmanager
def scene(count: int, profile: str) -> Iterator[Scene]:
    """Start everything, with the clusters in the sandbox and nothing registered."""
    clusters = tuple(f"cluster-{number:04}" for number in range(count))
    with (
        workplace() as folder,
        contextlib.closing(Sandbox()) as sandbox,
        fleet_up(folder, profile) as (fleet, _),
    ):
        yield Scene(fleet, sandbox, GitRepo(folder / "repo.git"), clusters)


def registering(scene: Scene) -> Figures:
    """Every cluster, by the API, with the credentials it is given."""
    began = time.monotonic()
    connections = scene.sandbox.ask(do="add", names=list(scene.clusters))
    made = time.monotonic() - began
    sandbox_kib = sum(pss_by_command(scene.sandbox.pid).values()) / 1024

    def register(name: str) -> None:
        scene.fleet.call("POST", "/clusters", {"name": name, "connection": connections[name]})

    began = time.monotonic()
    with ThreadPoolExecutor(REGISTER_SIDE_BY_SIDE) as threads:
        list(threads.map(register, scene.clusters))
    return {
        "seconds to start the sandbox's": made,
        "KiB a cluster of the sandbox": sandbox_kib / len(scene.clusters),
        "seconds to register": time.monotonic() - began,
    }


def first_sync(scene: Scene) -> Figures:
    """All applications, by ``fleet apply`` of their documents."""
    value = scene.commit()
    scene.fleet.call("POST", "/repositories", {"url": scene.repo.url})
    documents = [
        application(
            f"{path}-{cluster}",
            scene.repo.url,
            path,
            cluster,
            NAMESPACE,
            "CreateNamespace=true",
        )
        for cluster in scene.clusters
        for path in PATHS
    ]
    began = time.monotonic()
    scene.fleet.apply(documents)
    scene.arrivals(value)
    return {"seconds": time.monotonic() - began}


def committing(scene: Scene) -> Figures:
    """From the push, and one nudge, to the change live on every cluster that answers."""
    value = scene.commit()
    before, cpu = scene.fleet.metrics(), cpu_seconds(scene.fleet.pid)
    began = time.monotonic()
    nudged = sorted(scene.healthy)[0]
    scene.fleet.call("POST", f"/applications/{PATHS[0]}-{nudged}/refresh", {})
    times = sorted(at - began for at in scene.arrivals(value).values())
    spent = scene.fleet.metrics() - before
    percents = quantiles(times, n=100, method="inclusive")
    return {
        "p50 seconds": percents[49],
        "p99 seconds": percents[98],
        "seconds until half are live": times[len(times) // 2],
        "seconds until all are live": times[-1],
        "CPU seconds": cpu_seconds(scene.fleet.pid) - cpu,
        "fetches": spent["fleet_fetches"],
        "renders": spent["fleet_renders"],
        "requests a cluster": spent["fleet_cluster_requests"] / len(times),
    }


def resting(scene: Scene) -> Figures:
    """Nothing changes; each cluster is read once at its usual interval."""
    before, cpu, began = scene.fleet.metrics(), cpu_seconds(scene.fleet.pid), time.monotonic()
    time.sleep(IDLE_SECONDS)
    spent, seconds = scene.fleet.metrics() - before, time.monotonic() - began
    asked = spent["fleet_cluster_requests"] / len(scene.clusters)
    return {
        "requests a cluster and hour": asked * 3600 / seconds,
        "cores": (cpu_seconds(scene.fleet.pid) - cpu) / seconds,
    }


def measure(scene: Scene) -> dict[str, Figures]:
    """Every measurement, in the order in which they build on one another."""
    found: dict[str, Figures] = {}
    empty = _memory(scene)

    def step(name: str, figures: Figures) -> None:
        found[name] = figures
        print(f"measured: {name}: {figures}", file=sys.stderr, flush=True)

    step("register", registering(scene))
    step("first sync", first_sync(scene))
    step("commit to all", committing(scene))
    step("at rest", resting(scene))
    full = _memory(scene)
    step(
        "memory",
        {
            "MiB (PSS) without clusters": empty,
            "MiB (PSS) with all": full,
            "MiB a cluster": (full - empty) / len(scene.clusters),
        },
    )
    well = committing(scene)
    scene.broken = scene.clusters[:: round(1 / BROKEN_SHARE)]
    scene.sandbox.ask(do="break", names=scene.broken, how="unreachable")
    ill = committing(scene)
    ratio = ill["p99 seconds"] / well["p99 seconds"]
    step("a tenth unreachable", {**ill, "p99 of the others, times the usual": ratio})
    return found


def _memory(scene: Scene) -> float:
    return sum(pss_by_command(scene.fleet.pid).values()) / MIB


def table(figures: Mapping[str, Figures]) -> str:
    """Markdown, aligned, with the goals beside."""
    lines: list[Sequence[str]] = [("measurement", "figure", "Fleet", "goal")]
    for name, values in figures.items():
        for number, (label, value) in enumerate(values.items()):
            goal = GOALS.get((name, label), "")
            lines.append(("" if number else name, label, shown(value), goal))
    return aligned(lines)


GOALS = {
    ("register", "seconds to start the sandbox's"): "5",
    ("register", "KiB a cluster of the sandbox"): "150",
    ("commit to all", "seconds until half are live"): "10",
    ("commit to all", "fetches"): "1",
    ("commit to all", "renders"): "2",
    ("memory", "MiB a cluster"): "3",
    ("a tenth unreachable", "p99 of the others, times the usual"): "1.1",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--clusters", type=int, default=1000)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there, too")
    parser.add_argument("--profile", default="", metavar="FILE", help="run Fleet under cProfile")
    given = parser.parse_args()
    with scene(given.clusters, given.profile) as running:
        figures = measure(running)
    print(table(figures))
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
