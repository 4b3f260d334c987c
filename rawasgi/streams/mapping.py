"""Change each item."""

from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import TypeVar

from rawasgi.streams.base import Stream, owned

T = TypeVar("T")
U = TypeVar("U")


def map(source: AsyncIterable[T], function: Callable[[T], U]) -> Stream[U]:
    """Yield *function(item)* for each item of *source*.

    Order: the source's. Reads ahead: nothing. Loses: nothing. Closes: source.
    Raises: what *source* and *function* raise, unchanged.
    """
    return Stream(_map(source, function), source)


async def _map(source: AsyncIterable[T], function: Callable[[T], U]) -> AsyncIterator[U]:
    async with owned(source):
        async for item in source:
            yield function(item)
