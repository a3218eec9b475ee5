"""The child: reads objects and jq expressions from stdin, answers on stdout, one at a time.

A question is two lines of JSON: the expression, and the object. It is answered by one, at once,
so that the parent knows which expression was in hand when a child died:

    {"paths": […]}    the paths that it names in the object, as ``path(…)`` of jq gives them
    {"error": "…"}    it is no jq: it names nothing in any object
    {"warning": "…"}  it names no paths in this one, as far as can be told

An expression may loop, allocate and overflow the stack, none of which can be interrupted from
Python: timers and limits of the kernel end the process. Files and sockets cannot be opened,
and there is no environment to read. Started by its path, without the packages of Fleet.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from typing import Any

#: Programs kept compiled; compiling costs a hundred times what running does.
_KEPT = 256
_DESCRIPTORS = 4  # stdin, stdout, stderr, and the one below 4 that may be taken


def main(packages: str, cpu_seconds: float, memory_bytes: int, paths: int, size: int) -> None:
    """Answer until stdin ends.

    Args:
        packages: the directory that jq is imported from.
        cpu_seconds: processor time of one expression on one object.
        paths: most that an expression may name.
        size: most bytes of one answer.
    """
    sys.path.append(packages)
    # here, where files can still be opened
    import jq  # noqa: F401

    for what, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _DESCRIPTORS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(what, (value, value))
    programs: dict[str, Any] = {}
    for line in sys.stdin.buffer:
        text = sys.stdin.buffer.readline().decode()
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        answer = json.dumps(_answer(programs, json.loads(line), text, paths)).encode()
        if len(answer) > size:
            answer = json.dumps({"error": f"names more than {size >> 10} KiB of paths"}).encode()
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.buffer.write(answer + b"\n")
        sys.stdout.buffer.flush()


def _answer(programs: dict[str, Any], expression: str, text: str, most: int) -> dict[str, Any]:
    if expression not in programs:
        if len(programs) >= _KEPT:
            programs.clear()
        try:
            programs[expression] = _compiled(expression, most)
        except ValueError as error:
            return {"error": _told(str(error), expression)}
    try:
        found = programs[expression].input_text(text).first()
    except StopIteration:
        return {"warning": "it ends the program"}
    except (ValueError, MemoryError, RecursionError) as error:
        return {"warning": str(error)[:500] or type(error).__name__}
    if len(found) > most:
        return {"error": f"names more than {most} paths in one object"}
    return {"paths": found}


def _compiled(expression: str, most: int) -> Any:
    import jq

    # in brackets an expression cannot import modules, which would read files; the line feed
    # ends a comment
    return jq.compile(f"[limit({most + 1}; path({expression}\n))]")


def _told(message: str, expression: str) -> str:
    """What the compiler has against it, without the program that we put around it."""
    first = message.splitlines()[0].removeprefix("jq: error: ")
    return first.partition(" at <top-level>")[0][:500] or f"is no jq: {expression[:100]}"


if __name__ == "__main__":
    os.environ.clear()  # the interpreter itself puts its locale there
    main(sys.argv[1], float(sys.argv[2]), *(int(value) for value in sys.argv[3:6]))
