"""Say something whenever the source is silent."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import TypeVar

from rawasgi.streams.base import CloseOnce, Stream
from rawasgi.streams.reading import Pull

T = TypeVar("T")
U = TypeVar("U")


def heartbeat(source: AsyncIterable[T], every: float, beat: Callable[[], U]) -> Stream[T | U]:
    """Yield from *source*, and *beat()* after each *every* seconds of silence.

    Order: the source's. Reads ahead: one item. Loses: nothing. Closes: source.
    Raises: what *source* and *beat* raise, unchanged; ValueError unless *every* is more than 0.
    """
    if not every > 0:
        raise ValueError(f"a heartbeat must come every so many seconds, not {every!r}: leave it out instead")
    source = CloseOnce(source)
    return Stream(_heartbeat(source, every, beat), source)


async def _heartbeat(source: AsyncIterable[T], every: float, beat: Callable[[], U]) -> AsyncIterator[T | U]:
    now = asyncio.get_running_loop().time
    async with Pull(source) as pull:
        while True:
            if not pull.advance():
                while not await pull.wait(now() + every):
                    yield beat()
            if pull.over:
                return
            yield pull.item
