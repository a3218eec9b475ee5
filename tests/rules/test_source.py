"""What is never written here, and where things must be. Each rule reads the syntax tree."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import FOLDERS

ROOT = Path(__file__).parents[2]
FLEET = ROOT / "fleet"
LONGEST_FILE = 600
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}
FORBIDDEN_IMPORTS = {"random", "pickle", "marshal", "shelve", "dill", "telnetlib"}
FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "os.system",
    "os.popen",
    "asyncio.create_subprocess_shell",
    "ssl._create_unverified_context",
}
YAML_HOME = FLEET / "render" / "yaml.py"
DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
MARKS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
THIRD_PARTY = re.compile(r"\.(min\.js|so|exe|dll|whl|tgz|jar|woff2?)$|/(vendor|node_modules)/")

SOURCES = sorted(FLEET.rglob("*.py"))
OURS = sorted(
    path
    for folder in ("fleet", "migrations", "tests", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
)


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), shown(path))


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


@pytest.mark.parametrize("path", OURS, ids=shown)
def test_file_is_one_thing_with_a_name(path: Path) -> None:
    """A migration may be long: it is written once and never changed."""
    if "migrations" not in path.relative_to(ROOT).parts:
        assert len(path.read_text().splitlines()) <= LONGEST_FILE
    assert not FORBIDDEN_NAMES & set(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("path", SOURCES, ids=shown)
def test_file_does_nothing_forbidden(path: Path) -> None:
    found = [f"imports {it}" for it in imported(path) if it.split(".")[0] in FORBIDDEN_IMPORTS]
    for name, call in calls(path):
        if name in FORBIDDEN_CALLS:
            found.append(f"line {call.lineno}: calls {name}")
        if name.startswith("yaml.") and "load" in name and path != YAML_HOME:
            found.append(f"line {call.lineno}: {name} outside {shown(YAML_HOME)}")
        for keyword in call.keywords:
            value = getattr(keyword.value, "value", None)
            if (keyword.arg, value) in {("shell", True), ("verify", False), ("ssl", False)}:
                found.append(f"line {call.lineno}: {keyword.arg}={value}")
    if mark := MARKS.search(path.read_text()):
        found.append(f"an unfinished mark: {mark[0]}")
    assert found == []


@pytest.mark.parametrize("path", SOURCES, ids=shown)
def test_file_postpones_annotations(path: Path) -> None:
    statements = tree(path).body[1:]
    if any(isinstance(it, DEFINITIONS) for it in statements):
        assert ast.unparse(statements[0]) == "from __future__ import annotations"


@pytest.mark.parametrize("path", SOURCES, ids=shown)
def test_file_says_what_it_is(path: Path) -> None:
    docstring = ast.get_docstring(tree(path)) or ""
    assert len(docstring.split()) > 2, "a module's docstring says what the name cannot"


def test_import_contracts_hold() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_tests_are_sorted_by_what_they_need() -> None:
    strays = [
        shown(path)
        for path in (ROOT / "tests").rglob("test_*.py")
        if path.relative_to(ROOT / "tests").parts[0] not in FOLDERS
    ]
    assert strays == []


def test_constraints_pin_every_dependency_by_hash_and_name_no_host() -> None:
    text = (ROOT / "constraints.txt").read_text()
    assert "://" not in text
    pins = re.findall(r"^([a-z0-9-]+)(?:\[.*\])?==\S+(.*(?:\n    --hash=.*)*)", text, re.MULTILINE)
    unhashed = [name for name, rest in pins if "--hash=sha256:" not in rest]
    assert unhashed == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[^A-Za-z0-9-]", it)[0].lower() for it in wanted}
    assert names - {name for name, _ in pins} == set()


def test_nothing_of_third_parties_is_committed() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert [it for it in listed.stdout.splitlines() if THIRD_PARTY.search(f"/{it}")] == []
