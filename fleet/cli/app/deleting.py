"""``fleet app delete``: applications go, with or without what they applied."""

from __future__ import annotations

import click

from fleet.cli.app.group import app, chosen_names
from fleet.cli.app.waiting import Patience, await_gone
from fleet.cli.asking import confirm_by_name
from fleet.cli.invocation import Invocation
from fleet.cli.options import output_option, query, selector_option, yes_option
from fleet.cli.output import shown_together
from fleet.errors import UsageError


@app.command(
    examples=(
        "fleet app delete web",
        "fleet app delete web --cascade=false -y",
        "fleet app delete -l team=web -y --wait",
        "fleet app delete web --force-forget",
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
    default=None,
    help="How Kubernetes deletes what objects own; as its finalizers say unless given.",
)
@click.option(
    "--force-forget",
    "forget",
    is_flag=True,
    help="Leave its objects where they are, whatever is at work: the cluster is gone for good.",
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
    propagation: str | None,
    forget: bool,
) -> None:
    """Delete applications with everything they applied (or, with --cascade=false, without).

    A deletion waits for a cluster that does not answer, and goes on by itself; see the conditions
    of `fleet app get`.
    """
    if forget and propagation:
        raise UsageError("--force-forget deletes nothing: it excludes --propagation-policy")
    chosen = chosen_names(invocation, names, selector)
    what = "and every object it applied" if cascade and not forget else "and not its objects"
    for name in chosen:
        confirm_by_name(f"Application {name} {what} will be deleted", name, yes=yes)
    asked = query(
        {
            "cascade": str(cascade).lower(),
            "propagationPolicy": propagation,
            "forceForget": "true" if forget else "",
        }
    )
    with shown_together("application", output, many=len(names) != 1) as show:
        for name in chosen:
            answer = invocation.api.delete("applications", name, query=asked)
            gone = answer["operation"] is None
            if wait and not gone:
                await_gone(invocation, name, Patience(timeout))
                gone = True
            left = f", {answer['left']} objects left where they are" if forget else ""
            show(answer, name, f"deleted{left}" if gone else "deleting")
