"""Files that the user names on the command line."""

from __future__ import annotations

import sys
from pathlib import Path

from fleet.errors import UsageError

LARGEST = 4 << 20  # bytes of a key, a certificate or a known_hosts file


def text_of(name: str, *, largest: int = LARGEST) -> str:
    """The text of a file; ``-`` is standard input.

    Raises:
        UsageError: it cannot be read, is no text, or is larger than anything sensible.
    """
    try:
        if name == "-":
            content = sys.stdin.buffer.read(largest + 1)
        else:
            with Path(name).expanduser().open("rb") as file:
                content = file.read(largest + 1)
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror}") from None
    if len(content) > largest:
        raise UsageError(f"{name}: is larger than {largest >> 20} MiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{name}: is not UTF-8 text") from None
