"""What a case is, and the list of all of them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.contract.recording import Recorder

Script = Callable[[Recorder], None]
_CASES: dict[str, Case] = {}


@dataclass(frozen=True)
class Case:
    """Some requests. Its asserts hold for the real server, its answers for the sandbox.

    ``controllers``: it waits for what controllers do, so it needs the full control plane.
    """

    name: str
    script: Script
    controllers: bool

    def __str__(self) -> str:
        return self.name


def case(script: Script) -> Script:
    """A case that an API server alone answers."""
    return _register(script.__module__, script.__name__, script, controllers=False)


def controlled(script: Script) -> Script:
    """A case that needs controllers."""
    return _register(script.__module__, script.__name__, script, controllers=True)


def tabled(module: str, name: str, script: Script) -> None:
    """A case made from a row of a table in ``module``."""
    _register(module, name, script, controllers=False)


def _register(module: str, name: str, script: Script, *, controllers: bool) -> Script:
    full = f"{module.rpartition('.')[2]}.{name}"
    assert full not in _CASES, f"two cases are named {full}"
    _CASES[full] = Case(full, script, controllers)
    return script


def all_cases() -> list[Case]:
    """Every case of every module in ``cases/``."""
    for path in sorted((Path(__file__).parent / "cases").glob("*.py")):
        importlib.import_module(f"tests.contract.cases.{path.stem}")
    return list(_CASES.values())
