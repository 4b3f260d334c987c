"""All wrappers of a stream, and what they are tried with.

A new wrapper is held to the contract (contracts/test_streams.py) by one line in WRAPPERS: its name, how it wraps one
source, and how many items it may have asked for that its reader has not taken.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import TypeVar

import pytest

from rawasgi import streams
from rawasgi.streams import Stream

T = TypeVar("T")
Wrap = Callable[[AsyncIterable[object]], Stream[object]]

BEAT = "beat"
LONG = 1_000_000.0
ENDLESS = 1_000_000  # what is dropped makes room
PAUSES = (None, 0, 1.0)  # of a source before each item: none at all, one turn of the loop, seconds


async def later(item: T) -> T:
    await asyncio.sleep(0)
    return item


async def yes(item: object) -> bool:
    return True


def raise_again(error: Exception) -> None:
    raise error


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
    "conclude": (lambda source: streams.conclude(source, lambda count: None, raise_again), 0),
    "timeout": (lambda source: streams.timeout(source, LONG), 0),
    "timeout with a first": (lambda source: streams.timeout(source, LONG, LONG), 0),
    "deadline": (lambda source: streams.deadline(source, LONG), 0),
    "batch of 1": (lambda source: streams.batch(source, 1), 0),
    "batch of 3": (lambda source: streams.batch(source, 3), 0),
    "batch by age": (lambda source: streams.batch(source, 3, 0.3), 1),
    "buffer of 1": (lambda source: streams.buffer(source, 1), 1),
    "buffer of 3": (lambda source: streams.buffer(source, 3), 3),
    "buffer without the oldest": (lambda source: streams.buffer(source, 100, "drop_oldest"), ENDLESS),
    "buffer without the newest": (lambda source: streams.buffer(source, 100, "drop_newest"), ENDLESS),
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


class Rows:
    """An async iterable that is no iterator: each call of ``__aiter__`` opens *source*."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def __aiter__(self) -> AsyncIterator[object]:
        return self.source.items()

    async def aclose(self) -> None:
        self.source.log.append("left")


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
