from __future__ import annotations

import asyncio

import pytest

from fleet.cluster.pacing import LARGEST, SMALLEST, START, Pacer, Window
from fleet.errors import ClusterBusy, ClusterUnreachable


def answer(window: Window, took: float, *, at: float = 0.0, in_flight: int = 999) -> None:
    window.answered(started=at, now=at + took, in_flight=in_flight)


def test_good_answers_widen_the_window_up_to_its_end() -> None:
    window = Window()
    for _ in range(int(START) * 2):
        answer(window, 0.01)
    assert START + 1 < window.size < START + 3

    for _ in range(10_000):
        answer(window, 0.01)
    assert window.size == LARGEST


def test_a_window_that_is_not_filled_does_not_grow() -> None:
    window = Window()
    for _ in range(1000):
        answer(window, 0.01, in_flight=3)
    assert window.size == START


def test_overload_halves_the_window_once_for_all_that_was_under_way() -> None:
    window = Window()
    for _ in range(10):
        window.refused(started=1.0, now=2.0)
    assert window.size == START / 2

    window.refused(started=3.0, now=4.0)
    assert window.size == START / 4


def test_the_window_never_closes() -> None:
    window = Window()
    for moment in range(50):
        window.refused(started=moment, now=moment + 0.5)
    assert window.slots == SMALLEST


@pytest.mark.parametrize(
    ("usual", "took", "cut"),
    [
        (0.01, 0.9, False),  # slower than usual, and still good
        (0.01, 1.5, True),
        (0.8, 1.5, False),  # a cluster that is always slow
        (0.8, 3.0, True),
    ],
)
def test_only_a_surge_of_slow_answers_counts(usual: float, took: float, cut: bool) -> None:
    window = Window()
    for _ in range(5):
        answer(window, usual, in_flight=0)

    answer(window, took, at=10.0)

    assert (window.size < START) is cut


async def test_callers_go_in_order_and_never_more_than_the_window() -> None:
    pacer, order, most = Pacer(), [], 0
    pacer.window.size = 3.0

    async def call(number: int) -> None:
        nonlocal most
        async with pacer.slot(short=False):
            order.append(number)
            most = max(most, pacer.in_flight)
            await asyncio.sleep(0)

    await asyncio.gather(*(call(number) for number in range(20)))

    assert order == list(range(20))
    assert most == 3
    assert pacer.in_flight == 0


async def test_a_caller_that_gives_up_leaves_no_hole() -> None:
    pacer = Pacer()
    pacer.window.size = 1.0

    async def enter() -> str:
        async with pacer.slot(short=False):
            return "in"

    async with pacer.slot(short=False):
        first, second, third = (asyncio.create_task(enter()) for _ in range(3))
        await asyncio.sleep(0)  # all three are in the queue
        first.cancel()
    # The second has its turn, but did not run since: the turn must go on to the third.
    second.cancel()

    assert await third == "in"
    assert first.cancelled()
    assert second.cancelled()
    assert pacer.in_flight == 0


async def test_a_long_pause_is_told_at_once_and_narrows_the_window() -> None:
    pacer = Pacer()
    with pytest.raises(ClusterBusy):
        async with pacer.slot(short=True):
            raise ClusterBusy("429", retry_after_seconds=100)

    with pytest.raises(ClusterBusy) as caught:
        async with pacer.slot(short=True):
            pytest.fail("nothing may be sent")

    assert 90 < caught.value.retry_after_seconds <= 100
    assert pacer.window.size == START / 2
    assert pacer.in_flight == 0


async def test_a_server_that_is_gone_is_told_to_the_whole_queue_at_once() -> None:
    pacer = Pacer()
    pacer.window.size = 1.0
    entered = 0

    async def call() -> None:
        nonlocal entered
        async with pacer.slot(short=True):
            entered += 1
            await asyncio.sleep(0)
            raise ClusterUnreachable("no answer in time", hint="look")

    found = await asyncio.gather(*(call() for _ in range(100)), return_exceptions=True)

    assert entered == 1
    assert {(type(e), str(e)) for e in found} == {(ClusterUnreachable, "no answer in time")}
    assert pacer.in_flight == 0
    with pytest.raises(ClusterUnreachable):  # the next one may try again
        await call()
    assert entered == 2


async def test_one_lost_call_among_answers_does_not_stop_the_queue() -> None:
    pacer = Pacer()
    pacer.window.size = 2.0
    answered = asyncio.Event()

    async def lost() -> None:
        async with pacer.slot(short=True):
            await answered.wait()
            raise ClusterUnreachable("connection reset")

    async def good() -> str:
        async with pacer.slot(short=True):
            await asyncio.sleep(0)
        answered.set()
        return "done"

    found = await asyncio.gather(lost(), *(good() for _ in range(10)), return_exceptions=True)

    assert isinstance(found[0], ClusterUnreachable)
    assert found[1:] == ["done"] * 10
