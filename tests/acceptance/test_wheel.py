"""The wheel carries what Fleet needs where there is no checkout, and nothing else."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.keeper import ROOT
from tests.needs import require


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files in the wheel."""
    require(importlib.util.find_spec("hatchling"), "no hatchling: run `make setup`")
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*build, f"--wheel-dir={out}", str(ROOT)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(out.glob("*.whl"))) as wheel:
        return set(wheel.namelist())


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
