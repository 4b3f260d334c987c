"""What every wrapper of a stream must do, whatever else it does."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator
from contextvars import ContextVar

import clock
import pytest
from wrapping import PAUSES, WRAPPERS, Plain, Source, collect, flat, later, wrapped


@wrapped
def test_items_come_in_order_and_the_source_is_closed_when_the_stream_ends(name: str) -> None:
    async def main() -> None:
        for pause in (*PAUSES, 0.1):
            source = Source(7, pause)
            stream = WRAPPERS[name][0](source.items())
            assert await collect(stream) == [0, 1, 2, 3, 4, 5, 6]
            assert source.log == ["opened", "closed"]
            with pytest.raises(StopAsyncIteration):
                await anext(stream)
            await stream.aclose()

    clock.run(main())


@wrapped
def test_an_error_comes_unchanged_after_the_items_before_it_and_the_source_is_closed(name: str) -> None:
    async def main() -> None:
        for pause in PAUSES:
            for error in (ValueError("mine"), TimeoutError("mine"), ExceptionGroup("mine", [OSError()])):
                source = Source(4, pause, error)
                stream = WRAPPERS[name][0](source.items())
                items: list[object] = []
                with pytest.raises(type(error)) as raised:
                    await collect(stream, items)
                assert raised.value is error
                assert items == [0, 1, 2, 3]
                assert source.log == ["opened", "closed"]

    clock.run(main())


@wrapped
def test_a_timeout_within_the_source_is_its_own(name: str) -> None:
    async def source() -> AsyncGenerator[object, None]:
        for number in range(3):
            try:
                async with asyncio.timeout(0.8):
                    await asyncio.sleep(10)
            except TimeoutError:
                yield f"late {number}"
        async with asyncio.timeout(0.8):
            await asyncio.sleep(10)

    async def main() -> None:
        stream = WRAPPERS[name][0](source())
        items: list[object] = []
        with pytest.raises(TimeoutError) as raised:
            await collect(stream, items)
        assert raised.value.args == ()
        assert items == ["late 0", "late 1", "late 2"]
        assert clock.now() == pytest.approx(3.2)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    clock.run(main())


@wrapped
def test_a_task_group_within_the_source_is_its_own(name: str) -> None:
    async def fail() -> None:
        await asyncio.sleep(0.7)
        raise LookupError("one of two")

    async def source() -> AsyncGenerator[object, None]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(asyncio.sleep(0.5 * number, number)) for number in range(2)]
        for task in tasks:
            yield task.result()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
                await asyncio.sleep(10)
        except* LookupError:
            pass
        yield "went on"

    async def main() -> None:
        assert await collect(WRAPPERS[name][0](source())) == [0, 1, "went on"]
        assert clock.now() == pytest.approx(1.2)

    clock.run(main())


@wrapped
def test_a_timeout_of_the_reader_is_the_readers_own(name: str) -> None:
    async def main() -> None:
        source = Source(100, 5.0)
        stream = WRAPPERS[name][0](source.items())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(7):
                await collect(stream)
        assert source.log == ["opened", "cancelled", "closed"]

    clock.run(main())


@wrapped
def test_it_still_waits_in_a_task_that_was_cancelled_once(name: str) -> None:
    async def main() -> None:
        source = Source(3, 1.0)

        async def read() -> list[object]:
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                return await collect(WRAPPERS[name][0](source.items()))
            return []

        reader = asyncio.create_task(read())
        await asyncio.sleep(1)
        reader.cancel()
        assert await reader == [0, 1, 2]
        assert source.log == ["opened", "closed"]

    clock.run(main())


@wrapped
def test_no_more_is_read_ahead_than_it_says(name: str) -> None:
    async def main() -> None:
        wrap, ahead = WRAPPERS[name]
        for pause in (None, 0.1):
            source = Source(2000, pause)
            stream = wrap(source.items())
            taken = len(flat(await anext(stream)))
            for _ in range(20):
                await asyncio.sleep(1)
                assert source.asked <= taken + ahead
                taken += len(flat(await anext(stream)))
            await stream.aclose()

    clock.run(main())


@wrapped
def test_the_source_sees_the_context_of_its_reader(name: str) -> None:
    async def main() -> None:
        async def source() -> AsyncGenerator[object, None]:
            yield var.get()
            await asyncio.sleep(1)
            yield var.get()

        var = ContextVar("var", default="unset")
        var.set("set")
        assert await collect(WRAPPERS[name][0](source())) == ["set", "set"]

    clock.run(main())


@wrapped
def test_each_item_may_be_read_by_another_task_in_its_own_context(name: str) -> None:
    async def main() -> None:
        var = ContextVar("var", default=-1)
        source = Source(100, 1.0)
        stream = WRAPPERS[name][0](source.items())
        items: list[object] = []

        async def read(number: int) -> None:
            var.set(number)
            items.extend(flat(await anext(stream)))
            assert var.get() == number

        number = 0
        while len(items) < 9:
            await asyncio.create_task(read(number))
            assert var.get() == -1
            number += 1
        await stream.aclose()
        assert items == list(range(len(items)))
        assert source.log[-1] == "closed"

    clock.run(main())


class Once:
    """What ``await`` accepts, but is neither a coroutine nor a generator: an iterator."""

    def __init__(self, item: object) -> None:
        self.item = item
        self.turns = 2

    def __await__(self) -> Generator[None, None, object]:
        return self  # type: ignore[return-value]  # an iterator will do for await

    def __iter__(self) -> "Once":
        return self

    def __next__(self) -> None:
        self.turns -= 1
        if self.turns < 0:
            raise StopIteration(self.item)


async def given(item: object) -> object:
    return item


@wrapped
def test_a_source_need_not_be_a_generator(name: str) -> None:
    async def main() -> None:
        hows: list[Callable[[int], Awaitable[object]]] = [given, later, Once]
        for how in hows:
            source = Plain(how)
            assert await collect(WRAPPERS[name][0](source)) == [2, 1, 0]
            assert source.closed == 1

    clock.run(main())


@wrapped
def test_a_source_need_not_have_aclose(name: str) -> None:
    class Bare(AsyncIterator[object]):
        left = 3

        async def __anext__(self) -> object:
            if not self.left:
                raise StopAsyncIteration
            self.left -= 1
            return self.left

    async def main() -> None:
        assert await collect(WRAPPERS[name][0](Bare())) == [2, 1, 0]

    clock.run(main())


@wrapped
def test_an_endless_source_that_is_always_ready_can_be_broken_off(name: str) -> None:
    async def main() -> None:
        source = Source(10_000_000)
        stream = WRAPPERS[name][0](source.items())
        count = 0
        async for item in stream:
            count += len(flat(item))
            if count >= 1000:
                break
        await stream.aclose()
        assert source.log == ["opened", "closed"]

    clock.run(main())


@wrapped
def test_two_streams_do_not_disturb_each_other(name: str) -> None:
    async def main() -> None:
        sources = [Source(5, 0.1 * number + 0.1) for number in range(4)]
        results = await asyncio.gather(*(collect(WRAPPERS[name][0](source.items())) for source in sources))
        assert results == [[0, 1, 2, 3, 4]] * 4

    clock.run(main())
