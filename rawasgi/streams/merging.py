"""Several streams at once."""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator
from typing import Generic, TypeVar

from rawasgi.streams.base import Stream, close
from rawasgi.streams.stepping import is_cancelled

T = TypeVar("T")


def merge(*sources: AsyncIterable[T]) -> Stream[T]:
    """Yield from all *sources*, in the order in which their items come.

    Order: of arrival; within a source, its own. Reads ahead: one item a source. Loses: nothing, but what comes after an
    error. Closes: all sources, each in the task in which it ran.
    Raises: the first error of a source, unchanged, once the other sources are closed.
    """
    return Stream(_merge(sources), *sources)


async def _merge(sources: tuple[AsyncIterable[T], ...]) -> AsyncIterator[T]:
    # A task a source: a source may cancel the task it runs in (asyncio.timeout), and must be the only one in it.
    arrivals: _Arrivals[T] = _Arrivals()
    tasks = [asyncio.create_task(arrivals.read(source)) for source in sources]
    try:
        left = len(tasks)
        while left:
            arrival = await arrivals.take()
            if arrival is None:
                left -= 1
            elif isinstance(arrival, BaseException):
                raise arrival
            else:
                yield arrival[0]
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await close(*sources)  # those whose task had not begun


class _Arrivals(Generic[T]):
    """What has come, in order: an item, the end of a source (None) or its error."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._came: deque[tuple[tuple[T] | BaseException | None, asyncio.Future[None] | None]] = deque()
        self._wanted: asyncio.Future[None] | None = None

    async def read(self, source: AsyncIterable[T]) -> None:
        try:
            try:
                async for item in source:
                    taken = self._loop.create_future()
                    self._put((item,), taken)
                    await taken
            finally:
                await close(source)
        except asyncio.CancelledError:
            # Ours, or the source's own: without a cancellation of ours it is an error like any other.
            if not is_cancelled():
                self._put(RuntimeError("a source of merge() was cancelled from within"), None)
            raise
        except Exception as error:
            self._put(error, None)
        else:
            self._put(None, None)

    def _put(self, arrival: tuple[T] | BaseException | None, taken: "asyncio.Future[None] | None") -> None:
        self._came.append((arrival, taken))
        if self._wanted is not None and not self._wanted.done():
            self._wanted.set_result(None)

    async def take(self) -> tuple[T] | BaseException | None:
        while not self._came:
            self._wanted = self._loop.create_future()
            await self._wanted
        arrival, taken = self._came.popleft()
        if taken is not None:
            taken.set_result(None)
        return arrival
