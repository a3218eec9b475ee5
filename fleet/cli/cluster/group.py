"""The group that the verbs of ``fleet cluster`` join."""

from __future__ import annotations

import click

from fleet.cli.command import Group


@click.group(cls=Group)
def cluster() -> None:
    """Clusters that Fleet deploys to."""
