"""Do not wait too long for an item."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import TypeVar

from rawasgi.streams.base import Pull, Stream

T = TypeVar("T")


def timeout(source: AsyncIterable[T], seconds: float) -> Stream[T]:
    """Yield from *source*, unless an item takes longer than *seconds* to come.

    Order: the source's. Reads ahead: nothing. Loses: the item that came too late. Closes: source, before it raises.
    Raises: TimeoutError; what *source* raises, unchanged; ValueError unless *seconds* is more than 0.
    """
    if not seconds > 0:
        raise ValueError(f"a timeout must be more than 0 seconds, not {seconds!r}: leave it out instead")
    return Stream(_timeout(source, seconds), source)


async def _timeout(source: AsyncIterable[T], seconds: float) -> AsyncIterator[T]:
    now = asyncio.get_running_loop().time
    async with Pull(source) as pull:
        while True:
            if not pull.advance() and not await pull.wait(now() + seconds):
                await pull.stop()
                raise TimeoutError(f"no item came for {seconds} s")
            if pull.over:
                return
            yield pull.item
