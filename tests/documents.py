"""What documents show in blocks between fences."""

from __future__ import annotations

import re

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(text: str, *kinds: str) -> list[str]:
    """The blocks whose fence has one of these words behind it, in their order; "" for none."""
    return [block for kind, block in BLOCK.findall(text) if kind in kinds]


def commands(text: str) -> list[str]:
    """What console blocks have somebody type, in its order; they hold nothing else."""
    lines = [line for block in blocks(text, "console") for line in block.splitlines()]
    assert [it for it in lines if not it.startswith("$ ")] == []
    return [it.removeprefix("$ ") for it in lines]
