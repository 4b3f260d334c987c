"""Change each item."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar, overload

from rawasgi.streams.base import CloseOnce, Stream, owned

T = TypeVar("T")
U = TypeVar("U")


@overload
def map(source: AsyncIterable[T], function: Callable[[T], Awaitable[U]]) -> Stream[U]: ...
@overload
def map(source: AsyncIterable[T], function: Callable[[T], U]) -> Stream[U]: ...
def map(source: AsyncIterable[T], function: Callable[[T], object]) -> Stream[Any]:
    """Yield *function(item)* for each item of *source*; what it returns is awaited first, if it can be.

    Order: the source's. Reads ahead: nothing. Loses: nothing. Closes: source.
    Raises: what *source* and *function* raise, unchanged.
    """
    source = CloseOnce(source)
    return Stream(_map(source, function), source)


async def _map(source: AsyncIterable[T], function: Callable[[T], Any]) -> AsyncIterator[Any]:
    plain: type | None = None  # the last type seen that cannot be awaited: most functions return but one
    async with owned(source) as items:
        async for item in items:
            value = function(item)
            if type(value) is not plain:
                if hasattr(type(value), "__await__"):
                    value = await value
                else:
                    plain = type(value)
            yield value
