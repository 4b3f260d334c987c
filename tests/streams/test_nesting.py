"""Generators in generators: whoever closes the outer one closes them all, and the test fails if one is collected.

``conftest.watch`` sees what is left to the garbage collector, and what is still open in the end.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

import clock
import pytest

from rawasgi import streams
from rawasgi.streams.base import close

Make = Callable[[], AsyncGenerator[int, None]]
log: list[str] = []


@pytest.fixture(autouse=True)
def nothing_is_logged() -> None:
    log.clear()


async def cleanup(name: str) -> None:
    await asyncio.sleep(1)  # as giving a connection back does
    log.append(name)


async def inner() -> AsyncGenerator[int, None]:
    try:
        for number in range(1000):
            yield number
    finally:
        await cleanup("inner")


async def mid() -> AsyncGenerator[int, None]:
    try:
        async for number in inner():
            yield number
    finally:
        await cleanup("mid")


async def outer() -> AsyncGenerator[int, None]:
    try:
        async for number in mid():
            yield number
    finally:
        await cleanup("outer")


async def with_a_name() -> AsyncGenerator[int, None]:
    rows = mid()
    try:
        async for number in rows:
            yield number
    finally:
        await cleanup("outer")


async def by_hand() -> AsyncGenerator[int, None]:
    rows = mid()
    try:
        while True:
            yield await anext(rows)
    finally:
        await cleanup("outer")


async def mapped() -> AsyncGenerator[int, None]:
    try:
        async for number in streams.map(mid(), lambda number: number):
            yield number
    finally:
        await cleanup("outer")


async def owning() -> AsyncGenerator[int, None]:
    async with aclosing(mid()) as rows:
        try:
            async for number in rows:
                yield number
        finally:
            await cleanup("outer")


async def pausing() -> AsyncGenerator[int, None]:
    try:
        async for number in mid():
            yield number
            await asyncio.sleep(60)
    finally:
        await cleanup("outer")


async def pausing_with_a_name() -> AsyncGenerator[int, None]:
    rows = mid()
    try:
        async for number in rows:
            yield number
            await asyncio.sleep(60)
    finally:
        await cleanup("outer")


INNER_FIRST = ["inner", "mid", "outer"]
OUTER_FIRST = ["outer", "inner", "mid"]
AT_YIELD: dict[str, tuple[Make, list[str]]] = {
    "anonymous": (outer, INNER_FIRST),
    "with a name": (with_a_name, OUTER_FIRST),  # which its clean-up might still read
    "by hand": (by_hand, OUTER_FIRST),
    "under a wrapper": (mapped, INNER_FIRST),
    "closed by itself": (owning, ["outer", "mid", "inner"]),  # but not what it reads
}
ELSEWHERE: dict[str, tuple[Make, list[str]]] = {
    "anonymous": (pausing, OUTER_FIRST),  # it ends by its own cancellation
    "with a name": (pausing_with_a_name, OUTER_FIRST),
}
at_yield = pytest.mark.parametrize(("make", "order"), AT_YIELD.values(), ids=AT_YIELD)
elsewhere = pytest.mark.parametrize(("make", "order"), ELSEWHERE.values(), ids=ELSEWHERE)
WRAPPERS: dict[str, Callable[[AsyncIterator[int]], AsyncIterator[int]]] = {
    "none": lambda items: items,
    "map": lambda items: streams.map(items, lambda number: number),
    "heartbeat": lambda items: streams.heartbeat(items, 7, lambda: -1),
    "timeout": lambda items: streams.timeout(items, 1000),
    "conclude": lambda items: streams.conclude(items, lambda count: None, lambda error: None),
    "buffer": lambda items: streams.buffer(items, 3),
}
wrapped = pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)


@at_yield
def test_closing_the_outer_closes_them_all_before_it_returns(make: Make, order: list[str]) -> None:
    async def main() -> None:
        generator = make()
        assert [await anext(generator) for _ in range(3)] == [0, 1, 2]
        await close(generator)
        assert log == order

    clock.run(main())


@wrapped
@at_yield
def test_so_it_is_under_each_wrapper(
    make: Make, order: list[str], wrap: Callable[[AsyncIterator[int]], AsyncIterator[int]]
) -> None:
    async def main() -> None:
        stream = wrap(make())
        assert [await anext(stream) for _ in range(3)] == [0, 1, 2]
        await close(stream)
        assert log == order

    clock.run(main())


@wrapped
@elsewhere
def test_and_when_it_is_cancelled_between_two_items(
    make: Make, order: list[str], wrap: Callable[[AsyncIterator[int]], AsyncIterator[int]]
) -> None:
    async def main() -> None:
        stream = streams.heartbeat(wrap(make()), 5, lambda: -1)
        assert [await anext(stream) for _ in range(2)] == [0, -1]
        await close(stream)
        assert log == order

    clock.run(main())


# What is not ours to close


def test_one_that_somebody_else_reads_too_stays_open() -> None:
    shared = inner()

    async def borrowing() -> AsyncGenerator[int, None]:
        async for number in shared:
            yield number

    async def main() -> None:
        generator = borrowing()
        assert await anext(generator) == 0
        await close(generator)
        assert log == []
        assert await anext(shared) == 1
        await shared.aclose()

    clock.run(main())


def test_so_does_one_that_is_read_without_a_name() -> None:
    pool: list[AsyncGenerator[int, None]] = []

    async def borrowing() -> AsyncGenerator[int, None]:
        async for number in pool[0]:
            yield number

    async def main() -> None:
        pool.append(inner())
        generator = borrowing()
        assert await anext(generator) == 0
        await close(generator)
        assert await anext(pool[0]) == 1
        await pool[0].aclose()

    clock.run(main())


def test_what_a_generator_reads_that_another_task_advances_stays_open() -> None:
    async def main() -> None:
        generator = pausing()
        assert await anext(generator) == 0
        reading = asyncio.ensure_future(anext(generator))
        await asyncio.sleep(1)
        with pytest.raises(RuntimeError, match="already running"):
            await close(generator)
        assert log == []
        assert await reading == 1
        await close(generator)
        assert log == INNER_FIRST

    clock.run(main())


def test_one_that_was_handed_on_stays_open_too() -> None:
    async def borrowing(rows: AsyncIterator[int]) -> AsyncGenerator[int, None]:
        async for number in rows:
            yield number

    async def main() -> None:
        rows = inner()
        generator = borrowing(rows)
        assert await anext(generator) == 0
        await close(generator)
        assert await anext(rows) == 1
        await rows.aclose()

    clock.run(main())


def test_what_its_own_clean_up_reads_is_closed_after_it() -> None:
    read: list[int] = []

    async def draining() -> AsyncGenerator[int, None]:
        rows = inner()
        try:
            async for number in rows:
                yield number
        finally:
            read.append(await anext(rows))

    async def main() -> None:
        generator = draining()
        assert await anext(generator) == 0
        await close(generator)
        assert (read, log) == ([1], ["inner"])

    clock.run(main())
