"""The child: evaluates expressions and scripts of one language, one at a time.

A question is two lines of JSON on stdin: what is asked, and the object. It is answered by one
line on stdout, at once, so that the parent knows what was in hand when a child died:

    {"value": …}      what a script or expressions say of the object
    {"paths": […]}    the paths that a jq expression names in it
    {"error": "…"}    why there is none
    {"warning": "…"}  why it says nothing of this object, and may say something of another

Loops, allocations, patterns and a stack that overflows cannot be interrupted from Python:
timers and limits of the kernel end the process. Files and sockets cannot be opened, and there
is no environment to read. Started by its path, without the packages of Fleet.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

Answer: TypeAlias = dict[str, Any]
#: Answers a question: what is asked, and the text of the object.
Language: TypeAlias = Callable[[Any, bytes], Answer]

_DESCRIPTORS = 4  # stdin, stdout, stderr, and the one below 4 that may be taken
_SHOWN = 500  # characters of a message
#: Expressions kept compiled; compiling costs a hundred times what running does.
_KEPT = 256
_PATHS = 10_000  # that a jq expression may name in one object
_LUA_BYTES = 32 << 20
_DEPTH = 100  # of what a script returns
_VALUES = 200_000  # in it
_NEEDS_MORE = {"error": "it needs more memory than it may have"}

#: What a script sees: values, texts, tables, figures and the clock. Nothing that loads, opens,
#: starts or looks into the interpreter; ``string.dump`` writes bytecode.
_SANDBOX = """
jit.off()
local loader = load
local lent = {
    assert = assert, error = error, getmetatable = getmetatable, ipairs = ipairs, next = next,
    pairs = pairs, pcall = pcall, print = function() end, rawequal = rawequal, rawget = rawget,
    rawset = rawset, select = select, setmetatable = setmetatable, tonumber = tonumber,
    tostring = tostring, type = type, unpack = unpack, xpcall = xpcall, _VERSION = _VERSION,
    bit = bit, math = math, string = string, table = table,
    os = { clock = os.clock, date = os.date, difftime = os.difftime, time = os.time },
}
string.dump = nil
table.unpack = unpack
local modules = {
    bit = bit, math = math, os = lent.os, string = string, table = table,
}
function lent.require(name)
    return modules[name] or error("module '" .. tostring(name) .. "' is not lent to scripts", 2)
end
lent._G = lent
return function(source, obj, parameters)
    lent.obj = obj
    lent.actionParams = parameters
    local chunk, why = loader(source, "=script", "t", lent)
    if not chunk then error(why, 0) end
    return (chunk())
