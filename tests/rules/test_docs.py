"""What the documents show works: commands and flags exist, files and tests are there."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import MISSING, fields
from functools import cache
from pathlib import Path

import click
import pytest

from fleet.cli.program import fleet
from fleet.render.yaml import load_one
from fleet.settings import Settings, describe, load_settings
from tests.documents import BLOCK, blocks
from tests.rules.reference import commands as all_commands

ROOT = Path(__file__).parents[2]
DOCUMENTS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)\)")
TEST = re.compile(r"((?:unit|integration|migrations|acceptance|rules)/[\w/]+\.py)(?:::(\w+))?")
PLACE = re.compile(r"(?:fleet|tests|config|docs|migrations|benchmarks|\.ci)/[\w./-]*")
#: What ends the part of a line that a program reads.
SHELL = {"|", "&&", "||", "<", ">", ">>", ";"}


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def commands(document: Path) -> Iterator[str]:
    """Every command in blocks, after `$`, and every inline one that begins with `fleet `."""
    text = document.read_text()
    for block in blocks(text, "console", ""):
        yield from (line[2:] for line in block.splitlines() if line.startswith("$ "))
    prose = BLOCK.sub("", text)
    yield from (code for code in INLINE.findall(prose) if code.startswith(("fleet ", "make ")))


def programs(command: str) -> Iterator[list[str]]:
    """The words of each program of a line, without redirections; `$(...)` is one word."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    words: list[str] = []
    for word in lexer:
        if word in SHELL:
            yield words
            words = []
        else:
            words.append(word)
    yield words


CASES = [
    (document, command)
    for document in DOCUMENTS
    for command in commands(document)
    if re.search(r"\b(fleet|make) ", command)
]


def check_fleet(words: list[str]) -> list[str]:
    """What is wrong with the words after `fleet`; names of commands that do not exist, flags."""
    context = click.Context(fleet, info_name="fleet", obj=None)
    node: click.Command = fleet
    for position, word in enumerate(words):
        if word.startswith("-") or not isinstance(node, click.Group):
            return unknown_flags(node, words[position:])
        if word == "<noun>":
            return []
        found = node.get_command(context, word)
        if found is None:
            return [f"no command {word!r} below {node.name}"]
        node = found
    return []


def unknown_flags(node: click.Command, words: list[str]) -> list[str]:
    known = {"-h", "--help"}
    for param in node.params:
        known |= {*param.opts, *param.secondary_opts}
    given = [word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)]
    return [f"{node.name} has no {flag}" for flag in given if flag not in known]


@cache
def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def wrong(command: str) -> list[str]:
    found: list[str] = []
    for words in programs(command):
        if words[:1] == ["fleet"]:
            found += check_fleet(words[1:])
        elif words[:1] == ["make"]:
            found += [f"no target {it}" for it in words[1:] if it not in make_targets()]
    return found


@pytest.mark.parametrize(
    ("document", "command"), CASES, ids=lambda it: shown(it) if isinstance(it, Path) else it[:60]
)
def test_command_exists_with_its_flags(document: Path, command: str) -> None:
    assert wrong(command) == []


@pytest.mark.parametrize(
    "command",
    [
        "fleet clusters list",
        "fleet cluster add eu-1 --labels a=b",
        "fleet cluster list | fleet nothing",
        "make everything",
    ],
)
def test_the_check_would_notice(command: str) -> None:
    assert wrong(command)


def told(module: Path) -> Iterator[str]:
    """Every command in backticks, or after a colon, in the texts of a module; a value that is
    filled in is ``X``."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.JoinedStr):
            parts = (it.value if isinstance(it, ast.Constant) else "X" for it in node.values)
            text = "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        yield from (code for code in INLINE.findall(text) if code.startswith("fleet "))
        yield from re.findall(r": (fleet [a-z][^`\n]*)$", text)


MODULES = sorted((ROOT / "fleet").rglob("*.py"))


def test_commands_that_hints_and_messages_name_exist() -> None:
    named = [(shown(module), command) for module in MODULES for command in told(module)]
    assert len(named) > 100
    assert [(module, command, wrong(command)) for module, command in named if wrong(command)] == []


def test_examples_of_commands_work() -> None:
    examples = [it for _, command in all_commands() for it in command.examples]
    assert len(examples) > 100
    assert [(example, wrong(example)) for example in examples if wrong(example)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=shown)
def test_links_lead_to_files(document: Path) -> None:
    links = [it for it in LINK.findall(document.read_text()) if "://" not in it]
    assert [it for it in links if not (document.parent / it).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=shown)
def test_files_that_are_named_exist(document: Path) -> None:
    named = {it for it in INLINE.findall(document.read_text()) if PLACE.fullmatch(it)}
    assert sorted(it for it in named if not (ROOT / it).exists()) == []


def test_tests_that_security_names_exist() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    named = [match for code in INLINE.findall(text) for match in TEST.findall(code)]
    assert len(named) > 100
    missing = [f"{file}::{name}" for file, name in named if not has_test(file, name)]
    assert missing == []


def has_test(file: str, name: str) -> bool:
    path = ROOT / "tests" / file
    return path.exists() and f"def {name}(" in path.read_text()


def test_each_line_of_security_names_a_test_or_says_why_not() -> None:
    text = (ROOT / "docs" / "security.md").read_text().partition("## ")[2]
    lines = [line for line in text.splitlines() if line.startswith("- ")]
    assert [it for it in lines if "::test_" not in it and "**Not held**" not in it] == []


def settings_in_the_file() -> dict[str, object]:
    """config/fleet.yaml with every setting switched on."""
    text = (ROOT / "config" / "fleet.yaml").read_text()
    switched_on = re.sub(r"^#(?=[a-z_]+:|  - )", "", text, flags=re.MULTILINE)
    values = load_one(switched_on, file="config/fleet.yaml")
    assert isinstance(values, dict)
    return values


def test_the_default_file_changes_nothing() -> None:
    assert load_one((ROOT / "config" / "fleet.yaml").read_text(), file="fleet.yaml") is None


def test_the_default_file_lists_every_setting_with_its_default() -> None:
    values = settings_in_the_file()
    assert sorted(values) == sorted(it.name for it in fields(Settings))
    loaded = load_settings(file_values=values, file_name="config/fleet.yaml")
    for setting in fields(Settings):
        if setting.default_factory is MISSING:  # the others depend on the machine
            assert getattr(loaded, setting.name) == setting.default, setting.name


def test_the_table_of_settings_is_what_the_code_says() -> None:
    rows = [
        f"| `{name}` | {f'`{default}`' if default else ''} | {meaning} |"
        for name, default, meaning in describe()
    ]
    text = (ROOT / "docs" / "settings.md").read_text()
    assert [line for line in text.splitlines() if line.startswith("| `")] == rows
