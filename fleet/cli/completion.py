"""``fleet completion``: what makes the TAB key work."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from fleet.cli.command import Command

SHELLS = ("bash", "zsh", "fish")


@click.command(
    cls=Command,
    examples=(
        'eval "$(fleet completion bash)"      # in ~/.bashrc',
        'eval "$(fleet completion zsh)"       # in ~/.zshrc',
        "fleet completion fish > ~/.config/fish/completions/fleet.fish",
    ),
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell."""
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(ctx.find_root().command, {}, "fleet", "_FLEET_COMPLETE").source())
