"""merge."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable

import clock
import pytest

from rawasgi.streams import merge


async def paced(name: str, *pauses: float, log: list[str] | None = None) -> AsyncGenerator[str, None]:
    try:
        for pause in pauses:
            await asyncio.sleep(pause)
            yield f"{name} at {clock.now():g}"
    finally:
        await asyncio.sleep(0.5)
        if log is not None:
            log.append(f"{name} closed at {clock.now():g}")


async def failing(error: BaseException, after: float, clean_up: Exception | None = None) -> AsyncGenerator[str, None]:
    try:
        await asyncio.sleep(after)
        yield "item"
        raise error
    finally:
        if clean_up is not None:
            raise clean_up


async def collect(stream: AsyncIterable[str], items: list[str] | None = None) -> list[str]:
    items = [] if items is None else items
    async for item in stream:
        items.append(item)
    return items


def test_items_come_in_order_of_arrival() -> None:
    async def main() -> None:
        stream = merge(paced("a", 1, 3, 3), paced("b", 2, 3, 1), paced("c"))
        assert await collect(stream) == ["a at 1", "b at 2", "a at 4", "b at 5", "b at 6", "a at 7"]

    clock.run(main())


def test_nothing_merged_is_an_empty_stream() -> None:
    async def main() -> None:
        assert await collect(merge()) == []

    clock.run(main())


def test_a_source_that_is_always_ready_does_not_keep_the_others_away() -> None:
    async def main() -> None:
        items = await collect(merge(paced("a", *[0] * 20), paced("b", *[0] * 20)))
        assert {item[0] for item in items[:4]} == {"a", "b"}
        assert len(items) == 40

    clock.run(main())


def test_a_source_goes_on_when_its_item_is_taken_and_waits_until_then() -> None:
    async def main() -> None:
        stream = merge(paced("a", 1, 1, 1), paced("b", 10))
        assert await anext(stream) == "a at 1"
        await asyncio.sleep(20)
        assert await collect(stream) == ["a at 2", "b at 10", "a at 22"]

    clock.run(main())


def test_an_error_ends_the_others_and_comes_unchanged_when_they_are_closed() -> None:
    async def main() -> None:
        log: list[str] = []
        error = ValueError("mine")
        items: list[str] = []
        stream = merge(paced("a", 1, 100, log=log), failing(error, 2), paced("b", 100, log=log))
        with pytest.raises(ValueError, match="mine") as raised:
            await collect(stream, items)
        assert raised.value is error
        assert items == ["a at 1", "item"]
        assert log == ["a closed at 2.5", "b closed at 2.5"]
        assert not hasattr(error, "__notes__")

    clock.run(main())


def test_what_came_before_an_error_is_not_lost() -> None:
    async def main() -> None:
        async def fail() -> str:
            await asyncio.sleep(3)
            raise ValueError("mine")

        async def source() -> AsyncGenerator[str, None]:
            yield await fail()

        stream = merge(paced("a", 1, 1), source())
        assert await anext(stream) == "a at 1"
        await asyncio.sleep(10)
        assert await anext(stream) == "a at 2"
        with pytest.raises(ValueError, match="mine"):
            await anext(stream)

    clock.run(main())


def test_an_error_of_closing_the_others_is_a_note_of_the_first() -> None:
    async def main() -> None:
        first, second = ValueError("first"), OSError("second")
        stream = merge(failing(ValueError("not reached"), 100, second), failing(first, 1))
        with pytest.raises(ValueError, match="first") as raised:
            await collect(stream)
        assert raised.value is first
        assert first.__notes__ == ["Then came, in another task: OSError('second')"]

    clock.run(main())


def test_closing_raises_what_the_clean_up_of_a_source_raises_once_all_are_closed() -> None:
    async def main() -> None:
        log: list[str] = []
        error = OSError("clean-up")
        stream = merge(failing(ValueError("not reached"), 1, error), paced("a", 100, log=log))
        await anext(stream)
        await asyncio.sleep(0)
        with pytest.raises(OSError, match="clean-up"):
            await stream.aclose()
        assert log == ["a closed at 1.5"]

    clock.run(main())


def test_a_source_that_is_cancelled_from_within_is_an_error() -> None:
    async def main() -> None:
        log: list[str] = []
        stream = merge(failing(asyncio.CancelledError(), 1), paced("a", 100, log=log))
        with pytest.raises(RuntimeError, match=r"a source of merge\(\) was cancelled, but not by merge"):
            await collect(stream)
        assert log == ["a closed at 1.5"]

    clock.run(main())


def test_a_reader_that_is_cancelled_before_the_tasks_began_closes_the_sources() -> None:
    async def main() -> None:
        sources = [paced("a", 1), paced("b", 1)]
        reader = asyncio.ensure_future(anext(merge(*sources)))
        asyncio.get_running_loop().call_soon(reader.cancel)
        await asyncio.wait([reader])
        assert reader.cancelled()
        for source in sources:
            with pytest.raises(StopAsyncIteration):
                await anext(source)

    clock.run(main())


def test_a_task_that_is_cancelled_from_outside_while_its_item_waits_is_an_error() -> None:
    async def main() -> None:
        others = asyncio.all_tasks()
        stream = merge(paced("a", 1, 1), paced("b", 1, 1))
        assert await anext(stream) == "a at 1"
        await asyncio.sleep(0.1)
        for task in asyncio.all_tasks() - others:
            task.cancel()
        assert await anext(stream) == "b at 1"
        with pytest.raises(RuntimeError, match="was cancelled"):
            await collect(stream)

    clock.run(main())


def test_each_source_has_a_task_of_its_own_for_its_whole_life() -> None:
    tasks: list[set[object]] = []

    async def source() -> AsyncGenerator[str, None]:
        seen: set[object] = {asyncio.current_task()}
        tasks.append(seen)
        try:
            for _ in range(3):
                yield ""
                seen.add(asyncio.current_task())
        finally:
            await asyncio.sleep(1)
            seen.add(asyncio.current_task())

    async def main() -> None:
        await collect(merge(source(), source()))
        stream = merge(source(), source())
        await anext(stream)
        await anext(stream)
        await stream.aclose()
        assert [len(seen) for seen in tasks] == [1] * 4
        assert len(set.union(*tasks)) == 4

    clock.run(main())
