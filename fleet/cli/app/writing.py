"""Changing applications: create, set, edit, rename."""

from __future__ import annotations

from typing import Any

import click

from fleet.cli.app.group import app
from fleet.cli.app.source_choice import chosen_position, which_source
from fleet.cli.app.spec_flags import anything_given, spec_options
from fleet.cli.app.spec_overlay import with_flags
from fleet.cli.documents import one_document
from fleet.cli.editing import desired_part, edited
from fleet.cli.failures import tell_warnings
from fleet.cli.invocation import Invocation
from fleet.cli.options import Function, given, output_option
from fleet.cli.output import show_done
from fleet.errors import UsageError


@app.command(
    examples=(
        (
            "fleet app create web --repo https://git.example/shop.git --path web --dest-name eu-1"
            " --dest-namespace shop"
        ),
        (
            "fleet app create web --project shop --repo https://git.example/shop.git --path web"
            " --revision main --dest-name eu-1 --dest-namespace shop --sync-policy automated"
            " --auto-prune --self-heal --sync-option CreateNamespace=true"
        ),
        (
            "fleet app create db --repo https://charts.example --chart postgresql --revision '^16'"
            " --dest-name eu-1 --helm-set replicas=3"
        ),
        "fleet app create -f web.yaml --upsert",
    )
)
@click.argument("name", required=False, default="")
@click.option("-f", "--file", metavar="FILE", help="Application to start from; - is stdin.")
@click.option("--upsert", is_flag=True, help="Replace it if it exists.")
@click.option(
    "--validate",
    type=bool,
    default=True,
    show_default=True,
    metavar="BOOL",
    help="Refuse it where its project or cluster does not exist; else it waits for them.",
)
@spec_options
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def create(
    invocation: Invocation,
    /,
    name: str,
    file: str | None,
    upsert: bool,
    validate: bool,
    output: str,
    **flags: Any,
) -> None:
    """Create an application, from flags, from a file, or from both (flags win)."""
    from fleet.model.new_application import new_application

    base = one_document(file) if file else None
    named = name or str(((base or {}).get("metadata") or {}).get("name", ""))
    if not named:
        raise UsageError("the application needs a NAME")
    document = with_flags(base or new_application(named, repo_url=""), flags)
    document["metadata"]["name"] = named
    body = {"document": document, "upsert": upsert, "validate": validate}
    answer = invocation.api.post("applications", body=body)
    tell_warnings(answer.get("warnings"))
    show_done(answer["application"], "application", named, answer["action"], output)


def _move_options(function: Function) -> Function:
    function = click.option("--dry-run", is_flag=True, help="Say what would become of it.")(
        function
    )
    return click.option(
        "--move",
        type=click.Choice(["prune", "release"]),
        default=None,
        help="What becomes of its objects in a cluster that it leaves.",
    )(function)


@app.command(
    "set",
    examples=(
        "fleet app set web --revision v1.2.4",
        "fleet app set web --sync-policy none",
        "fleet app set web --kustomize-image web=registry.example/web:2",
        "fleet app set web --dest-name eu-2 --move prune --dry-run",
    ),
)
@click.argument("name")
@which_source
@spec_options
@_move_options
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def set_(
    invocation: Invocation,
    /,
    name: str,
    source_position: int | None,
    source_name: str,
    move: str | None,
    dry_run: bool,
    output: str,
    **flags: Any,
) -> None:
    """Change an application. Only what is given is changed.

    One that goes to another cluster is applied there first; what it leaves is pruned once it is
    Synced and Healthy there, or is left where it is, as --move or its finalizer says.
    """
    if not anything_given(flags):
        raise UsageError("nothing to change", hint="`fleet app set --help` lists what can be.")
    current = invocation.api.get("applications", name)
    position = chosen_position(current, source_position, source_name)
    document = with_flags(desired_part(current), flags, position=position)
    put_back(invocation, name, document, current, output, move=move, dry_run=dry_run)


@app.command(examples=("EDITOR=vim fleet app edit web",))
@click.argument("name")
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def edit(invocation: Invocation, name: str, output: str) -> None:
    """Change an application in your editor."""
    current = invocation.api.get("applications", name)
    document = edited(current, f"application-{name}")
    if document is None:
        click.echo(f"application/{name} unchanged")
    else:
        put_back(invocation, name, document, current, output)


def put_back(
    invocation: Invocation,
    name: str,
    document: Any,
    current: Any,
    output: str,
    *,
    move: str | None = None,
    dry_run: bool = False,
) -> None:
    """Write it back; refused if somebody else did so since it was read."""
    body = {
        "document": document,
        "generation": current["metadata"].get("generation"),
        **given(move=move, dryRun=dry_run or None),
    }
    answer = invocation.api.put("applications", name, body=body)
    tell_warnings(answer.get("warnings"))
    said = f"{answer['action']} (dry run)" if dry_run else answer["action"]
    show_done(answer["application"], "application", name, said, output)


@app.command(examples=("fleet app rename web web-eu", "fleet app rename web web-eu --dry-run"))
@click.argument("name")
@click.argument("new_name", metavar="NEW-NAME")
@click.option("--dry-run", is_flag=True, help="Say what would become of it.")
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def rename(invocation: Invocation, name: str, new_name: str, dry_run: bool, output: str) -> None:
    """Give an application another name. Nothing in the cluster changes; history stays.

    A Helm release that is named after the application keeps its name: helm.releaseName is
    written into the application."""
    body = {"name": new_name, **given(dryRun=dry_run or None)}
    made = invocation.api.post("applications", name, "rename", body=body)
    said = f"renamed from {name}"
    if dry_run:
        said += f" (dry run): {'; '.join(made['steps'])}"
    show_done(made, "application", new_name, said, output)
