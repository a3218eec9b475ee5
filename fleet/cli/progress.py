"""Signs of life on a terminal; nothing at all elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

Answer = TypeVar("Answer")


@contextmanager
def spinner(text: str) -> Iterator[Callable[[str], None]]:
    """A spinner on stderr while the block runs; the function that is given changes its text."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True)
    with console.status(escape(text)) as status:
        yield lambda new: status.update(escape(new))


@contextmanager
def bar(text: str) -> Iterator[Callable[[int, int, str], None]]:
    """A progress bar on stderr; the function that is given takes done, total and a new text."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(escape(text), total=None)

        def update(done: int, total: int, new: str) -> None:
            progress.update(task, completed=done, total=total or None, description=escape(new))

        yield update


def in_steps(steps: Sequence[str], last: Callable[[], Answer]) -> Answer:
    """The answer of ``last``, under a bar on which all steps but the last are done."""
    with bar(steps[0]) as update:
        update(len(steps) - 1, len(steps), steps[-1])
        answer = last()
        update(len(steps), len(steps), steps[-1])
    return answer
