"""What every wrapper of a stream must do, whatever else it does.

A new wrapper is held to this by one line in WRAPPERS: its name, how it wraps one source, and how many items it may have
asked for that its reader has not taken.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Generator
from contextvars import ContextVar
from typing import TypeVar

import clock
import pytest

from rawasgi import streams
from rawasgi.streams import Stream

T = TypeVar("T")
Wrap = Callable[[AsyncIterable[object]], Stream[object]]

BEAT = "beat"
LONG = 1_000_000.0
PAUSES = (None, 0, 1.0)  # of a source before each item: none at all, one turn of the loop, seconds


async def later(item: T) -> T:
    await asyncio.sleep(0)
    return item


async def yes(item: object) -> bool:
    return True


async def nothing() -> AsyncGenerator[object, None]:
    for item in list[object]():
        yield item


WRAPPERS: dict[str, tuple[Wrap, int]] = {
    "map": (lambda source: streams.map(source, lambda item: item), 0),
    "map async": (lambda source: streams.map(source, later), 0),
    "filter": (lambda source: streams.filter(source, lambda item: True), 0),
    "filter async": (lambda source: streams.filter(source, yes), 0),
    "heartbeat": (lambda source: streams.heartbeat(source, LONG, lambda: BEAT), 0),
    "heartbeat that beats": (lambda source: streams.heartbeat(source, 0.3, lambda: BEAT), 1),
    "timeout": (lambda source: streams.timeout(source, LONG), 0),
    "deadline": (lambda source: streams.deadline(source, LONG), 0),
    "batch of 1": (lambda source: streams.batch(source, 1), 0),
    "batch of 3": (lambda source: streams.batch(source, 3), 0),
    "batch by age": (lambda source: streams.batch(source, 3, 0.3), 1),
    "buffer of 1": (lambda source: streams.buffer(source, 1), 1),
    "buffer of 3": (lambda source: streams.buffer(source, 3), 3),
    "merge": (lambda source: streams.merge(source), 1),
    "merge with one that ends": (lambda source: streams.merge(nothing(), source), 1),
    "all": (
        lambda source: streams.map(
            streams.timeout(streams.heartbeat(streams.deadline(source, LONG), 0.3, lambda: BEAT), LONG), later
        ),
        1,
    ),
    "all, over tasks": (
        lambda source: streams.heartbeat(streams.buffer(streams.merge(source), 1), 0.3, lambda: BEAT),
        3,
    ),
}
wrapped = pytest.mark.parametrize("name", WRAPPERS)


class Source:
    """Counts what is asked of it. *pause* is how long it waits before each item: None for never, 0 for one turn."""

    def __init__(self, count: int = 5, pause: float | None = None, error: BaseException | None = None) -> None:
        self.count = count
        self.pause = pause
        self.error = error
        self.asked = 0
        self.log: list[str] = []
        self.clean_up: Callable[[], Awaitable[object]] = lambda: asyncio.sleep(2)

    async def items(self) -> AsyncGenerator[object, None]:
        self.log.append("opened")
        try:
            for number in range(self.count):
                self.asked += 1
                if self.pause is not None:
                    await asyncio.sleep(self.pause)
                yield number
            if self.error is not None:
                raise self.error
        except asyncio.CancelledError:
            self.log.append("cancelled")
            raise
        finally:
            await self.clean_up()
            self.log.append("closed")


class Plain:
    """An async iterator that is no generator; *how* makes what is awaited for an item."""

    def __init__(self, how: Callable[[int], Awaitable[object]], count: int = 3) -> None:
        self.how = how
        self.left = count
        self.closed = 0

    def __aiter__(self) -> "Plain":
        return self

    def __anext__(self) -> Awaitable[object]:
        if not self.left:
            raise StopAsyncIteration
        self.left -= 1
        return self.how(self.left)

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.closed += 1


def flat(item: object) -> list[object]:
    """The source's items in what a wrapper yields: a beat is none, a batch may be several."""
    return [] if item == BEAT else item if isinstance(item, list) else [item]


async def collect(stream: AsyncIterable[object], items: list[object] | None = None) -> list[object]:
    items = [] if items is None else items
    async for item in stream:
        items += flat(item)
    return items


