"""Prometheus metrics, each with the question that it answers."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

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


def exposition() -> bytes:
    """All of it in Prometheus' text format."""
    return generate_latest(REGISTRY)
