"""jq path expressions: which places of an object they name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

from fleet.expressions import keeping
from fleet.expressions.keeping import Keeper, Limits, Reply

#: One path in an object: names, positions, and slices as jq writes them.
JqPath: TypeAlias = tuple[Any, ...]

#: Every object that a rule is about is asked about in every pass: more is remembered.
_LIMITS = Limits(answer_bytes=1 << 20, kept=100_000, kept_bytes=1 << 20)
_SHOWN = 200  # characters of an expression in a message


@dataclass(frozen=True, slots=True)
class Question:
    """Which paths does the expression name in the object, given as JSON without line feeds?"""

    expression: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """Paths, in the order in which the expression names them; or why there are none.

    ``error``: there never are any, in no object, or it may not be tried. ``warning``: it does
    not fit this object.
    """

    paths: tuple[JqPath, ...] = ()
    error: str = ""
    warning: str = ""


class Jq:
    """Evaluates jq; one a process."""

    def __init__(self, limits: Limits = _LIMITS) -> None:
        self._keeper = Keeper("jq", limits)

    @property
    def asked(self) -> int:
        """Questions that a child answered."""
        return self._keeper.asked

    @property
    def started(self) -> int:
        """Children."""
        return self._keeper.started

    @property
    def pid(self) -> int | None:
        """The child's; None while there is none."""
        return self._keeper.pid

    async def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """One answer a question, in their order.

        Raises:
            ExpressionFailed: no child can be started.
        """
        replies = await self._keeper.ask([_put(question) for question in questions])
        return [_read(q.expression, found) for q, found in zip(questions, replies, strict=True)]

    async def close(self) -> None:
        """End the child."""
        await self._keeper.close()


def _put(question: Question) -> keeping.Question:
    return keeping.Question(
        question.expression,
        hashlib.sha256(question.text).hexdigest(),
        orjson.dumps(question.expression),
        question.text,
    )


def _read(expression: str, found: Reply) -> Answer:
    if "error" in found:
        return Answer(error=f"{_shown(expression)}: {found['error']}")
    if "warning" in found:
        return Answer(warning=f"{_shown(expression)}: {found['warning']}")
    return Answer(tuple(tuple(path) for path in found["paths"]))


def _shown(expression: str) -> str:
    return f"{expression[:_SHOWN]}…" if len(expression) > _SHOWN else expression