async def first(stream: AsyncIterator[object]) -> object:
    """The first that comes of the source."""
    while True:
        items = flat(await anext(stream))
        if items:
            return items[0]


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
def test_a_reader_that_breaks_off_closes_the_source_and_its_clean_up_is_not_cut_off(name: str) -> None:
    async def main() -> None:
        for pause in PAUSES:
            source = Source(100, pause)
            stream = WRAPPERS[name][0](source.items())
            assert await first(stream) == 0
            await stream.aclose()
            assert source.log[0] == "opened"
            assert source.log[-1] == "closed"
            await stream.aclose()  # once more does no harm

    clock.run(main())


@wrapped
def test_a_reader_that_breaks_off_while_the_source_waits_closes_it_too(name: str) -> None:
    async def main() -> None:
        source = Source(100, 1.0)
        stream = WRAPPERS[name][0](source.items())
        await first(stream)
        await asyncio.sleep(0.1)  # who reads ahead waits by now
        await stream.aclose()
        assert source.log[-1] == "closed"

    clock.run(main())


@wrapped
def test_a_reader_that_is_cancelled_while_it_waits_cancels_and_closes_the_source(name: str) -> None:
    async def main() -> None:
        for after in (0, 1.5):
            source = Source(1000, 1.0)
            stream = WRAPPERS[name][0](source.items())
            reader = asyncio.create_task(collect(stream))
            await asyncio.sleep(after)
            reader.cancel()
            await asyncio.wait([reader])
            assert reader.cancelled()
            # a source whose task had not begun is not opened
            assert source.log == ["opened", "cancelled", "closed"] or (after == 0 and not source.log)
            await stream.aclose()

    clock.run(main())


@wrapped
def test_a_second_cancellation_cuts_the_clean_up_off_and_leaves_nothing(name: str) -> None:
    async def main() -> None:
        source = Source(100, 1.0)
        stream = WRAPPERS[name][0](source.items())
        reader = asyncio.create_task(collect(stream))
        await asyncio.sleep(1.5)
        reader.cancel()
        await asyncio.sleep(1.0)
        reader.cancel()
        await asyncio.wait([reader])
        assert clock.now() == 2.5
        assert reader.cancelled()
        assert source.log == ["opened", "cancelled"]
        await stream.aclose()

    clock.run(main())


@wrapped
def test_a_reader_that_is_cancelled_while_it_closes_is_cancelled(name: str) -> None:
    async def main() -> None:
        source = Source(100, 1.0)
        stream = WRAPPERS[name][0](source.items())
        await first(stream)
        closing = asyncio.create_task(stream.aclose())
        await asyncio.sleep(1.0)
        closing.cancel()
        await asyncio.wait([closing])
        assert closing.cancelled()
        assert source.log[-1] != "closed"

    clock.run(main())


@wrapped
def test_a_stream_that_was_never_started_closes_its_source(name: str) -> None:
    async def main() -> None:
        source = Plain(later)
        await WRAPPERS[name][0](source).aclose()
        assert source.closed >= 1
        assert source.left == 3

    clock.run(main())


@wrapped
def test_what_the_clean_up_raises_is_raised(name: str) -> None:
    async def main() -> None:
        error = OSError("closing")

        async def fail() -> None:
            await asyncio.sleep(1)
            raise error

        source = Source(100, 1.0)
        source.clean_up = fail
        stream = WRAPPERS[name][0](source.items())
        await first(stream)
        await asyncio.sleep(0.1)
        with pytest.raises(OSError, match="closing") as raised:
            await stream.aclose()
        assert raised.value is error

    clock.run(main())


@wrapped
def test_a_clean_up_may_wait_for_what_fails(name: str) -> None:
    async def main() -> None:
        async def fail() -> None:
            await asyncio.sleep(1)
            raise OSError("not reached")

        async def clean_up() -> None:
            for _ in range(2):
                with pytest.raises(OSError, match="not reached"):
                    await asyncio.create_task(fail())

        source = Source(100, 1.0)
        source.clean_up = clean_up
        stream = WRAPPERS[name][0](source.items())
        await first(stream)
        await asyncio.sleep(0.1)
        await stream.aclose()
        assert source.log[-1] == "closed"

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
            assert source.closed >= 1

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
