"""Keep some of the items."""

from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import TypeVar

from rawasgi.streams.base import Stream, owned

T = TypeVar("T")


def filter(source: AsyncIterable[T], predicate: Callable[[T], object]) -> Stream[T]:
    """Yield the items of *source* for which *predicate* is true.

    Order: the source's. Reads ahead: nothing. Loses: what *predicate* refuses. Closes: source.
    Raises: what *source* and *predicate* raise, unchanged.
    """
    return Stream(_filter(source, predicate), source)


async def _filter(source: AsyncIterable[T], predicate: Callable[[T], object]) -> AsyncIterator[T]:
    async with owned(source):
        async for item in source:
            if predicate(item):
                yield item
