"""The measurements, one function each, in the order in which they build on one another."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any

from benchmarks.kubernetes import NAMESPACE
from benchmarks.processes import MIB, PeakPss, cpu_seconds, pss_by_command
from benchmarks.rig import CLUSTER, Rig

#: Data of one ConfigMap, in bytes.
SIZE = 2048
EDITS, EDITS_PER_SECOND = 60, 5
PATIENCE_SECONDS = 900
#: PostgreSQL's sessions report what they wrote at the latest when they were idle for 10 s.
SETTLE_SECONDS = 11.0
#: The shortest interval that a cluster can be given.
INTERVAL_SECONDS = 10
PASSES = 5
IDLE_SECONDS = 15.0
_LINES = "".join(f"    line {n:03} of a file that an application reads\n" for n in range(99))
_PADDING = _LINES[: SIZE - 16]


@dataclass
class Cost:
    """What a stretch of work cost; ``figures`` are what is particular to a measurement."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    counters: Counter[str] = field(default_factory=Counter)
    peak_pss: int = 0
    figures: dict[str, float] = field(default_factory=dict)


def files(apps: int, value: str) -> dict[str, str]:
    """One ConfigMap an application; the value is what a bench waits for."""
    return {f"{name(n)}/configmap.yaml": config_map(name(n), value) for n in range(apps)}


def config_map(name: str, value: str) -> str:
    """One of ``SIZE``, as YAML."""
    return (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n"
        f"data:\n  value: {value!r}\n  file: |\n{_PADDING}\n"
    )


def name(number: int) -> str:
    return f"app-{number:05}"


def application(
    name: str, url: str, path: str, cluster: str, namespace: str, *sync_options: str
) -> dict[str, Any]:
    """One that follows the branch main of a repository."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name},
        "spec": {
            "project": "default",
            "source": {"repoURL": url, "path": path, "targetRevision": "main"},
            "destination": {"name": cluster, "namespace": namespace},
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                "syncOptions": list(sync_options),
            },
        },
    }


@contextmanager
def measured(rig: Rig) -> Iterator[Cost]:
    """Fills a ``Cost`` with what the block cost. ``seconds`` is the block's unless it sets it."""
    cost = Cost()
    requests, rows, counters = rig.server.counts(), rig.rows_written(), rig.fleet.metrics()
    cpu, began = cpu_seconds(rig.fleet.pid), time.monotonic()
    with PeakPss(rig.fleet.pid) as peak:
        yield cost
    cost.seconds = cost.seconds or time.monotonic() - began
    cost.cpu_seconds = cpu_seconds(rig.fleet.pid) - cpu
    time.sleep(SETTLE_SECONDS)
    cost.requests = rig.server.counts() - requests
    cost.rows = rig.rows_written() - rows
    cost.counters = rig.fleet.metrics() - counters
    cost.peak_pss = peak.bytes


def register(rig: Rig, apps: int) -> None:
    """The repository with its first commit and the cluster; no application yet."""
    rig.repo.commit(files(apps, "first"))
    state = rig.server.state
    connection = {
        "server": state["server"],
        "ca": state["ca_pem"],
        "token": state["admin_token"],
    }
    rig.fleet.call("POST", "/clusters", {"name": CLUSTER, "connection": connection})
    rig.fleet.call("POST", "/repositories", {"url": rig.repo.url})


def wait_until(true: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Ask until it is so; raises TimeoutError when it is not in time."""
    ends = time.monotonic() + seconds
    while not true():
        if time.monotonic() > ends:
            raise TimeoutError(f"not so after {seconds:.0f} s")
        time.sleep(0.1)


def first_sync(rig: Rig, apps: int) -> Cost:
    """From the request that creates all applications to the last one live and recorded."""
    url = rig.repo.url
    names = [name(n) for n in range(apps)]
    documents = [application(it, url, it, CLUSTER, NAMESPACE) for it in names]
    with measured(rig) as cost:
        began = time.monotonic()
        rig.fleet.apply(documents)
        cost.figures["creating_seconds"] = time.monotonic() - began
        live = rig.watcher.await_all("first", apps, PATIENCE_SECONDS)
        cost.figures["live_seconds"] = live - began
        wait_until(lambda: rig.synced() == apps)
        cost.seconds = time.monotonic() - began
    return cost


def commit_to_all(rig: Rig, apps: int) -> Cost:
    """From a push that changes every application, and one nudge, to the last one live."""
    rig.repo.commit(files(apps, "second"))
    with measured(rig) as cost:
        began = time.monotonic()
        rig.fleet.call("POST", f"/applications/{name(0)}/refresh", {})
        cost.seconds = rig.watcher.await_all("second", apps, PATIENCE_SECONDS) - began
        wait_until(lambda: rig.synced() == apps)
        cost.figures["recorded_seconds"] = time.monotonic() - began
    return cost


def hand_edits(rig: Rig, apps: int) -> Cost:
    """Edits of different applications at an even rate: how long until each is undone."""
    value = "second"
    times: list[float] = []
    with measured(rig) as cost:
        sent: list[tuple[str, float]] = []
        began = time.monotonic()
        for number in range(EDITS):
            time.sleep(max(0.0, began + number / EDITS_PER_SECOND - time.monotonic()))
            edited = name(number * 7 % apps)
            sent.append((edited, time.monotonic()))
            rig.server.edit(edited, value="by hand")
        for edited, at in sent:
            times.append(rig.watcher.await_one(edited, value, at, PATIENCE_SECONDS) - at)
        cost.seconds = time.monotonic() - began
    percents = quantiles(times, n=100, method="inclusive")
    cost.figures.update(edits=EDITS, p50_seconds=percents[49], p99_seconds=percents[98])
    return cost


def nothing_changed(rig: Rig, apps: int) -> Cost:  # noqa: ARG001 - as all measures
    """Several passes over everything with nothing to do."""
    cpu, began = cpu_seconds(rig.fleet.pid), time.monotonic()
    time.sleep(IDLE_SECONDS)
    idle = (cpu_seconds(rig.fleet.pid) - cpu) / (time.monotonic() - began)
    rig.fleet.call("PATCH", f"/clusters/{CLUSTER}", {"intervalSeconds": INTERVAL_SECONDS})
    done = rig.fleet.metrics()["fleet_cluster_passes"]
    wait_until(lambda: rig.fleet.metrics()["fleet_cluster_passes"] > done)
    time.sleep(SETTLE_SECONDS)  # the change of the interval is audited
    with measured(rig) as cost:
        time.sleep(INTERVAL_SECONDS * PASSES)
    passes = cost.counters["fleet_cluster_passes"]
    cost.figures["passes"] = passes
    cost.figures["idle_cores"] = idle
    # a difference of two measurements: 0 is less than can be told from an idle Fleet
    cost.figures["pass_cpu_seconds"] = max(0.0, cost.cpu_seconds - idle * cost.seconds) / passes
    return cost


def memory(rig: Rig) -> dict[str, float]:
    """MiB by command, now."""
    return {command: size / MIB for command, size in pss_by_command(rig.fleet.pid).items()}
