"""Keep some of the items."""

from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any, TypeVar

from rawasgi.streams.base import CloseOnce, Stream, owned

T = TypeVar("T")


def filter(source: AsyncIterable[T], predicate: Callable[[T], object]) -> Stream[T]:
    """Yield the items of *source* for which *predicate(item)* is true; what it returns is awaited first, if it can be.

    Order: the source's. Reads ahead: nothing. Loses: what *predicate* refuses. Closes: source.
    Raises: what *source* and *predicate* raise, unchanged.
    """
    source = CloseOnce(source)
    return Stream(_filter(source, predicate), source)


async def _filter(source: AsyncIterable[T], predicate: Callable[[T], Any]) -> AsyncIterator[T]:
    plain: type | None = None  # the last type seen that cannot be awaited: most predicates return but one
    async with owned(source) as items:
        async for item in items:
            verdict = predicate(item)
            if type(verdict) is not plain:
                if hasattr(type(verdict), "__await__"):
                    verdict = await verdict
                else:
                    plain = type(verdict)
            if verdict:
                yield item
