"""Several items at a time."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import TypeVar

from rawasgi.streams.base import CloseOnce, Stream
from rawasgi.streams.reading import Pull

T = TypeVar("T")


def batch(source: AsyncIterable[T], max_items: int, max_age: float | None = None) -> Stream[list[T]]:
    """Yield lists of up to *max_items* items; a list whose first item is *max_age* seconds old goes out as it is.

    Order: the source's. Reads ahead: *max_items*. Loses: nothing: what was collected comes before the end, and before
    the source's error. Closes: source.
    Raises: what *source* raises, unchanged; ValueError for fewer than 1 item or no age.
    """
    if max_items < 1:
        raise ValueError(f"a batch must hold 1 item or more, not {max_items!r}")
    if max_age is not None and not max_age > 0:
        raise ValueError(f"the age of a batch must be more than 0 seconds, not {max_age!r}: leave it out instead")
    source = CloseOnce(source)
    return Stream(_batch(source, max_items, max_age), source)


async def _batch(source: AsyncIterable[T], max_items: int, max_age: float | None) -> AsyncIterator[list[T]]:
    now = asyncio.get_running_loop().time
    async with Pull(source) as pull:
        items: list[T] = []
        until: float | None = None
        came = True
        while True:
            try:
                came = (came and pull.advance()) or await pull.wait(until)
            except Exception:
                if items:
                    yield items
                raise
            if pull.over:
                break
            if came:
                items.append(pull.item)
                if max_age is not None and len(items) == 1:
                    until = now() + max_age
            # A source that is always ready never waits, so nothing but the clock can tell how old its items are.
            if len(items) >= max_items or (until is not None and now() >= until):
                yield items
                items, until = [], None
        if items:
            yield items
