"""Scripts in their child: what they may see, what stops them, and that others go on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from fleet.expressions import Limits, Scripts, Told

pytestmark = pytest.mark.integration

#: Little enough for a test, and much more than a script needs.
LIMITS = Limits(cpu_seconds=0.3)

MEMORY = "it needs more memory than it may have"
TENS = "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9].all"

READY: dict[str, Any] = {
    "apiVersion": "example.com/v1",
    "kind": "Thing",
    "metadata": {"name": "a", "uid": "u1", "resourceVersion": "7", "generation": 2},
    "spec": {"replicas": 3, "names": ["a", "b"], "empty": {}, "share": 0.5, "label": "é"},
    "status": {"conditions": [{"type": "Ready", "status": "True"}], "phase": "Up"},
}


@pytest.fixture
async def scripts() -> AsyncIterator[Scripts]:
    found = Scripts(LIMITS)
    yield found
    await found.close()


def version(number: int) -> dict[str, Any]:
    return {**READY, "metadata": {**READY["metadata"], "resourceVersion": str(number)}}


@pytest.mark.parametrize(
    ("script", "value"),
    [
        (
            "return {status = 'Healthy', message = obj.status.phase}",
            {"status": "Healthy", "message": "Up"},
        ),
        ("hs = {} hs.status = 'Healthy' return hs", {"status": "Healthy"}),
        ("return obj.spec", {**READY["spec"]}),
        ("return obj.status.conditions[1].type", "Ready"),
        ("return #obj.spec.names", 2),
        ("return nil", None),
        ("return", None),
        ("return {}", {}),
        ("return {1, 2, {a = true}}", [1, 2, {"a": True}]),
        ("return {[1] = 'a', [3] = 'c'}", {"1": "a", "3": "c"}),
        ("for _, n in ipairs({1}) do if n == 1 then goto on end ::on:: end return 1", 1),
        ("local ok = pcall(error, 'x') return ok", False),
        ("return string.format('%s-%d', 'a', 3)", "a-3"),
        ("return os.date('!%Y', 0)", "1970"),
        ("return type(os.time())", "number"),
        ("return actionParams['replicas'] == nil", True),
        ("return tostring(table.unpack({1}))", "1"),
        ("local os = require('os') return os.date('!%Y', 0)", "1970"),
    ],
)  # fmt: skip
async def test_a_script_says_what_it_finds(scripts: Scripts, script: str, value: Any) -> None:
    assert await scripts.lua(script, READY) == Told(value)


@pytest.mark.parametrize(
    "name",
    [
        "io", "package", "require('os').exit", "load", "loadstring", "loadfile", "dofile", "debug",
        "collectgarbage", "coroutine", "python", "jit", "module", "getfenv", "setfenv",
        "newproxy", "os.execute", "os.getenv", "os.remove", "os.exit", "os.tmpname",
        "string.dump", "('').dump", "ffi",
    ],
)  # fmt: skip
async def test_nothing_leads_out(scripts: Scripts, name: str) -> None:
    assert await scripts.lua(f"return {name} == nil", READY) == Told(True)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("return obj.nothing.there", "script:1: attempt to index field 'nothing' (a nil value)"),
        ("return (", "script:1: unexpected symbol near '<eof>'"),
        ("error('so it is', 0)", "so it is"),
        ("require('io')", "script:1: module 'io' is not lent to scripts"),
        ("return function() end", "it returned a function"),
        ("local t = {} t.t = t return t", "it returned a table that is too large, or in circles"),
        ("return 0 / 0", "it returned a number that is none"),
        ("local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end", MEMORY),
        ("return ('x'):rep(1e9)", MEMORY),
        ("\\27LJ", "script:1: unexpected symbol near '\\'"),
    ],
)  # fmt: skip
async def test_what_goes_wrong_is_told(scripts: Scripts, script: str, message: str) -> None:
    assert await scripts.lua(script, READY) == Told(error=message)
    assert await scripts.lua("return 1", READY) == Told(1)


@pytest.mark.parametrize(
    "script",
    [
        "while true do end",
        "while true do pcall(error, 'x') end",
        "return string.find(('a'):rep(40), ('a*'):rep(40) .. 'b')",
    ],
)
async def test_one_that_never_ends_is_stopped(scripts: Scripts, script: str) -> None:
    stopped = await scripts.lua(script, READY)
    assert stopped == Told(error="it was stopped after 0.3 s of processor time")
    assert await scripts.lua("return 1", READY) == Told(1)


async def test_one_that_was_stopped_is_not_started_on_another_object_until_it_is_changed(
    scripts: Scripts,
) -> None:
    loop = "while true do end"
    stopped = await scripts.lua(loop, version(1))
    asked = scripts.asked
    assert await scripts.lua(loop, version(2)) == stopped
    assert await scripts.run(loop, READY, {}) == stopped
    assert scripts.asked == asked
    assert await scripts.lua("do return 1 end " + loop, version(2)) == Told(1)


async def test_an_unchanged_object_costs_nothing(scripts: Scripts) -> None:
    for _ in range(5):
        assert await scripts.lua("return obj.status.phase", READY) == Told("Up")
        assert await scripts.cel({"current": "status.phase == 'Up'"}, READY) == Told(
            {"current": True}
        )
    assert scripts.asked == 2
    await scripts.lua("return obj.status.phase", version(8))
    await scripts.lua("return obj.kind", READY)
    assert scripts.asked == 4


async def test_what_is_run_is_run_each_time_and_a_large_answer_is_not_kept(
    scripts: Scripts,
) -> None:
    for number in (1, 2):
        assert await scripts.run("return actionParams['by']", READY, {"by": "2"}) == Told("2")
        assert (await scripts.lua("return ('x'):rep(5000)", READY)).value == "x" * 5000
        assert scripts.asked == 2 * number


async def test_nothing_is_left_behind_by_another_script(scripts: Scripts) -> None:
    await scripts.lua("string.format = nil obj = nil x = 1 return 1", READY)
    assert await scripts.lua("return {x == nil, string.format('%d', 2)}", READY) == Told(
        [True, "2"]
    )


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')", True),
        ("status.observedGeneration == metadata.generation", None),
        ("has(status.phase) && status.phase == 'Down'", False),
        ("'is ' + status.phase", "is Up"),
        ("object.spec.replicas > 2 && self.kind == 'Thing'", True),
        ("data.x == 1", None),
    ],
)
async def test_an_expression_says_what_it_finds(
    scripts: Scripts, expression: str, value: Any
) -> None:
    assert await scripts.cel({"it": expression}, READY) == Told({"it": value})


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("nothing == 1", "it: <input>:1:1: undeclared reference to 'nothing'"),
        ("1 +", "it: <input>:1:4: Syntax error"),
        ("spec.replicas", "it: it says INT, not true, false or a text"),
        ("spec.replicas / 0 == 1", "it: divide by zero"),
        (f"{TENS}(a, {TENS}(b, {TENS}(c, {TENS}(d, {TENS}(e, true)))))", "budget"),
    ],
)  # fmt: skip
async def test_a_wrong_expression_is_told(scripts: Scripts, expression: str, message: str) -> None:
    found = await scripts.cel({"it": expression}, READY)
    assert message in found.error
    assert await scripts.cel({"it": "true"}, READY) == Told({"it": True})
