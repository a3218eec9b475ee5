"""Chunks of bytes → lines. aiohttp's own line reader gives up at 128 KiB."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator


class LineTooLong(ValueError):
    """A line is longer than the limit."""


async def lines(
    chunks: AsyncIterable[bytes], *, limit: int, cut: bool = False
) -> AsyncIterator[bytes]:
    """The lines in ``chunks`` without their ends; empty ones are left out.

    Args:
        limit: bytes a line; ``cut`` drops what is beyond, otherwise it is an error.

    Raises:
        LineTooLong: see ``limit``.
        EOFError: the last line has no end, and ``cut`` is not set: something is missing.
    """
    kept: list[bytes] = []
    size = 0
    async for chunk in chunks:
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            kept.append(chunk[start:end])
            line = b"".join(kept)
            if len(line) > limit and not cut:
                raise LineTooLong(f"a line is longer than {limit} bytes")
            if line:
                yield line[:limit]
            kept, size, start = [], 0, end + 1
        rest = chunk[start:]
        size += len(rest)
        if size > limit and not cut:
            raise LineTooLong(f"a line is longer than {limit} bytes")
        if rest and size - len(rest) < limit:  # what lies beyond is not even kept
            kept.append(rest)
    last = b"".join(kept)
    if last and not cut:
        raise EOFError("the last line has no end")
    if last:
        yield last[:limit]
