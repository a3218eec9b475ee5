"""Operators of message brokers: Strimzi, RabbitMQ, NATS, Confluent, Redpanda."""

from __future__ import annotations

from collections.abc import Mapping

from fleet.health.rules import Judge, Rule, words

_ANY = frozenset({"*"})
#: Strimzi says NotReady, true, where others say that Ready is false.
_STRIMZI = Rule(
    held=("ReconciliationPaused",),
    failing=("NotReady",),
    passing=frozenset({"Creating"}),
    wanted=("Ready",),
    pending=_ANY,
)
#: What Cruise Control is doing is the type of the one condition that is true.
_REBALANCE = Rule(
    held=("ProposalReady", "ReconciliationPaused", "Stopped"),
    failing=("NotReady",),
    doing=("New", "PendingProposal", "Rebalancing"),
    wanted=("Ready",),
)
_RABBIT = Rule(wanted=("Ready",), pending=frozenset({"UnableToRetrieve"}))

TABLE: Mapping[str, Mapping[str, Judge]] = {
    "kafka.strimzi.io": {"KafkaRebalance": _REBALANCE, "*": _STRIMZI},
    "core.strimzi.io": {"StrimziPodSet": Rule(absent=None)},
    "access.strimzi.io": {"*": _STRIMZI},
    "rabbitmq.com": {
        "RabbitmqCluster": Rule(
            wanted=("ReconcileSuccess", "ClusterAvailable", "AllReplicasReady"),
            pending=frozenset({"NotAllPodsReady", "Initialising", "NoEndpointsAvailable"}),
        ),
        "*": _RABBIT,
    },
    "jetstream.nats.io": {"*": Rule(wanted=("Ready",), pending=frozenset({"Reconciling"}))},
    "platform.confluent.io": {
        "*": Rule(
            said=(
                words(
                    healthy=("RUNNING", "CREATED"),
                    degraded=("ERROR", "FAILED"),
                ),
                words(
                    path="status.state",
                    healthy=("CREATED", "Created"),
                    degraded=("ERROR", "FAILED", "Failed"),
                ),
            ),
        ),
    },
    "cluster.redpanda.com": {
        "*": Rule(wanted=("Ready",), pending=_ANY),
    },
    "pulsar.streamnative.io": {"*": Rule(wanted=("Ready",), pending=_ANY)},
    "resource.streamnative.io": {"*": Rule(wanted=("Ready",))},
    "broker.amq.io": {
        "ActiveMQArtemis": Rule(failing=("Invalid",), wanted=("Deployed", "Ready"), pending=_ANY),
    },
}
