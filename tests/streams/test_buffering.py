"""buffer."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable

import clock
import pytest

from rawasgi.streams import buffer
from rawasgi.streams.buffering import WhenFull


async def paced(*pauses: float, error: Exception | None = None) -> AsyncGenerator[int, None]:
    for number, pause in enumerate(pauses):
        if pause:
            await asyncio.sleep(pause)
        yield number
    if error is not None:
        raise error


async def collect(stream: AsyncIterable[int]) -> list[int]:
    return [item async for item in stream]


def test_the_source_goes_on_while_the_reader_is_busy() -> None:
    async def main() -> None:
        seen = []
        async for item in buffer(paced(*[1] * 5), 2):
            seen.append((item, clock.now()))
            await asyncio.sleep(1)
        assert seen == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]

    clock.run(main())


def test_it_begins_to_read_when_the_first_item_is_asked_for() -> None:
    async def main() -> None:
        stream = buffer(paced(1, 1), 2)
        await asyncio.sleep(10)
        assert await anext(stream) == 0
        assert clock.now() == 11
        await stream.aclose()

    clock.run(main())


def test_it_waits_when_it_is_full_and_loses_nothing() -> None:
    async def main() -> None:
        stream = buffer(paced(*[1] * 6), 2)
        assert await anext(stream) == 0
        await asyncio.sleep(100)
        assert await collect(stream) == [1, 2, 3, 4, 5]
        assert clock.now() == 104  # two were there, three were read since
        assert stream.dropped == 0

    clock.run(main())


@pytest.mark.parametrize(("when_full", "kept"), [("drop_oldest", [8, 9]), ("drop_newest", [1, 2])])
def test_when_it_is_full_it_drops_and_counts(when_full: WhenFull, kept: list[int]) -> None:
    async def main() -> None:
        stream = buffer(paced(*[1] * 10), 2, when_full)
        assert await anext(stream) == 0
        await asyncio.sleep(100)
        assert await collect(stream) == kept
        assert stream.dropped == 7

    clock.run(main())


@pytest.mark.parametrize("when_full", ["wait", "drop_oldest", "drop_newest"])
def test_a_source_that_is_always_ready_lets_the_reader_come(when_full: WhenFull) -> None:
    async def main() -> None:
        async with asyncio.timeout(1):
            stream = buffer(paced(*[0] * 5000), 3, when_full)
            items = []
            for _ in range(100):
                items.append(await anext(stream))
                await asyncio.sleep(0)
            assert items == sorted(items)
            await stream.aclose()

    clock.run(main())


def test_an_error_comes_after_the_items_before_it() -> None:
    async def main() -> None:
        error = ValueError("mine")
        stream = buffer(paced(0, 0, error=error), 5)
        assert await anext(stream) == 0
        await asyncio.sleep(1)
        assert await anext(stream) == 1
        with pytest.raises(ValueError, match="mine") as raised:
            await anext(stream)
        assert raised.value is error

    clock.run(main())


def test_an_error_that_the_reader_has_not_come_to_is_raised_when_it_breaks_off() -> None:
    async def main() -> None:
        stream = buffer(paced(0, 0, error=ValueError("mine")), 5)
        assert await anext(stream) == 0
        await asyncio.sleep(1)
        with pytest.raises(ValueError, match="mine"):
            await stream.aclose()

    clock.run(main())


def test_a_reader_that_is_cancelled_before_the_task_began_closes_the_source() -> None:
    async def main() -> None:
        source = paced(1)
        reader = asyncio.ensure_future(anext(buffer(source, 1)))
        asyncio.get_running_loop().call_soon(reader.cancel)
        await asyncio.wait([reader])
        assert reader.cancelled()
        with pytest.raises(StopAsyncIteration):
            await anext(source)

    clock.run(main())


def test_it_must_hold_an_item_and_know_what_to_do_when_it_is_full() -> None:
    async def main() -> None:
        source = paced()
        with pytest.raises(ValueError, match="1 item or more, not 0"):
            buffer(source, 0)
        with pytest.raises(ValueError, match="not 'drop'"):
            buffer(source, 1, "drop")  # type: ignore[arg-type]  # so it is refused before, too
        await source.aclose()

    clock.run(main())
