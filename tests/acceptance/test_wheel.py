"""The wheel carries what Fleet needs where there is no checkout, runs there, and holds no more."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import sysconfig
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fleet import __version__
from tests.acceptance.fleet_process import Machine, machine
from tests.keeper import ROOT
from tests.needs import require


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require(importlib.util.find_spec("hatchling"), "no hatchling: run `make setup`")
    out = tmp_path_factory.mktemp("wheel")
    _pip("wheel", "--no-deps", "--no-build-isolation", f"--wheel-dir={out}", str(ROOT))
    return next(out.glob("*.whl"))


def _pip(*arguments: str) -> None:
    argv = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def content(wheel: Path) -> set[str]:
    """The names of the files in the wheel."""
    with zipfile.ZipFile(wheel) as opened:
        return set(opened.namelist())


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Iterator[Machine]:
    """A machine where Fleet came from the wheel; only its dependencies are those of the tests."""
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    _pip("--python", str(python), "install", "--no-deps", "--no-index", str(wheel))
    (site,) = environment.glob("lib/*/site-packages")
    # a path named in a .pth is searched, but its own .pth files, the checkout's among them, are not
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    with machine() as made:
        variables = {key: text for key, text in made.environment.items() if key != "PYTHONPATH"}
        yield replace(made, environment=variables, program=(str(environment / "bin" / "fleet"),))


def test_the_sample_project_is_in_it(content: set[str]) -> None:
    demo = ROOT / "config" / "demo"
    files = [it for folder in ("shop", "applications") for it in (demo / folder).rglob("*")]
    assert {
        f"fleet/_data/config/demo/{it.relative_to(demo)}" for it in files if it.is_file()
    } <= content


def test_migrations_and_default_configuration_are_in_it(content: set[str]) -> None:
    migrations = (ROOT / "migrations" / "versions").glob("*.py")
    wanted = {f"fleet/_data/migrations/versions/{path.name}" for path in migrations}
    wanted |= {"fleet/_data/alembic.ini", "fleet/_data/migrations/env.py", "fleet/py.typed"}
    config = [path.relative_to(ROOT) for path in (ROOT / "config").rglob("*") if path.is_file()]
    wanted |= {f"fleet/_data/{path}" for path in config if "__pycache__" not in path.parts}
    assert wanted - content == set()


def test_nothing_else_is_in_it(content: set[str]) -> None:
    strays = {name for name in content if Path(name).parts[0] != "fleet"}
    assert {Path(name).parts[0].split("-")[0] for name in strays} == {"fleet_gitops"}
    assert not {name for name in content if "__pycache__" in name or name.endswith(".pyc")}


def test_fleet_runs_from_it_where_there_is_no_checkout(installed: Machine) -> None:
    python = Path(installed.program[0]).with_name("python")
    ask = "import fleet, sys; print(fleet.__file__, *sys.path, sep='\\n')"
    asked = subprocess.run(
        [python, "-c", ask],
        env=dict(installed.environment),
        cwd=installed.home,
        capture_output=True,
        text=True,
        check=True,
    )
    imported, *searched = asked.stdout.splitlines()
    assert Path(imported).is_relative_to(python.parents[1])
    assert str(ROOT) not in searched
    with installed.up() as process:
        address = f"http://127.0.0.1:{installed.environment['FLEET_PORT']}"
        with urllib.request.urlopen(f"{address}/readyz") as answer:
            assert answer.status == 200
        told = installed.ok("version", "-o", "json").json()
        assert {told[side]["version"] for side in ("client", "server")} == {__version__}
        assert told["server"]["schema"]["age"] == "same"
        assert installed.ok("app", "list", "-o", "json").json() == []
    assert process.returncode == 0, installed.log()
