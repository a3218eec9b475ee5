"""``fleet app adopt``: taking over what Argo CD deployed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from fleet.cli.app.diffing import unified
from fleet.cli.app.following import Following, carry_out, conclude
from fleet.cli.app.group import app
from fleet.cli.app.page import object_name
from fleet.cli.asking import confirm
from fleet.cli.failures import show
from fleet.cli.invocation import Invocation
from fleet.cli.options import given, output_option, yes_option
from fleet.cli.output import printable, styled, to_json, to_yaml
from fleet.cli.progress import spinner
from fleet.errors import Refused

POLICIES = ("Always", "IfNoDiff", "Never")
#: Said before and after: what is left for whoever goes back.
LEFT = "Argo CD's marks stay on the objects, so that it knows them again."


@app.command(
    examples=(
        "fleet app adopt web --dry-run",
        "fleet app adopt web --policy IfNoDiff -y",
        "fleet app adopt web --from shop-web --from argocd_web",
        "fleet app adopt web --prune",
    )
)
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Show the plan and do nothing.")
@click.option(
    "--policy",
    type=click.Choice(POLICIES),
    default="Always",
    show_default=True,
    help="Of what is there: take it over; only if nothing of it changes; not at all.",
)
@click.option(
    "--from",
    "origins",
    multiple=True,
    metavar="NAME",
    help="Also what this application of Argo CD has, NAME or NAMESPACE_NAME; * for any;"
    " repeatable.  [default: its own name]",
)
@click.option(
    "--installation", metavar="ID", help="Id of that Argo CD.  [default: as its argocd-cm says]"
)
@click.option(
    "--prune", is_flag=True, help="Also delete what it has and Git does not hold, as the plan says."
)
@click.option("--async", "detached", is_flag=True, help="Do not wait for it.")
@click.option("--timeout", type=click.IntRange(0), default=0, help="Seconds; 0 waits on.")
@yes_option()
@output_option("table", "json", "yaml", "name")
@click.pass_context
def adopt(
    ctx: click.Context,
    /,
    name: str,
    dry_run: bool,
    policy: str,
    origins: tuple[str, ...],
    installation: str | None,
    prune: bool,
    detached: bool,
    timeout: int,
    yes: bool,
    output: str,
) -> None:
    """Take over what Argo CD deployed, without restarting anything.

    Shows the plan first: what is there, which application of Argo CD has it, who wrote its fields,
    and what would change. Fields that Argo CD and `kubectl apply` wrote become Fleet's; those of
    others are conflicts, and nothing is taken over then. Hooks do not run. Objects that Argo CD's
    application has and Git does not hold are shown; they stay, unless --prune asks for their end.

    Exits 3 when it may not be done as told.
    """
    invocation = ctx.ensure_object(Invocation)
    asked = given(policy=policy, installation=installation, **{"from": list(origins)})
    with spinner(f"Asking the cluster about {name}"):
        plan = invocation.api.get("applications", name, "adoption", query=asked)
    if dry_run or output == "table":
        _show_plan(plan, output, prune=prune)
    if plan["refused"]:
        refused = Refused(
            f"Application/{name}: nothing is taken over: {plan['refused']}",
            object=f"Application/{name}",
        )
        show(refused, output)
        ctx.exit(refused.exit_code)
    if dry_run:
        return
    gone = [it for it in plan["leftovers"] if it["prunable"]] if prune else []
    deleted = f" and delete {len(gone)} that Git does not hold" if gone else ""
    confirm(f"Take over the objects of {name}{deleted}?", yes=yes)
    started = invocation.api.post("applications", name, "adopt", body={**asked, "prune": prune})
    how = Following(wait=not detached, timeout=timeout, output=output)
    conclude(ctx, carry_out(invocation, [started], how), output)


def _show_plan(plan: Mapping[str, Any], output: str, *, prune: bool) -> None:
    if output in ("json", "yaml"):
        click.echo(to_json(plan) if output == "json" else to_yaml(plan))
        return
    for item in plan["items"]:
        click.echo(styled(printable(f"{object_name(item)}  {_fate(item)}"), "cyan"))
        if output == "name":
            continue
        if item["managers"]:
            click.echo(printable(f"  fields of: {', '.join(item['managers'])}"))
        for line in unified(item["diff"]) if item["diff"] else ():
            click.echo(f"  {line}")
    for item in plan["leftovers"]:
        what = "prunable" if item["prunable"] else f"kept by {item['message']}"
        fate = "would be pruned" if prune and item["prunable"] else "is left"
        click.echo(
            printable(f"{object_name(item)}  {fate}, not in Git ({item['trackedBy']}; {what})")
        )
    for error in plan["errors"]:
        click.echo(printable(f"{error['object']}  cannot be told: {error['message']}"))
    if plan["unread"]:
        click.echo(printable(f"not listed, so not known: {', '.join(plan['unread'])}"))
    click.echo(LEFT)


def _fate(item: Mapping[str, Any]) -> str:
    if item["refused"]:
        return f"is not taken over: {item['refused']}"
    if not item["exists"]:
        return "would be created"
    if item["owned"]:
        return "is Fleet's already"
    whose = f" from {item['trackedBy']}" if item["trackedBy"] else ""
    changed = "and changed" if item["diff"] else "as it is"
    return f"would be taken over{whose}, {changed}"
