"""Plain JSON values, compared without recursion and without Python's own ideas."""

from __future__ import annotations

from collections.abc import Mapping

#: Levels that the walks of this room go down; below, a value is taken as one piece. The
#: objects of Kubernetes stay far above it, those of an attacker need not.
MAX_DEPTH = 100


def same(one: object, other: object) -> bool:
    """Equal as JSON: ``1`` is not ``true``, though Python thinks so. Any depth."""
    waiting = [(one, other)]
    while waiting:
        left, right = waiting.pop()
        if left is right:
            continue
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            if left.keys() != right.keys():
                return False
            waiting.extend((left[key], right[key]) for key in left)
        elif isinstance(left, list) and isinstance(right, list):
            if len(left) != len(right):
                return False
            waiting.extend(zip(left, right, strict=True))
        elif isinstance(left, bool) != isinstance(right, bool) or left != right:
            return False
    return True


def number_text(value: float) -> str:
    """The digits of a number; of one with thousands of digits, which Python will not
    write in decimal, those to the base of 16."""
    try:
        return repr(value)
    except ValueError:
        return hex(int(value))