end
"""


def main(language: str, packages: str, cpu_seconds: float, memory: int, size: int) -> None:
    """Answer until stdin ends.

    Args:
        language: jq, lua or cel.
        packages: the directory that its interpreter is imported from.
        cpu_seconds: processor time of one question.
        memory: bytes of address space.
        size: most bytes of one answer.
    """
    sys.path.append(packages)
    answer = _LANGUAGES[language]()  # here, where files can still be opened
    for what, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _DESCRIPTORS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(what, (value, value))
    for asked in sys.stdin.buffer:
        text = sys.stdin.buffer.readline()
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        try:
            told = json.dumps(answer(json.loads(asked), text)).encode()
        except (MemoryError, RecursionError):
            told = json.dumps(_NEEDS_MORE).encode()
        if len(told) > size:
            told = json.dumps({"error": f"it returned more than {size >> 10} KiB"}).encode()
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.buffer.write(told + b"\n")
        sys.stdout.buffer.flush()


def _jq() -> Language:
    """Asked: an expression."""
    import jq

    @lru_cache(_KEPT)
    def compiled(expression: str) -> Any:
        # in brackets an expression cannot import modules, which would read files; the line
        # feed ends a comment
        return jq.compile(f"[limit({_PATHS + 1}; path({expression}\n))]")

    def answer(asked: Any, text: bytes) -> Answer:
        try:
            program = compiled(asked)
        except ValueError as error:
            # without the program that was put around it
            first = str(error).splitlines()[0].removeprefix("jq: error: ")
            told = first.partition(" at <top-level>")[0]
            return {"error": told[:_SHOWN] or f"is no jq: {asked[:100]}"}
        try:
            found = program.input_text(text.decode()).first()
        except StopIteration:
            return {"warning": "it ends the program"}
        except (ValueError, MemoryError, RecursionError) as error:
            return {"warning": str(error)[:_SHOWN] or type(error).__name__}
        if len(found) > _PATHS:
            return {"error": f"names more than {_PATHS} paths in one object"}
        return {"paths": found}

    return answer


def _lua() -> Language:
    """Asked: ``{"script": …, "parameters": {…}}``; the value is what the script returns, its
    empty tables as {}."""
    from lupa import luajit21

    def deny(_object: object, name: object, _is_set: bool) -> object:
        raise AttributeError(f"no access to {name}")

    def answer(asked: Any, text: bytes) -> Answer:
        # an interpreter of its own: whatever a script changes of it is gone with it
        runtime = luajit21.LuaRuntime(
            register_eval=False,
            register_builtins=False,
            attribute_filter=deny,
            max_memory=_LUA_BYTES,
        )
        try:
            run = runtime.execute(_SANDBOX)
            obj = runtime.table_from(json.loads(text), recursive=True)
            parameters = runtime.table_from(asked.get("parameters") or {})
            found = run(asked["script"], obj, parameters)
            return {"value": _Plain(luajit21.lua_type).of(found, 0)}
        except luajit21.LuaMemoryError:
            return _NEEDS_MORE
        except (luajit21.LuaError, UnicodeError, ValueError, OverflowError) as error:
            return {"error": _told(error)}

    return answer


class _Plain:
    """A value of Lua as JSON, its size bounded."""

    def __init__(self, type_of: Callable[[object], str | None]) -> None:
        self._type_of = type_of
        self._count = 0

    def of(self, value: Any, depth: int) -> Any:
        self._count += 1
        if depth > _DEPTH or self._count > _VALUES:
            raise ValueError("it returned a table that is too large, or in circles")
        if isinstance(value, float) and not value - value == 0:
            raise ValueError("it returned a number that is none")
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if self._type_of(value) != "table":
            raise ValueError(f"it returned a {self._type_of(value) or type(value).__name__}")
        pairs = list(value.items())
        if pairs and sorted(k for k, _ in pairs if isinstance(k, int)) == [
            *range(1, len(pairs) + 1)
        ]:
            return [self.of(value[index], depth + 1) for index in range(1, len(pairs) + 1)]
        return {str(key): self.of(item, depth + 1) for key, item in pairs}


def _cel() -> Language:
    """Asked: expressions by name; the value is what each says, null where it reads a field
    that is not there."""
    from cel_expr_python import cel

    fields = ("apiVersion", "kind", "metadata", "spec", "status", "data")
    env = cel.NewEnv(variables=dict.fromkeys((*fields, "object", "self"), cel.Type.DYN))
    compiled = lru_cache(_KEPT)(env.compile)

    def value_of(expression: str, data: dict[str, Any]) -> Any:
        found = compiled(expression).eval(data=data)
        type, value = found.type(), found.value()
        if type in (cel.Type.BOOL, cel.Type.STRING):
            return value
        if type != cel.Type.ERROR:
            raise ValueError(f"it says {type}, not true, false or a text")
        if value.startswith("NOT_FOUND"):
            return None
        raise ValueError(value)

    def answer(asked: Any, text: bytes) -> Answer:
        obj = json.loads(text)
        data = {name: obj.get(name, {}) for name in fields} | {"object": obj, "self": obj}
        values = {}
        for name, expression in asked.items():
            try:
                values[name] = value_of(expression, data)
            except (RuntimeError, ValueError) as error:
                return {"error": f"{name}: {_told(error)}"}
        return {"value": values}

    return answer


def _told(error: BaseException) -> str:
    """The first line of what an interpreter says, without its own prefixes."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    text = lines[0].removeprefix("INVALID_ARGUMENT: ").removeprefix("ERROR: ")
    return text.removeprefix("error loading code: ")[:_SHOWN]


_LANGUAGES: dict[str, Callable[[], Language]] = {"jq": _jq, "lua": _lua, "cel": _cel}


if __name__ == "__main__":
    os.environ.clear()  # the interpreter itself puts its locale there
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
