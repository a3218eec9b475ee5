"""The sources of an application, and its document part by part: add-source, remove-source,
unset, patch."""

from __future__ import annotations

import copy
from typing import Any

import click

from fleet.cli.app.group import app
from fleet.cli.app.page import sources_of
from fleet.cli.app.patches import patched
from fleet.cli.app.source_choice import chosen_position, which_source
from fleet.cli.app.spec_flags import anything_given, spec_options
from fleet.cli.app.spec_overlay import with_flags
from fleet.cli.app.spec_removal import removal_options, without
from fleet.cli.app.writing import put_back
from fleet.cli.asking import confirm
from fleet.cli.editing import desired_part
from fleet.cli.invocation import Invocation
from fleet.cli.options import output_option, yes_option
from fleet.errors import UsageError

Document = dict[str, Any]


@app.command(
    "add-source",
    examples=(
        (
            "fleet app add-source web --repo https://git.example/values.git --revision main"
            " --ref values"
        ),
        (
            "fleet app add-source web --repo https://charts.example --chart redis --revision 19.0.1"
            " --source-name cache"
        ),
    ),
)
@click.argument("name")
@click.option("--source-name", default="", metavar="NAME", help="What the new source is called.")
@click.option("--ref", default="", metavar="NAME", help="Others may use its files as $NAME.")
@spec_options
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def add_source(
    invocation: Invocation, /, name: str, source_name: str, ref: str, output: str, **flags: Any
) -> None:
    """Add a source to an application; one that had one source has several from now on."""
    if not flags["repo"]:
        raise UsageError("the source needs --repo URL")
    made = with_flags({"spec": {}}, flags)
    source = made["spec"].pop("source")
    _refuse_other(made)
    source |= {key: value for key, value in (("name", source_name), ("ref", ref)) if value}
    current = invocation.api.get("applications", name)
    document = desired_part(current)
    _put_sources(document, [*sources_of(document), source])
    put_back(invocation, name, document, current, output)


def _refuse_other(made: Document) -> None:
    """Raises UsageError for flags that are not about a source."""
    spec = {key for key, value in made["spec"].items() if value}
    if spec or made.get("metadata"):
        raise UsageError(
            "only flags of a source go with add-source",
            hint="`fleet app set` changes the rest of an application.",
        )


def _put_sources(document: Document, sources: list[Any]) -> None:
    document["spec"].pop("source", None)
    document["spec"]["sources"] = sources


@app.command(
    "remove-source",
    examples=(
        "fleet app remove-source web --source-position 2 -y",
        "fleet app remove-source web --source-name cache -y",
    ),
)
@click.argument("name")
@which_source
@yes_option()
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def remove_source(
    invocation: Invocation,
    name: str,
    source_position: int | None,
    source_name: str,
    yes: bool,
    output: str,
) -> None:
    """Take one of several sources out of an application."""
    current = invocation.api.get("applications", name)
    document = desired_part(current)
    position = chosen_position(document, source_position, source_name)
    sources = sources_of(document)
    if not position:
        raise UsageError("say which source, with --source-position or --source-name")
    if len(sources) < 2:
        raise UsageError("an application needs a source, and this is its only one")
    confirm(f"Take source {position} out of {name}?", yes=yes)
    _put_sources(document, [it for index, it in enumerate(sources, 1) if index != position])
    put_back(invocation, name, document, current, output)


@app.command(
    examples=(
        "fleet app unset web --parameter replicas --values values-eu.yaml",
        "fleet app unset web --kustomize-image web --nameprefix",
        "fleet app unset web --source-position 2 --values-literal",
    )
)
@click.argument("name")
@which_source
@removal_options
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def unset(
    invocation: Invocation,
    /,
    name: str,
    source_position: int | None,
    source_name: str,
    output: str,
    **flags: Any,
) -> None:
    """Take parameters out of an application."""
    if not anything_given({key: value or None for key, value in flags.items()}):
        raise UsageError("nothing to take out", hint="`fleet app unset --help` lists what can be.")
    current = invocation.api.get("applications", name)
    document = copy.deepcopy(desired_part(current))
    sources = sources_of(document)
    position = chosen_position(document, source_position, source_name)
    if len(sources) > 1 and not position:
        raise UsageError(
            f"the application has {len(sources)} sources",
            hint="Say which one with --source-position, counted from 1, or --source-name.",
        )
    index = max(position, 1) - 1
    changed = without(dict(sources[index]), flags)
    if document["spec"].get("sources"):
        document["spec"]["sources"][index] = changed
    else:
        document["spec"]["source"] = changed
    put_back(invocation, name, document, current, output)


@app.command(
    examples=(
        (
            """fleet app patch web --patch '{"spec": {"source": {"targetRevision": "v2"}}}' """
            "--type merge"
        ),
        """fleet app patch web --patch '[{"op": "remove", "path": "/spec/syncPolicy"}]'""",
    )
)
@click.argument("name")
@click.option("--patch", required=True, metavar="TEXT", help="The patch, as JSON or YAML.")
@click.option(
    "--type",
    "kind",
    type=click.Choice(["json", "merge"]),
    default="json",
    show_default=True,
    help="JSON patch (RFC 6902), or merge patch (RFC 7386).",
)
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def patch(invocation: Invocation, name: str, patch: str, kind: str, output: str) -> None:
    """Change an application by a patch of its document."""
    current = invocation.api.get("applications", name)
    document = desired_part(current)
    put_back(invocation, name, patched(document, patch, kind), current, output)
