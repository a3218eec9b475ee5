"""Every command and flag is documented, and ``--help`` loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from fleet.cli.command import Command
from fleet.cli.program import SECTIONS
from tests.rules.reference import DOCS, cli_reference, commands, options_of

HOW = "run `python -m tests.rules.reference`"
ALL = dict(commands())
LEAVES = {path: it for path, it in ALL.items() if not isinstance(it, click.Group)}
HEAVY = ("sqlalchemy", "fastapi", "kubernetes", "aiohttp", "git", "procrastinate", "httpx", "rich")
LOOK = """
import sys
from fleet.cli.program import run
code = run(sys.argv[1:])
print(sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
sys.exit(code)
"""


def test_the_reference_of_commands_is_the_program() -> None:
    assert (DOCS / "cli.md").read_text(encoding="utf-8") == cli_reference(), HOW


@pytest.mark.parametrize("path", LEAVES, ids=str)
def test_a_command_is_explained(path: str) -> None:
    command = LEAVES[path]
    assert (command.help or "").strip().split("\n")[0].endswith("."), "the first line is a sentence"
    assert command.examples, "shows how it is used"
    for example in command.examples:
        assert path in example, f"{example!r} is about something else"
    unexplained = [it.name for it in options_of(command) if not it.help]
    assert unexplained == []


@pytest.mark.parametrize("path", ALL, ids=str)
def test_help_can_be_shown(path: str) -> None:
    context = click.Context(ALL[path], info_name=path)
    shown = ALL[path].get_help(context)
    assert shown.startswith("Usage: ")
    if ALL[path].examples:
        assert ALL[path].examples[0] in shown


@pytest.mark.parametrize("path", ALL, ids=str)
def test_no_option_takes_the_place_of_another(path: str) -> None:
    names = [it.name for it in ALL[path].params]
    assert len(names) == len(set(names))
    spelt = [option for it in ALL[path].params for option in (*it.opts, *it.secondary_opts)]
    assert len(spelt) == len(set(spelt))


@pytest.mark.parametrize(
    "path", [p for p, it in LEAVES.items() if p.split()[-1] in ("list", "get")], ids=str
)
def test_what_can_be_listed_can_be_printed_in_every_form(path: str) -> None:
    output = next(it for it in LEAVES[path].params if it.name == "output")
    assert isinstance(output.type, click.Choice)
    assert tuple(output.type.choices) == ("table", "wide", "json", "yaml", "name")


#: What is printed as a table of many rows, beside everything called ``list``.
LISTS = {
    "fleet account list-tokens",
    "fleet app events",
    "fleet app history",
    "fleet app resources",
    "fleet audit changes",
    "fleet daemon jobs",
    "fleet daemon workers",
}


@pytest.mark.parametrize(
    "path", [p for p in LEAVES if p in LISTS or p.split()[-1] == "list"], ids=str
)
def test_what_can_be_listed_can_be_watched(path: str) -> None:
    assert any("--watch" in it.opts for it in LEAVES[path].params)


@pytest.mark.parametrize("path", LEAVES, ids=str)
def test_the_options_of_every_command_may_stand_at_its_end(path: str) -> None:
    command: Command = LEAVES[path]
    spelt = {option for it in command.params for option in it.opts}
    assert {"--auth-token", "--plaintext"} <= spelt


def test_the_top_says_of_its_commands_what_they_say_themselves() -> None:
    said = {name: lazy.help for nouns in SECTIONS.values() for name, lazy in nouns.items()}
    itself = {path.split()[1]: it for path, it in ALL.items() if len(path.split()) == 2}
    assert said.keys() == itself.keys()
    assert {name for name, it in itself.items() if not it.help} == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["app", "--help"],
        ["app", "create", "--help"],
        ["db", "--help"],
        ["up", "--help"],
    ],
    ids=" ".join,
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK, *arguments], capture_output=True, text=True, check=True
    )
    loaded = done.stderr.strip().splitlines()[-1]
    assert [name for name in HEAVY if f"'{name}'" in loaded] == []
