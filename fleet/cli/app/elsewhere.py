"""Syncing to something else than the application follows, and looking at it beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from fleet.cli.app.diffing import show_diff
from fleet.cli.app.source_choice import position_of
from fleet.cli.asking import confirm
from fleet.cli.invocation import Invocation
from fleet.cli.options import given
from fleet.errors import UsageError

ELSEWHERE_OPTIONS = (
    click.option("--revision", default="", metavar="REV", help="To this one, of its first source."),
    click.option(
        "--revisions",
        multiple=True,
        metavar="REV",
        help="To this one, of the source named beside it; repeatable.",
    ),
    click.option(
        "--source-positions",
        multiple=True,
        type=click.IntRange(1),
        help="Which source --revisions is of, counted from 1; repeatable.",
    ),
    click.option(
        "--source-names",
        multiple=True,
        metavar="NAME",
        help="Which source --revisions is of, by its name; repeatable.",
    ),
    click.option("--local", metavar="DIR", help="To what this directory renders to."),
    click.option(
        "--local-repo-root", metavar="DIR", help="Root of its repository.  [default: where .git is]"
    ),
)
_KEYS = ("revision", "revisions", "sourcePositions", "manifests")


def elsewhere(invocation: Invocation, name: str, flags: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a request that says to what to sync an application; {}: to what it follows.

    Raises:
        UsageError: flags that do not go together, or a source that it has not.
    """
    revisions, names = flags["revisions"], flags["source_names"]
    positions = list(flags["source_positions"])
    if names and positions:
        raise UsageError("--source-names and --source-positions exclude each other")
    if len(revisions) != len(names or positions):
        raise UsageError("each --revisions needs its --source-positions or --source-names")
    if flags["local"] and (flags["revision"] or revisions):
        raise UsageError("--local excludes --revision and --revisions")
    if names:
        positions = [_position(invocation, name, source) for source in names]
    manifests = None
    if flags["local"]:
        from fleet.cli.app.local_render import rendered

        root = flags["local_repo_root"]
        folder = Path(flags["local"])
        manifests = rendered(invocation, name, folder, Path(root) if root else None)
    asked = given(revision=flags["revision"], revisions=list(revisions), sourcePositions=positions)
    # no manifests at all are something, too
    return asked if manifests is None else {**asked, "manifests": manifests}


def _position(invocation: Invocation, name: str, source: str) -> int:
    return position_of(invocation.api.get("applications", name), source)


def preview(invocation: Invocation, bodies: Mapping[str, dict[str, Any]], *, yes: bool) -> None:
    """Show what syncs would change, and go on only after a yes."""
    for name, body in bodies.items():
        asked = {key: body[key] for key in _KEYS if key in body}
        answer = invocation.api.post("applications", name, "diff", body=asked)
        show_diff(answer, "table", side_by_side=False)
    confirm(f"Sync {', '.join(bodies)}?", yes=yes)
