"""Prometheus metrics, each with the question that it answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

REGISTRY = CollectorRegistry()

JOBS = Counter(
    "fleet_jobs", "How many jobs ran, and how did they end?", ["task", "outcome"], registry=REGISTRY
)
PASSES = Counter(
    "fleet_cluster_passes",
    "How many passes ran, and how did they end?",
    ["outcome"],
    registry=REGISTRY,
)
PASS_SECONDS = Histogram(
    "fleet_cluster_pass_seconds", "How long does a pass over a cluster take?", registry=REGISTRY
)
CLUSTER_REQUESTS = Counter(
    "fleet_cluster_requests", "What is asked of clusters?", ["verb", "kind"], registry=REGISTRY
)
OPERATIONS = Counter(
    "fleet_operations",
    "How many operations ended, and how?",
    ["kind", "trigger", "phase"],
    registry=REGISTRY,
)
RENDERS = Counter("fleet_renders", "How many renders ran, by tool?", ["tool"], registry=REGISTRY)
FETCHES = Counter(
    "fleet_fetches", "How many fetches, and how did they end?", ["outcome"], registry=REGISTRY
)
POLLS = Counter(
    "fleet_polls",
    "How many polls of repositories, and how did they end?",
    ["outcome"],
    registry=REGISTRY,
)
WATCHES = Gauge("fleet_watches", "How many watches are open here?", registry=REGISTRY)
LEADER = Gauge("fleet_leader", "Is this process the leader?", registry=REGISTRY)


#: What only the leader shows, of the whole fleet. Name → the question that it answers.
WHOLE: Mapping[str, str] = {
    "fleet_workers": "How many workers live?",
    "fleet_jobs_waiting": "How many wake-ups wait for a worker that is there?",
    "fleet_oldest_job_seconds": "For how long has the oldest of them waited?",
    "fleet_clusters": "How many clusters are in which state?",
    "fleet_oldest_reading_seconds": "How old is the oldest reading of a cluster that is read?",
    "fleet_repositories_failing": "How many repositories do not answer, or refuse us?",
    "fleet_soonest_token_end_seconds": "When does the first token end that Fleet renews?",
}


class Whole(Collector):
    """Gauges of the whole fleet, shown by one process at a time: the leader."""

    def __init__(self) -> None:
        self._shown: Mapping[str, float | Mapping[str, float]] = {}

    def show(self, values: Mapping[str, float | Mapping[str, float]]) -> None:
        """Show these from now on, and no other; a mapping is one figure a state."""
        self._shown = dict(values)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, value in self._shown.items():
            if isinstance(value, Mapping):
                family = GaugeMetricFamily(name, WHOLE[name], labels=["state"])
                for state, count in sorted(value.items()):
                    family.add_metric([state], count)
                yield family
            else:
                yield GaugeMetricFamily(name, WHOLE[name], value=value)


FLEET = Whole()
REGISTRY.register(FLEET)


def exposition() -> bytes:
    """All of it in Prometheus' text format."""
    return generate_latest(REGISTRY)
