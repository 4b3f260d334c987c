"""Several streams at once."""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator
from typing import Generic, TypeVar

from rawasgi.streams.base import CloseOnce, Stream, close, end, owned

T = TypeVar("T")


def merge(*sources: AsyncIterable[T]) -> Stream[T]:
    """Yield from all *sources*, in the order in which their items come.

    Order: of arrival; within a source, its own. Reads ahead: one item a source. Loses: nothing, but what comes after an
    error. Closes: all sources, each in the task in which it ran.
    Raises: the first error of a source, unchanged, once the other sources are closed.
    """
    once = tuple(CloseOnce(source) for source in sources)
    return Stream(_merge(once), *once)


async def _merge(sources: tuple[CloseOnce[T], ...]) -> AsyncIterator[T]:
    # A task a source: a source may cancel the task it runs in (asyncio.timeout), and must be the only one in it.
    arrivals: _Arrivals[T] = _Arrivals()
    tasks = [asyncio.create_task(arrivals.read(source)) for source in sources]
    for task in tasks:
        task.add_done_callback(arrivals.put)
    left = len(tasks)
    error: BaseException | None = None
    try:
        while left and error is None:
            arrival = await arrivals.take()
            if not isinstance(arrival, asyncio.Task):
                yield arrival[0]
            elif arrival.cancelled():
                error = RuntimeError("a source of merge() was cancelled, but not by merge(): let it raise, or end")
            else:
                error = arrival.exception()
                left -= 1
    finally:
        try:
            await end(tasks, error)
        finally:
            await close(*sources)  # those whose task had not begun


class _Arrivals(Generic[T]):
    """What has come, in order: an item, and whom to tell that it was taken; or the task of a source that is over."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._came: deque[tuple[T, asyncio.Future[None]] | asyncio.Task[None]] = deque()
        self._wanted: asyncio.Future[None] | None = None

    async def read(self, source: AsyncIterable[T]) -> None:
        async with owned(source) as items:
            async for item in items:
                taken = self._loop.create_future()
                self.put((item, taken))
                await taken

    def put(self, arrival: tuple[T, asyncio.Future[None]] | asyncio.Task[None]) -> None:
        self._came.append(arrival)
        if self._wanted is not None and not self._wanted.done():
            self._wanted.set_result(None)

    async def take(self) -> tuple[T, asyncio.Future[None]] | asyncio.Task[None]:
        while not self._came:
            self._wanted = self._loop.create_future()
            await self._wanted
        arrival = self._came.popleft()
        if isinstance(arrival, tuple) and not arrival[1].done():
            arrival[1].set_result(None)
        return arrival
