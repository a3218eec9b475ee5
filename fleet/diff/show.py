"""A diff as text for a terminal: unified, or side by side.

Both sides of an ``ObjectDiff`` are masked already; here they are only laid out.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from itertools import accumulate, zip_longest

from fleet.diff.rows import Run, runs, windows
from fleet.diff.yaml_text import printable, yaml_lines
from fleet.model.diffs import ObjectDiff
from fleet.model.objects import ObjectRef

_CONTEXT_LINES = 3
_MIN_WIDTH = 20
_RED, _GREEN, _CYAN, _BOLD, _RESET = "\x1b[31m", "\x1b[32m", "\x1b[36m", "\x1b[1m", "\x1b[0m"
_COLOURS = {"-": _RED, "<": _RED, "+": _GREEN, ">": _GREEN, "|": _CYAN, "@": _CYAN, "=": _BOLD}


@dataclass(frozen=True, slots=True)
class _Row:
    """``mark`` is the sign between or before the texts; None where a side has no line."""

    mark: str
    left: str | None
    right: str | None


def unified(diff: ObjectDiff, *, colour: bool = False) -> str:
    """Hunks with three lines around each change, ``-`` live and ``+`` desired; "" if equal."""
    rows = [row for run in _runs(diff) for row in _stacked(run)]
    if all(row.mark == " " for row in rows):
        return ""
    lines = [("=", _header(diff.ref)), ("-", "--- live"), ("+", "+++ desired")]
    left = _numbers([row.left for row in rows])
    right = _numbers([row.right for row in rows])
    for window in windows([row.mark != " " for row in rows], _CONTEXT_LINES):
        lines.append(("@", f"@@ -{_extent(left, window)} +{_extent(right, window)} @@"))
        for row in rows[window.start : window.stop]:
            text = row.right if row.left is None else row.left
            lines.append((row.mark, f"{row.mark}{text}"))
    return _joined(lines, colour=colour)


def side_by_side(diff: ObjectDiff, width: int, *, colour: bool = False) -> str:
    """Live left, desired right, in ``width`` columns; ``<`` only live, ``>`` only desired,
    ``|`` changed. Long lines go on below, so that no difference is cut off."""
    rows = [row for run in _runs(diff) for row in _beside(run)]
    if all(row.mark == " " for row in rows):
        return ""
    column = (max(width, _MIN_WIDTH) - 3) // 2
    lines = [("=", _header(diff.ref))]
    for window in windows([row.mark != " " for row in rows], _CONTEXT_LINES):
        if len(lines) > 1:
            lines.append(("@", "..."))
        for row in rows[window.start : window.stop]:
            lines += [(row.mark, text) for text in _columns(row, column)]
    return _joined(lines, colour=colour)


def _header(ref: ObjectRef) -> str:
    """As ``argocd app diff`` prints it; empty parts keep their slash."""
    return printable(f"===== {ref.group}/{ref.kind} {ref.namespace}/{ref.name} ======")


def _runs(diff: ObjectDiff) -> list[Run]:
    sides = ([] if side is None else yaml_lines(side) for side in (diff.live, diff.predicted))
    return runs(*([printable(line, keep="\t") for line in lines] for lines in sides))


def _stacked(run: Run) -> list[_Row]:
    if run.equal:
        return [_Row(" ", line, line) for line in run.left]
    removed = [_Row("-", line, None) for line in run.left]
    return removed + [_Row("+", None, line) for line in run.right]


def _beside(run: Run) -> list[_Row]:
    if run.equal:
        return [_Row(" ", line, line) for line in run.left]
    pairs = zip_longest(run.left, run.right)
    return [_Row(_mark(left, right), left, right) for left, right in pairs]


def _mark(left: str | None, right: str | None) -> str:
    if left is None:
        return ">"
    return "<" if right is None else "|"


def _numbers(side: list[str | None]) -> list[int]:
    """How many lines a side has before each row, and after the last."""
    return list(accumulate((line is not None for line in side), initial=0))


def _extent(numbers: list[int], window: range) -> str:
    """``7,4``: first line, from 1, and number of lines; ``6,0`` after line 6, where none is."""
    before, count = numbers[window.start], numbers[window.stop] - numbers[window.start]
    return f"{before + bool(count)},{count}"


def _columns(row: _Row, width: int) -> list[str]:
    pairs = zip_longest(_wrapped(row.left, width), _wrapped(row.right, width), fillvalue="")
    return [
        f"{left}{' ' * (width - _cells(left))} {row.mark} {right}".rstrip() for left, right in pairs
    ]


def _wrapped(line: str | None, width: int) -> list[str]:
    """``line`` in pieces of at most ``width`` columns; at least one piece."""
    pieces, piece, used = [], "", 0
    for letter in (line or "").replace("\t", "    "):
        cells = _cells(letter)
        if used + cells > width:
            pieces.append(piece)
            piece, used = "", 0
        piece, used = piece + letter, used + cells
    return [*pieces, piece]


def _cells(text: str) -> int:
    """Columns that a terminal gives to the text: East Asian wide letters take two."""
    if text.isascii():
        return len(text)
    return sum(_width_of(letter) for letter in text)


def _width_of(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _joined(lines: list[tuple[str, str]], *, colour: bool) -> str:
    if not colour:
        return "".join(f"{text}\n" for _, text in lines)
    return "".join(f"{_painted(mark, text)}\n" for mark, text in lines)


def _painted(mark: str, text: str) -> str:
    paint = _COLOURS.get(mark)
    return f"{paint}{text}{_RESET}" if paint else text
