"""What all wrappers share: a stream owns its sources, and who takes a stream owns it."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


async def close(*streams: object) -> None:
    """Close *streams*, last to first, each whatever the others raise.

    What has no ``aclose`` needs none. Raises: the first error, once all are closed; the later ones are its context.
    """
    if not streams:
        return
    *before, last = streams
    try:
        aclose = getattr(last, "aclose", None)
        if aclose is not None:
            await aclose()
    finally:
        await close(*before)


class Stream(AsyncIterator[T_co], Generic[T_co]):
    """An async iterator that closes what is under it, also when it was never started.

    *items* is the wrapper's async generator, *sources* what it reads. A generator that was never started is closed
    without running, so its own ``finally`` cannot close the sources: this does.
    """

    __slots__ = ("__weakref__", "_items", "_sources")

    def __init__(self, items: AsyncIterator[T_co], *sources: object) -> None:
        self._items = items
        self._sources = sources

    def __aiter__(self) -> AsyncIterator[T_co]:
        return self._items  # not self: an item then costs no call of ours; who closes the stream has the stream

    def __anext__(self) -> Awaitable[T_co]:
        return self._items.__anext__()

    async def aclose(self) -> None:
        """Close the wrapper, then its sources, last to first. Raises: what their clean-up raises."""
        await close(*self._sources, self._items)


def owned(*streams: AsyncIterable[T]) -> AbstractAsyncContextManager[AsyncIterator[T]]:
    """Close *streams*, last to first, on leaving the block; gives the first one's iterator."""
    return _owned(*streams)


@asynccontextmanager
async def _owned(*streams: AsyncIterable[T]) -> AsyncIterator[AsyncIterator[T]]:
    try:
        yield aiter(streams[0])
    finally:
        await close(*streams)
