"""deadline."""

import asyncio
from collections.abc import AsyncGenerator

import clock
import pytest

from rawasgi.streams import DeadlineExceeded, deadline


async def paced(pause: float, log: list[str]) -> AsyncGenerator[float, None]:
    try:
        while True:
            await asyncio.sleep(pause)
            yield clock.now()
    finally:
        await asyncio.sleep(1)
        log.append(f"closed at {clock.now():g}")


async def numbers(count: int) -> AsyncGenerator[int, None]:
    for number in range(count):
        yield number


def test_items_come_until_then_and_the_source_is_closed_before_it_raises() -> None:
    async def main() -> None:
        log: list[str] = []
        stream = deadline(paced(3, log), 10)
        assert [await anext(stream) for _ in range(3)] == [3, 6, 9]
        with pytest.raises(DeadlineExceeded, match="not over in 10 s") as raised:
            await anext(stream)
        assert raised.value.which == "total"
        assert log == ["closed at 11"]

    clock.run(main())


def test_a_stream_that_is_over_in_time_is_not_disturbed() -> None:
    async def main() -> None:
        assert [item async for item in deadline(numbers(3), 10)] == [0, 1, 2]

    clock.run(main())


def test_it_counts_from_when_the_first_item_was_asked_for() -> None:
    async def main() -> None:
        stream = deadline(paced(3, []), 10)
        await asyncio.sleep(100)
        assert await anext(stream) == 103
        await stream.aclose()

    clock.run(main())


def test_the_time_of_a_slow_reader_counts_and_the_source_is_not_asked_again() -> None:
    async def main() -> None:
        log: list[str] = []
        stream = deadline(paced(3, log), 10)
        await anext(stream)
        await asyncio.sleep(20)
        with pytest.raises(TimeoutError):
            await anext(stream)
        assert log == ["closed at 24"]

    clock.run(main())


def test_a_source_that_is_always_ready_has_it_too() -> None:
    async def main() -> None:
        stream = deadline(numbers(1000), 10)
        for number in range(10):
            assert await anext(stream) == number
            clock.loop().selector.now += 1
        with pytest.raises(TimeoutError):
            await anext(stream)

    clock.run(main())


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_it_must_be_more_than_0_seconds_away(seconds: float) -> None:
    async def main() -> None:
        source = numbers(1)
        with pytest.raises(ValueError, match=f"more than 0 seconds away, not {seconds}"):
            deadline(source, seconds)
        await source.aclose()

    clock.run(main())
