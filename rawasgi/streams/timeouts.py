"""Do not wait too long for an item."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import TypeVar

from rawasgi.streams.base import CloseOnce, DeadlineExceeded, Stream
from rawasgi.streams.reading import Pull

T = TypeVar("T")


def timeout(source: AsyncIterable[T], seconds: float, first: float | None = None, cleanup: float = 5.0) -> Stream[T]:
    """Yield from *source*, unless an item takes longer than *seconds* to come, or the first one longer than *first*.

    Without *first*, it has *seconds* as well. That is no wrapper of its own, because it may be the longer one: a model
    thinks for a minute, and then no word may take 5 s.
    Order: the source's. Reads ahead: nothing. Loses: the item that came too late. Closes: source, before it raises, in
    *cleanup* seconds at most: a clean-up that hangs is cut off, which a note of the error tells.
    Raises: DeadlineExceeded ("first", "idle"); what *source* raises, unchanged; ValueError unless both are more than 0.
    """
    for limit in (seconds, first):
        if limit is not None and not limit > 0:
            raise ValueError(f"a timeout must be more than 0 seconds, not {limit!r}: leave it out instead")
    source = CloseOnce(source)
    return Stream(_timeout(source, seconds, seconds if first is None else first, cleanup), source)


async def _timeout(source: AsyncIterable[T], seconds: float, first: float, cleanup: float) -> AsyncIterator[T]:
    now = asyncio.get_running_loop().time
    limit, kind = first, "first item"
    async with Pull(source) as pull:
        while True:
            if not pull.advance() and not await pull.wait(now() + limit):
                late = DeadlineExceeded(f"no {kind} came for {limit} s", "idle" if kind == "item" else "first")
                await pull.cut(late, cleanup)
            if pull.over:
                return
            yield pull.item
            limit, kind = seconds, "item"
