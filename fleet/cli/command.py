"""What all commands have in common: examples, the options that hold everywhere, laziness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

from fleet.cli.invocation import Invocation


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Keep the option for whoever asks later; a later one wins: of
    ``fleet --server a app list --server b`` that is b."""
    if value not in (None, False) and param.name is not None:
        setattr(ctx.ensure_object(Invocation), param.name, value)


def everywhere(*, hidden: bool) -> list[click.Option]:
    """The options that may stand anywhere on the line, as in argocd and kubectl.

    Variables are read at the top only: below, they would beat a flag given above.
    """

    def option(*names: str, envvar: str | None = None, **rest: Any) -> click.Option:
        return click.Option(
            names,
            envvar=None if hidden else envvar,
            hidden=hidden,
            expose_value=False,
            callback=_remember,
            show_envvar=True,
            **rest,
        )

    return [
        option("--server", envvar="FLEET_SERVER", metavar="URL", help="Fleet server to talk to."),
        option(
            "--auth-token",
            envvar="FLEET_AUTH_TOKEN",
            metavar="TOKEN",
            help="API token; the variable keeps it out of the process list.",
        ),
        option("--context", metavar="NAME", help="Context to use instead of the current one."),
        option(
            "--server-crt",
            envvar="FLEET_SERVER_CRT",
            metavar="FILE",
            help="CA certificates (PEM) that sign the server's certificate.",
        ),
        option(
            "--plaintext",
            is_flag=True,
            help="Talk http to a server that is not on this machine.",
        ),
        option("--config", envvar="FLEET_CONFIG", metavar="FILE", help="Settings file (YAML)."),
    ]


class Command(click.Command):
    """A command with examples, which takes the options of ``everywhere`` too.

    Args:
        examples: command lines, shown below the help word for word.
    """

    def __init__(self, *args: Any, examples: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)
        taken = {name for param in self.params for name in (*param.opts, param.name)}
        self.params += [it for it in everywhere(hidden=True) if not taken & {*it.opts, it.name}]

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write(f"  {example}\n")
        if not isinstance(self, click.Group):
            formatter.write_paragraph()
            formatter.write("`fleet --help` lists the options that every command takes.\n")


class Group(Command, click.Group):
    """A noun: a group of ``Command``."""

    command_class = Command
    group_class = type  # a group inside a noun is a Group too

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, examples=examples, **kwargs)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            super().format_epilog(ctx, formatter)


@dataclass(frozen=True, slots=True)
class Lazy:
    """A command that is imported when it is used. ``help`` is its first line."""

    module: str
    name: str
    help: str


class LazyGroup(Group):
    """The top: its commands are known by name and first line, and imported on demand.

    Args:
        sections: title → command name → where it is.
    """

    def __init__(
        self, *args: Any, sections: Mapping[str, Mapping[str, Lazy]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.sections = sections
        self.lazy = {name: lazy for each in sections.values() for name, lazy in each.items()}
        taken = {name for param in self.params for name in param.opts}
        assert "--server" in taken, "the top shows the options that its commands hide"

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        lazy = self.lazy.get(cmd_name)
        if lazy is None:
            return None
        found = getattr(import_module(lazy.module), lazy.name)
        assert isinstance(found, click.Command)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            raise click.exceptions.NoSuchCommand(
                error.command_name, possibilities=self.lazy, ctx=ctx
            ) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for title, commands in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([(name, lazy.help) for name, lazy in commands.items()])
