"""Where two transcripts differ, and which differences are meant: the table in docs/sandbox.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).parents[2] / "docs" / "sandbox.md"
ROW = re.compile(r"^\| `([a-z0-9_.]+)` \| `([^`]+)` \| (.+) \|$", re.MULTILINE)
SHOWN = 200  # characters of a value


@dataclass(frozen=True)
class Difference:
    """``where``: the number of the request in its case, then the path into the answer."""

    where: str
    real: str
    sandbox: str

    def __str__(self) -> str:
        return f"{self.where}\n    real:    {self.real}\n    sandbox: {self.sandbox}"


@dataclass(frozen=True)
class Meant:
    """A difference that is on purpose; ``where`` may hold ``*``."""

    case: str
    where: str
    reason: str


def meant() -> list[Meant]:
    """The rows of the table of differences."""
    _, _, table = DOCUMENT.read_text().partition("## Differences")
    return [Meant(*found) for found in ROW.findall(table)]


def differences(real: Any, sandbox: Any, where: str = "") -> Iterator[Difference]:
    """Every place where two values of JSON are not the same; absent counts as a value."""
    if isinstance(real, dict) and isinstance(sandbox, dict):
        for key in [*real, *(it for it in sandbox if it not in real)]:
            yield from _member(real, sandbox, key, f"{where}.{key}" if where else str(key))
    elif isinstance(real, list) and isinstance(sandbox, list) and len(real) == len(sandbox):
        for number, (one, other) in enumerate(zip(real, sandbox, strict=True)):
            yield from differences(one, other, f"{where}.{number}" if where else str(number))
    elif real != sandbox or type(real) is not type(sandbox):
        yield Difference(where, _shown(real), _shown(sandbox))


def _member(
    real: dict[str, Any], sandbox: dict[str, Any], key: str, where: str
) -> Iterator[Difference]:
    if key not in sandbox:
        yield Difference(where, _shown(real[key]), "(absent)")
    elif key not in real:
        yield Difference(where, "(absent)", _shown(sandbox[key]))
    else:
        yield from differences(real[key], sandbox[key], where)


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text)} characters)"


def judge(case: str, found: list[Difference], listed: list[Meant]) -> list[str]:
    """What is wrong: a difference that no row means, a row whose difference is gone."""
    rows = [row for row in listed if row.case == case]
    wrong = [str(it) for it in found if not any(fnmatchcase(it.where, row.where) for row in rows)]
    gone = [
        f"docs/sandbox.md lists a difference at {row.where}, which is gone"
        for row in rows
        if not any(fnmatchcase(it.where, row.where) for it in found)
    ]
    return wrong + gone
