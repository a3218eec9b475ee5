"""Changing applications: create, set, edit, rename, delete."""

from __future__ import annotations

from typing import Any

import click

from fleet.cli.app.group import app, chosen_names
from fleet.cli.app.spec_flags import anything_given, spec_options
from fleet.cli.app.spec_overlay import with_flags
from fleet.cli.app.waiting import Patience, await_gone
from fleet.cli.asking import confirm_by_name
from fleet.cli.documents import one_document
from fleet.cli.editing import desired_part, edited
from fleet.cli.failures import tell_warnings
from fleet.cli.invocation import Invocation
from fleet.cli.options import output_option, selector_option, yes_option
from fleet.cli.output import show_done, shown_together
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


@app.command(
    "set",
    examples=(
        "fleet app set web --revision v1.2.4",
        "fleet app set web --sync-policy none",
        "fleet app set web --kustomize-image web=registry.example/web:2",
    ),
)
@click.argument("name")
@click.option(
    "--source-position", type=click.IntRange(1), default=None, help="Which of several sources."
)
@spec_options
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def set_(
    invocation: Invocation, /, name: str, source_position: int | None, output: str, **flags: Any
) -> None:
    """Change an application. Only what is given is changed."""
    if not anything_given(flags):
        raise UsageError("nothing to change", hint="`fleet app set --help` lists what can be.")
    current = invocation.api.get("applications", name)
    document = with_flags(desired_part(current), flags, position=source_position or 0)
    _put(invocation, name, document, current, output)


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
        _put(invocation, name, document, current, output)


def _put(invocation: Invocation, name: str, document: Any, current: Any, output: str) -> None:
    """Write it back; refused if somebody else did so since it was read."""
    body = {"document": document, "generation": current["metadata"].get("generation")}
    answer = invocation.api.put("applications", name, body=body)
    tell_warnings(answer.get("warnings"))
    show_done(answer["application"], "application", name, answer["action"], output)


@app.command(examples=("fleet app rename web web-eu",))
@click.argument("name")
@click.argument("new_name", metavar="NEW-NAME")
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def rename(invocation: Invocation, name: str, new_name: str, output: str) -> None:
    """Give an application another name. Nothing in the cluster changes; history stays.

    A Helm release that is named after the application keeps its name: helm.releaseName is
    written into the application."""
    made = invocation.api.post("applications", name, "rename", body={"name": new_name})
    show_done(made, "application", new_name, f"renamed from {name}", output)


@app.command(
    examples=(
        "fleet app delete web",
        "fleet app delete web --cascade=false -y",
        "fleet app delete -l team=web -y --wait",
    )
)
@click.argument("names", nargs=-1, metavar="NAME...")
@selector_option("applications")
@click.option(
    "--cascade", type=bool, default=True, show_default=True, help="Delete its objects, too."
)
@click.option(
    "-p",
    "--propagation-policy",
    "propagation",
    type=click.Choice(["foreground", "background", "orphan"]),
    default="foreground",
    show_default=True,
    help="How Kubernetes deletes what objects own.",
)
@click.option("--wait", is_flag=True, help="Until it is gone.")
@click.option("--timeout", type=click.IntRange(0), default=0, help="Seconds; 0 waits on.")
@yes_option()
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def delete(
    invocation: Invocation,
    names: tuple[str, ...],
    selector: str,
    yes: bool,
    output: str,
    wait: bool,
    timeout: int,
    cascade: bool,
    propagation: str,
) -> None:
    """Delete applications with everything they applied (or, with --cascade=false, without)."""
    chosen = chosen_names(invocation, names, selector)
    for name in chosen:
        what = "and every object it applied" if cascade else "and not its objects"
        confirm_by_name(f"Application {name} {what} will be deleted", name, yes=yes)
    query = {"cascade": str(cascade).lower(), "propagationPolicy": propagation}
    with shown_together("application", output, many=len(names) != 1) as show:
        for name in chosen:
            answer = invocation.api.delete("applications", name, query=query)
            gone = answer["operation"] is None
            if wait and not gone:
                await_gone(invocation, name, Patience(timeout))
                gone = True
            show(answer, name, "deleted" if gone else "deleting")
