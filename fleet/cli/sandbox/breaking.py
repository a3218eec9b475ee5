"""Breaking clusters on purpose, and healing them."""

from __future__ import annotations

import click

from fleet.cli.invocation import Invocation
from fleet.cli.sandbox.group import sandbox
from fleet.cli.sandbox.place import Place

#: How a cluster can be broken; what its clients see then.
WAYS = {
    "unreachable": "it answers nothing at all",
    "slow": "it answers, seconds late",
    "500": "it answers every request with an internal error",
    "401": "it knows no token any more",
    "readonly": "it refuses what would write",
    "full": "its storage takes nothing more",
}


@sandbox.command(
    "break",
    examples=(
        "fleet sandbox break eu-1 --how unreachable",
        "fleet sandbox break eu-1 us-2 --how slow",
    ),
)
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option(
    "--how",
    type=click.Choice(list(WAYS)),
    default="unreachable",
    show_default=True,
    help="What goes wrong from now on.",
)
@click.pass_obj
def break_(invocation: Invocation, names: tuple[str, ...], how: str) -> None:
    """Break clusters until they are healed.

    unreachable: nothing is answered, and requests hang. slow: every answer is seconds late.
    500 and 401: every request fails that way. readonly: writes are refused. full: writes fail
    as they do where the storage of a cluster is full.
    """
    for name in _set(invocation, names, how):
        click.echo(f"{name} is broken: {WAYS[how]}. `fleet sandbox heal {name}` ends it.")


@sandbox.command(examples=("fleet sandbox heal eu-1", "fleet sandbox heal --all"))
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All that are broken.")
@click.pass_obj
def heal(invocation: Invocation, names: tuple[str, ...], every: bool) -> None:
    """Let broken clusters work again."""
    from fleet.errors import UsageError

    if bool(names) == every:
        raise UsageError("name the clusters to heal, or say --all")
    for name in _set(invocation, names, ""):
        click.echo(f"{name} works again.")


def _set(invocation: Invocation, names: tuple[str, ...], how: str) -> list[str]:
    """Without names, those that are broken now."""
    from fleet.cli.sandbox.control import running
    from fleet.cli.sandbox.viewing import choose

    with running(Place(invocation.settings.home)) as control:
        clusters = control.clusters()
        chosen = choose(clusters, names) if names else [it for it in clusters if it["broken"]]
        for each in chosen:
            control.set_broken(each["name"], how)
    return [str(it["name"]) for it in chosen]
