"""jq in its child: what it answers, and that no expression can do harm."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fleet.diff import canonical
from fleet.expressions import Answer, Jq, Limits, Question

pytestmark = pytest.mark.integration

OBJECT: dict[str, Any] = {
    "metadata": {"annotations": {"a/b": "1"}},
    "spec": {"items": [{"name": "x", "v": 1}, {"name": "y", "v": 2}], "n": 3},
}


@pytest.fixture
async def jq() -> AsyncIterator[Jq]:
    made = Jq()
    yield made
    await made.close()


async def _ask(jq: Jq, *expressions: str, of: Any = OBJECT) -> list[Answer]:
    text = canonical(of)
    return await jq.ask([Question(expression, text) for expression in expressions])


NAMED: list[tuple[str, list[list[Any]]]] = [
    (".spec.n", [["spec", "n"]]),
    ('.spec.items[] | select(.name == "y") | .v', [["spec", "items", 1, "v"]]),
    ('.spec.items[] | select(.name | test("^x"))', [["spec", "items", 0]]),
    ('.metadata.annotations["a/b"]', [["metadata", "annotations", "a/b"]]),
    (".spec.items[-1]", [["spec", "items", -1]]),
    (".spec.items[1:]", [["spec", "items", {"start": 1, "end": None}]]),
    (".spec.none", [["spec", "none"]]),
    (".spec.n # with a comment", [["spec", "n"]]),
    ("def n: .n; .spec | n", [["spec", "n"]]),
    (".none[]?", []),
    ("empty", []),
]


@pytest.mark.parametrize(("expression", "paths"), NAMED)
async def test_paths(jq: Jq, expression: str, paths: list[list[Any]]) -> None:
    assert await _ask(jq, expression) == [Answer(tuple(tuple(path) for path in paths))]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (".spec |", ".spec |: syntax error"),
        ("nosuch", "nosuch: nosuch/0 is not defined"),
        ('import "a" as a; .spec', 'import "a" as a; .spec: syntax error'),
        ('include "a"; .spec', 'include "a"; .spec: syntax error'),
        ("", ": syntax error"),
        ("range(1e9) as $n | .spec", "range(1e9) as $n | .spec: names more than 10000 paths"),
    ],
)
async def test_what_is_an_error_wherever_it_is_asked(jq: Jq, expression: str, message: str) -> None:
    (answer,) = await _ask(jq, expression)
    assert answer.error.startswith(message)
    assert not answer.paths


@pytest.mark.parametrize(
    "expression", [".none[]", ".spec.n.m", "1", "halt", "input", 'error("no")', ".spec | keys"]
)
async def test_what_does_not_fit_an_object_names_nothing(jq: Jq, expression: str) -> None:
    (answer,) = await _ask(jq, expression)
    assert answer.warning
    assert (answer.paths, answer.error) == ((), "")


async def test_it_sees_neither_environment_nor_files(jq: Jq) -> None:
    seen = "if (env | length) + ($ENV | length) == 0 then .spec else error end"
    read = '.spec | ("/etc/passwd" | modulemeta) as $m | .n'
    assert [a.paths for a in await _ask(jq, seen, read)] == [(("spec",),), ()]


HOSTILE = [
    pytest.param("[recurse(.)] | .spec", "", id="endless list"),
    pytest.param("until(false; .)", "processor time", id="loop"),
    pytest.param('("a" * 1000000000) as $x | .spec', "more memory", id="allocation"),
    pytest.param("def f: 1 + f; f as $x | .spec", "", id="recursion"),
    pytest.param(f'("{"a" * 40}" | test("(a|aa)+b")) as $x | .spec', "", id="regex"),
    pytest.param("(" * 20_000, "", id="nesting"),
]


@pytest.mark.parametrize(("expression", "why"), HOSTILE)
async def test_a_hostile_expression_ends_alone(expression: str, why: str) -> None:
    jq = Jq(Limits(cpu_seconds=0.3, memory_bytes=256 << 20))
    try:
        answers = await _ask(jq, ".spec.n", expression, ".spec.items")
        assert [a.paths for a in answers] == [(("spec", "n"),), (), (("spec", "items"),)]
        if why:
            assert why in answers[1].error + answers[1].warning
    finally:
        await jq.close()


async def test_what_ended_a_child_is_not_tried_again_on_any_object() -> None:
    jq = Jq(Limits(cpu_seconds=0.1))
    try:
        (first,) = await _ask(jq, "until(false; .)")
        before = jq.started
        (second,) = await _ask(jq, "until(false; .)", of={"another": 1})
        assert (second, jq.started) == (first, before)
    finally:
        await jq.close()


async def test_after_a_while_it_is_tried_again() -> None:
    jq = Jq(Limits(cpu_seconds=0.1, banned_seconds=0.0))
    try:
        await _ask(jq, "until(false; .)")
        await _ask(jq, "until(false; .)")
        assert jq.started == 2
    finally:
        await jq.close()


async def test_what_is_known_is_not_asked_again(jq: Jq) -> None:
    for _ in range(3):
        await _ask(jq, ".spec.n", ".spec |", ".none[]")
    assert (jq.asked, jq.started) == (3, 1)


async def test_questions_at_the_same_time_are_answered_apart(jq: Jq) -> None:
    objects = [{"k": [{"i": n}] * n} for n in range(40)]
    answers = await asyncio.gather(*(_ask(jq, ".k[].i", ".k[0]?", of=o) for o in objects))
    assert [len(found[0].paths) for found in answers] == list(range(40))
    assert jq.started == 1


async def test_a_caller_who_gives_up_leaves_no_answer_for_the_next(jq: Jq) -> None:
    task = asyncio.create_task(_ask(jq, "until(false; .)"))
    while not jq.started:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await _ask(jq, ".spec.n"))[0].paths == (("spec", "n"),)


async def test_the_child_goes_with_its_owner(jq: Jq) -> None:
    await _ask(jq, ".spec")
    pid = jq.pid
    assert pid is not None
    await jq.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
