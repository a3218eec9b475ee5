"""Writes docs/cli.md from the program itself.

``python -m tests.rules.reference`` writes it; a test compares it with what would be written.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from fleet.cli.command import Command, LazyGroup, everywhere
from fleet.cli.program import SECTIONS, fleet

DOCS = Path(__file__).parents[2] / "docs"

CLI_INTRODUCTION = """\
# The command line

`fleet <noun> <verb>`. Written from the program by `python -m tests.rules.reference`; a test
compares the two.

## Which Fleet it talks to

1. The server of `--server` or `FLEET_SERVER`, with the token of `--auth-token` or
   `FLEET_AUTH_TOKEN` (or that of the context with the same server).
2. The context of `--context`, else the current one (`fleet login`, `fleet context`). Contexts are
   kept in `contexts.json` in your configuration directory, mode 0600.
3. The `fleet up` that runs on this machine's `FLEET_HOME`, as its administrator.
4. None of these: the command mounts the same API in its own process, on the configured or embedded
   database, and acts as `local:<your user name>`.

A token is never sent over plain http to another machine, unless `--plaintext` says so, and never to
a server that it was not given for.

## Output and exit codes

`-o table|wide|json|yaml|name`. Data goes to stdout; progress, warnings, errors and empty states go
to stderr. Colour only on terminals, never where `NO_COLOR` is set. With `-o json` or `yaml`, an
answer is one document: a list where several names or a selector were given. With `-o json`, errors
are JSON on stderr, too: `{"error": {"type", "message", "hint", "object"}}`. With `--watch`, each
change is a document of its own.

| Code | Meaning |
|---|---|
| 0 | done |
| 1 | differences (`app diff`, `db check`), not converged (`app wait`), or answered no |
| 2 | usage: flags, documents or settings that are wrong, or no terminal to ask on and no `-y` |
| 3 | failed: refused, not found, not allowed, or the sync failed |
| 4 | unreachable: server, database, cluster or repository; or no worker runs |
| 130 | interrupted |

`FLEET_DEBUG=1` shows a traceback where something fails in a way it should not.

## Options that every command takes

They may stand anywhere on the line.

"""


def commands(group: click.Group = fleet, path: str = "fleet") -> Iterator[tuple[str, Command]]:
    """Every command and group below ``group``, with its full name, in the order of its help."""
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert isinstance(found, Command), f"{path} {name}"
        yield f"{path} {name}", found
        if isinstance(found, click.Group):
            yield from commands(found, f"{path} {name}")


def options_of(command: click.Command) -> list[click.Option]:
    return [it for it in command.params if isinstance(it, click.Option) and not it.hidden]


def _option(option: click.Option, context: click.Context) -> str:
    record = option.get_help_record(context)
    assert record is not None
    names, text = record
    cells = (f"`{names}`", " ".join(text.split()))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _options(command: click.Command, path: str) -> list[str]:
    context = click.Context(command, info_name=path)
    rows = [_option(it, context) for it in options_of(command)]
    return ["| Option | |", "|---|---|", *rows, ""] if rows else []


def _command(path: str, command: Command) -> list[str]:
    context = click.Context(command, info_name=path)
    arguments = " ".join(
        it.make_metavar(context) for it in command.params if isinstance(it, click.Argument)
    )
    lines = [
        f"### `{path}{' ' + arguments if arguments else ''}`",
        "",
        inspect.cleandoc(command.help or ""),
        "",
    ]
    if command.examples:
        lines += ["```", *command.examples, "```", ""]
    return lines + _options(command, path)


def cli_reference() -> str:
    """The text of docs/cli.md."""
    context = click.Context(fleet, info_name="fleet")
    lines = [CLI_INTRODUCTION + "| Option | |", "|---|---|"]
    lines += [_option(it, context) for it in everywhere(hidden=False)]
    assert isinstance(fleet, LazyGroup)
    for title, nouns in SECTIONS.items():
        lines += ["", f"## {title}", ""]
        for path, command in commands():
            is_plain = not isinstance(command, click.Group) or command.invoke_without_command
            if path.split()[1] in nouns and is_plain:
                lines += _command(path, command)
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    (DOCS / "cli.md").write_text(cli_reference(), encoding="utf-8")


if __name__ == "__main__":
    main()
