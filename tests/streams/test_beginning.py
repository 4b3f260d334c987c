"""begun."""

import asyncio
from collections.abc import AsyncGenerator

import anyio
import clock
import pytest
from wrapping import PAUSES, Plain, Source, collect, later

from rawasgi.streams import DeadlineExceeded, begun, deadline, heartbeat, timeout


@pytest.mark.parametrize("pause", PAUSES)
@pytest.mark.parametrize("count", [0, 1, 5])
def test_it_waits_for_the_first_item_and_loses_none(count: int, pause: float | None) -> None:
    async def main() -> None:
        source = Source(count, pause)
        stream = await begun(source.items())
        assert source.asked == min(count, 1)
        assert source.log == (["opened"] if count else ["opened", "closed"])
        assert await collect(stream) == list(range(count))
        assert source.log == ["opened", "closed"]

    clock.run(main())


@pytest.mark.parametrize("pause", PAUSES)
def test_an_error_before_the_first_item_is_raised_there_and_one_after_it_by_the_stream(pause: float | None) -> None:
    async def main() -> None:
        error = LookupError("mine")
        source = Source(0, pause, error)
        with pytest.raises(LookupError) as raised:
            await begun(source.items())
        assert raised.value is error
        assert source.log == ["opened", "closed"]
        source = Source(2, pause, error)
        stream = await begun(source.items())
        items: list[object] = []
        with pytest.raises(LookupError):
            await collect(stream, items)
        assert items == [0, 1]
        assert source.log == ["opened", "closed"]

    clock.run(main())


def test_each_deadline_closes_the_source_and_is_raised_there() -> None:
    async def main() -> None:
        first, total = Source(3, 60), Source(3, 60)
        with pytest.raises(DeadlineExceeded, match="no first item came for 10 s"):
            await begun(timeout(first.items(), 100, first=10))
        with pytest.raises(DeadlineExceeded, match="not over in 10 s"):
            await begun(deadline(total.items(), 10))
        assert first.log == total.log == ["opened", "cancelled", "closed"]

    clock.run(main())


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_the_stream_closes_the_source_wherever_it_is_left(taken: int) -> None:
    async def main() -> None:
        source = Source(5, 1)
        stream = await begun(source.items())
        assert [await anext(stream) for _ in range(taken)] == list(range(taken))
        await stream.aclose()
        assert source.log == ["opened", "closed"]

    clock.run(main())


def test_who_is_cancelled_meanwhile_closes_the_source() -> None:
    async def main() -> None:
        source = Source(5, 100)
        waiting = asyncio.ensure_future(begun(source.items()))
        await asyncio.sleep(1)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        assert source.log == ["opened", "cancelled", "closed"]

    clock.run(main())


def test_a_source_that_is_no_generator_is_closed_too() -> None:
    async def failing(left: int) -> object:
        raise OSError(left)

    async def main() -> None:
        source = Plain(later)
        assert await collect(await begun(source)) == [2, 1, 0]
        assert source.closed >= 1
        source = Plain(failing)
        with pytest.raises(OSError, match="2"):
            await begun(source)
        assert source.closed == 1

    clock.run(main())


def test_a_wait_of_other_wrappers_goes_on_where_it_was() -> None:
    async def paced() -> AsyncGenerator[str, None]:
        for item in ("a", "b"):
            await asyncio.sleep(9)
            yield item

    async def main() -> None:
        stream = heartbeat(await begun(timeout(paced(), 10)), 4, lambda: "~")
        assert clock.now() == 9
        assert [item async for item in stream] == ["a", "~", "~", "b"]

    clock.run(main())


# For a bounded time


@pytest.mark.parametrize("max_wait", [0, 3, 3.5])
def test_a_source_that_takes_longer_is_waited_for_by_the_stream(max_wait: float) -> None:
    async def main() -> None:
        source = Source(3, 4)
        stream = await begun(source.items(), max_wait)
        assert clock.now() == max_wait
        assert source.log == ["opened"]
        assert [(item, clock.now()) async for item in stream] == [(0, 4), (1, 8), (2, 12)]
        assert source.log == ["opened", "closed"]

    clock.run(main())


def test_one_that_is_soon_enough_is_not() -> None:
    async def main() -> None:
        source = Source(3, 4)
        stream = await begun(source.items(), 5)
        assert clock.now() == 4
        await asyncio.sleep(60)  # nothing of the wait is left
        assert await collect(stream) == [0, 1, 2]

    clock.run(main())


def test_an_error_or_the_end_after_that_time_is_the_streams() -> None:
    async def main() -> None:
        error = LookupError("mine")
        stream = await begun(Source(0, 4, error).items(), 1)
        with pytest.raises(LookupError) as raised:
            await collect(stream)
        assert raised.value is error
        assert await collect(await begun(Source(0, 4).items(), 1)) == []

    clock.run(main())


@pytest.mark.parametrize("started", [True, False])
def test_the_stream_closes_a_source_that_still_waits(started: bool) -> None:
    async def main() -> None:
        source = Source(5, 100)
        stream = await begun(source.items(), 1)
        if started:
            reading = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(1)
            reading.cancel()
            await asyncio.wait([reading])
        await stream.aclose()
        assert source.log == ["opened", "cancelled", "closed"]

    clock.run(main())


def test_a_source_may_hold_a_scope_of_anyio_in_that_wait() -> None:
    async def scoped() -> AsyncGenerator[str, None]:
        with anyio.move_on_after(3):
            await anyio.sleep(60)
        yield "after the scope"

    async def main() -> None:
        stream = await begun(scoped(), 1)
        assert [item async for item in stream] == ["after the scope"]
        assert clock.now() == 3

    clock.run(main())
