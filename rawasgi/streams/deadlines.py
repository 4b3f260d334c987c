"""Do not let a stream last too long."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import TypeVar

from rawasgi.streams.base import CloseOnce, DeadlineExceeded, Stream
from rawasgi.streams.reading import Pull

T = TypeVar("T")


def deadline(source: AsyncIterable[T], seconds: float, cleanup: float = 5.0) -> Stream[T]:
    """Yield from *source* for as long as *seconds* after the first item was asked for.

    Order: the source's. Reads ahead: nothing. Loses: what comes later. Closes: source, before it raises, in *cleanup*
    seconds at most: a clean-up that hangs is cut off, which a note of the error tells.
    Raises: DeadlineExceeded ("total"); what *source* raises, unchanged; ValueError unless *seconds* is more than 0.
    """
    if not seconds > 0:
        raise ValueError(f"a deadline must be more than 0 seconds away, not {seconds!r}: leave it out instead")
    source = CloseOnce(source)
    return Stream(_deadline(source, seconds, cleanup), source)


async def _deadline(source: AsyncIterable[T], seconds: float, cleanup: float) -> AsyncIterator[T]:
    now = asyncio.get_running_loop().time
    until = now() + seconds
    async with Pull(source) as pull:
        while now() < until:
            if not pull.advance() and not await pull.wait(until):
                break
            if pull.over:
                return
            yield pull.item
        await pull.cut(DeadlineExceeded(f"the stream was not over in {seconds} s", "total"), cleanup)
