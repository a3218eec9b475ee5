"""The noun ``sandbox``."""

from __future__ import annotations

import click

from fleet.cli.command import Group


@click.group(
    cls=Group,
    examples=(
        "fleet sandbox up --clusters 10",
        "fleet sandbox list",
        "fleet sandbox break eu-1 --how unreachable",
    ),
)
def sandbox() -> None:
    """Clusters to try things on.

    They speak the Kubernetes API and run nothing: Pods become ready, fail or end as their
    annotations say. One process serves all of them on this machine's loopback.
    """
