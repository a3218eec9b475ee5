"""Signs of life on a terminal; nothing at all elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from rich.progress import Progress

Answer = TypeVar("Answer")


@contextmanager
def spinner(text: str) -> Iterator[Callable[[str], None]]:
    """A spinner on stderr while the block runs; the function that is given changes its text."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status(escaped(text)) as status:
        yield lambda new: status.update(escaped(new))


class Bar:
    """A progress bar on stderr, and lines beside it; without a terminal only the lines."""

    def __init__(self, progress: Progress | None = None, text: str = "") -> None:
        self._progress = progress
        self._task = progress.add_task(escaped(text), total=None) if progress else None

    def update(self, done: int, total: int, text: str) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.update(
                self._task, completed=done, total=total or None, description=escaped(text)
            )

    def tell(self, line: str, *, err: bool = False) -> None:
        """A line of its own: not behind the bar, on whichever stream it belongs to."""
        if self._progress is not None:
            self._progress.stop()
        click.echo(line, err=err)
        if self._progress is not None:
            self._progress.start()


def escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


@contextmanager
def bar(text: str) -> Iterator[Bar]:
    """A bar while the block runs."""
    if not sys.stderr.isatty():
        yield Bar()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield Bar(progress, text)


def in_steps(steps: Sequence[str], last: Callable[[], Answer]) -> Answer:
    """The answer of ``last``, under a bar on which all steps but the last are done."""
    with bar(steps[0]) as shown:
        shown.update(len(steps) - 1, len(steps), steps[-1])
        answer = last()
        shown.update(len(steps), len(steps), steps[-1])
    return answer
