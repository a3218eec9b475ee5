"""Changing a document in the user's editor."""

from __future__ import annotations

from typing import Any

import click

from fleet.cli.asking import interactive
from fleet.cli.documents import parsed_text
from fleet.cli.output import to_yaml
from fleet.errors import UsageError

_WRITTEN_BY_FLEET = ("uid", "generation", "creationTimestamp", "resourceVersion")


def desired_part(document: dict[str, Any]) -> dict[str, Any]:
    """Without what Fleet writes into it: status, and some of the metadata."""
    kept = {key: value for key, value in document.items() if key != "status"}
    metadata = document.get("metadata") or {}
    kept["metadata"] = {k: v for k, v in metadata.items() if k not in _WRITTEN_BY_FLEET}
    return kept


def edited(document: dict[str, Any], name: str) -> dict[str, Any] | None:
    """What the user made of it; None when nothing was changed.

    Raises:
        UsageError: there is no terminal for an editor.
        SpecInvalid: the text is no YAML any more.
    """
    if not interactive():
        raise UsageError(
            "an editor needs a terminal", hint="Use `fleet apply -f`, or the `set` command."
        )
    before = desired_part(document)
    text = click.edit(to_yaml(before) + "\n", extension=".yaml")
    if text is None:
        return None
    after = parsed_text(text, f"{name}.yaml")
    return None if after == before else after
