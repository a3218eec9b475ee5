"""The child: runs Lua scripts and CEL expressions on objects from stdin, one at a time.

A question is a line of JSON with the ``object``, and either a Lua ``script`` with its
``parameters``, or CEL ``expressions`` by name. It is answered by one line, at once:

    {"value": …}      what the script returned; empty tables are {}
    {"values": {…}}   what each expression says; null where it reads a field that is not there
    {"error": "…"}    why there is none

Loops, allocations and patterns cannot be interrupted from Python: timers and limits of the
kernel end the process. Files and sockets cannot be opened, and there is no environment to
read. Started by its path, without the packages of Fleet.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any, TypeAlias

Answer: TypeAlias = dict[str, Any]
Language: TypeAlias = Callable[[dict[str, Any]], Answer]

_DESCRIPTORS = 4  # stdin, stdout, stderr, and the one below 4 that may be taken
_LUA_BYTES = 32 << 20
_DEPTH = 100
_VALUES = 200_000
_SHOWN = 500  # characters of a message
#: CEL expressions kept compiled.
_KEPT = 256

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
        language: lua or cel.
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
    for line in sys.stdin.buffer:
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        try:
            told = json.dumps(answer(json.loads(line))).encode()
        except (MemoryError, RecursionError):
            told = json.dumps({"error": "it needs more memory than it may have"}).encode()
        if len(told) > size:
            told = json.dumps({"error": f"it returned more than {size >> 10} KiB"}).encode()
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.buffer.write(told + b"\n")
        sys.stdout.buffer.flush()


def _lua() -> Language:
    from lupa import luajit21

    def deny(_object: object, name: object, _is_set: bool) -> object:
        raise AttributeError(f"no access to {name}")

    def answer(question: dict[str, Any]) -> Answer:
        # an interpreter of its own: whatever a script changes of it is gone with it
        runtime = luajit21.LuaRuntime(
            register_eval=False,
            register_builtins=False,
            attribute_filter=deny,
            max_memory=_LUA_BYTES,
        )
        try:
            run = runtime.execute(_SANDBOX)
            obj = runtime.table_from(question["object"], recursive=True)
            parameters = runtime.table_from(question.get("parameters") or {})
            found = run(question["script"], obj, parameters)
            return {"value": _Plain(luajit21.lua_type).of(found, 0)}
        except luajit21.LuaMemoryError:
            return {"error": "it needs more memory than it may have"}
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
    from cel_expr_python import cel

    fields = ("apiVersion", "kind", "metadata", "spec", "status", "data")
    env = cel.NewEnv(variables=dict.fromkeys((*fields, "object", "self"), cel.Type.DYN))
    compiled: dict[str, Any] = {}

    def value_of(expression: str, data: dict[str, Any]) -> Any:
        if expression not in compiled:
            if len(compiled) >= _KEPT:
                compiled.clear()
            compiled[expression] = env.compile(expression)
        found = compiled[expression].eval(data=data)
        type, value = found.type(), found.value()
        if type in (cel.Type.BOOL, cel.Type.STRING):
            return value
        if type != cel.Type.ERROR:
            raise ValueError(f"it says {type}, not true, false or a text")
        if value.startswith("NOT_FOUND"):
            return None
        raise ValueError(value)

    def answer(question: dict[str, Any]) -> Answer:
        obj = question["object"]
        data = {name: obj.get(name, {}) for name in fields} | {"object": obj, "self": obj}
        values = {}
        for name, expression in question["expressions"].items():
            try:
                values[name] = value_of(expression, data)
            except (RuntimeError, ValueError) as error:
                return {"error": f"{name}: {_told(error)}"}
        return {"values": values}

    return answer


def _told(error: BaseException) -> str:
    """The first line of what an interpreter says, without its own prefixes."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    text = lines[0].removeprefix("INVALID_ARGUMENT: ").removeprefix("ERROR: ")
    return text.removeprefix("error loading code: ")[:_SHOWN]


_LANGUAGES: dict[str, Callable[[], Language]] = {"lua": _lua, "cel": _cel}


if __name__ == "__main__":
    os.environ.clear()  # the interpreter itself puts its locale there
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
