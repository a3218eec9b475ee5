from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.cluster.lines import LineTooLong, lines


async def split(*chunks: bytes, limit: int = 100, cut: bool = False) -> list[bytes]:
    async def stream() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return [line async for line in lines(stream(), limit=limit, cut=cut)]


@given(st.lists(st.binary(max_size=6).map(lambda b: b.replace(b"\n", b"x"))), st.data())
async def test_lines_do_not_depend_on_where_the_chunks_end(
    wanted: list[bytes], data: st.DataObject
) -> None:
    text = b"".join(line + b"\n" for line in wanted)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    ends = [0, *cuts, len(text)]

    found = await split(*(text[a:b] for a, b in itertools.pairwise(ends)))

    assert found == [line for line in wanted if line]


async def test_a_stream_that_broke_off_is_an_error() -> None:
    with pytest.raises(EOFError):
        await split(b"one\ntw")


async def test_a_long_line_is_an_error_before_it_is_kept() -> None:
    for chunks in ([b"x" * 11 + b"\n"], [b"x" * 6, b"x" * 6], [b"x" * 11]):
        with pytest.raises(LineTooLong):
            await split(*chunks, limit=10)


async def test_cut_shortens_lines_and_takes_the_last_as_it_is() -> None:
    found = await split(b"a" * 8, b"a" * 8, b"\nb\nlast", limit=10, cut=True)

    assert found == [b"a" * 10, b"b", b"last"]
