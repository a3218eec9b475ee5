"""``fleet cluster``: the clusters that Fleet deploys to. Its verbs register themselves."""

from fleet.cli.cluster import adding, caring, viewing
from fleet.cli.cluster.group import cluster

__all__ = ["adding", "caring", "cluster", "viewing"]
