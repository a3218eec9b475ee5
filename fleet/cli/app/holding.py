"""Going back and holding back: rollback, pause, resume."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from fleet.cli.app.following import Following, carry_out, conclude
from fleet.cli.app.group import app, chosen_names
from fleet.cli.app.terms import terms_of, terms_options
from fleet.cli.asking import confirm
from fleet.cli.invocation import Invocation
from fleet.cli.options import Function, given, output_option, selector_option, yes_option
from fleet.cli.output import shown_together
from fleet.cli.times import Moment
from fleet.errors import NotFound

SWITCHES = ("deploy", "self-heal", "prune")


@app.command(
    examples=(
        "fleet app rollback web",
        "fleet app rollback web 3 --prune -y",
        "fleet app rollback web 3 --until 12h --reason 'v7 is slow'",
    )
)
@click.argument("name")
@click.argument("number", type=click.IntRange(0), required=False, metavar="[ID]")
@click.option("--prune", is_flag=True, help="Delete what was not there then.")
@click.option("--dry-run", is_flag=True, help="Ask the cluster without changing it.")
@terms_options
@click.option("--async", "detached", is_flag=True, help="Do not wait for it.")
@click.option("--timeout", type=click.IntRange(0), default=0, help="Seconds; 0 waits on.")
@yes_option()
@output_option("table", "json", "yaml", "name")
@click.pass_context
def rollback(
    ctx: click.Context,
    /,
    name: str,
    number: int | None,
    prune: bool,
    dry_run: bool,
    detached: bool,
    timeout: int,
    yes: bool,
    output: str,
    **flags: Any,
) -> None:
    """Apply what was deployed earlier: an ID of `fleet app history`, or what ran before.

    It is the stored manifests that are applied, with their hooks: the repository is not asked,
    and need not be there any more. Where auto-sync is on they stay what is wanted, until
    `fleet app resume`, or --until.
    """
    invocation = ctx.ensure_object(Invocation)
    terms = terms_of(flags)
    if number is None:
        number = _previous(invocation, name)
    confirm(f"Roll {name} back to deployment {number}?", yes=yes)
    body = {"id": number, "prune": prune, "dryRun": dry_run, **terms}
    started = invocation.api.post("applications", name, "rollback", body=body)
    how = Following(wait=not detached, timeout=timeout, output=output)
    conclude(ctx, carry_out(invocation, [started], how), output)


def _previous(invocation: Invocation, name: str) -> int:
    """The deployment before the one that runs.

    Raises:
        NotFound: there is none.
    """
    newest = invocation.api.items("applications", name, "history", most=2)
    if len(newest) < 2:
        raise NotFound(
            f"Application/{name}: nothing was deployed before what runs",
            hint=f"`fleet app history {name}` lists what was deployed.",
            object=f"Application/{name}",
        )
    return int(newest[1]["id"])


def _only_option(what: str) -> Callable[[Function], Function]:
    def add(function: Function) -> Function:
        return click.option(
            "--only",
            "switches",
            multiple=True,
            type=click.Choice(SWITCHES),
            help=f"{what}; repeatable.  [default: all]",
        )(function)

    return add


@app.command(
    examples=(
        "fleet app pause web --reason 'trade fair' --until 8h",
        "fleet app pause web --only prune --reason 'somebody looks into it'",
        "fleet app pause -l team=web --only deploy --reason freeze",
    )
)
@click.argument("names", nargs=-1, metavar="NAME...")
@selector_option("applications")
@click.option("--reason", required=True, help="Why; shown to everyone who looks.")
@click.option("--until", type=Moment(ahead=True), help="Resume by itself: in 2h, or at a time.")
@_only_option("Hold back only this")
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def pause(
    invocation: Invocation,
    names: tuple[str, ...],
    selector: str,
    reason: str,
    until: str | None,
    switches: tuple[str, ...],
    output: str,
) -> None:
    """Have nothing done by itself: no commit deployed, no drift healed, nothing pruned.

    People may sync all the same. What was held back follows when it is resumed.
    """
    body = {"reason": reason, **given(until=until, only=list(switches))}
    said = f"paused{f' until {until}' if until else ''}"
    with shown_together("application", output, many=len(names) != 1) as show:
        for name in chosen_names(invocation, names, selector):
            show(invocation.api.post("applications", name, "pause", body=body), name, said)


@app.command(examples=("fleet app resume web", "fleet app resume web --only prune"))
@click.argument("names", nargs=-1, metavar="NAME...")
@selector_option("applications")
@_only_option("Go on only with this")
@output_option("table", "json", "yaml", "name")
@click.pass_obj
def resume(
    invocation: Invocation,
    names: tuple[str, ...],
    selector: str,
    switches: tuple[str, ...],
    output: str,
) -> None:
    """Go on with what was paused; follow Git again after a rollback or a sync elsewhere."""
    body = given(only=list(switches))
    with shown_together("application", output, many=len(names) != 1) as show:
        for name in chosen_names(invocation, names, selector):
            show(invocation.api.post("applications", name, "resume", body=body), name, "resumed")
