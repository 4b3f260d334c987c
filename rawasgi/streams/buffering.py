"""Read ahead of a slow reader."""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator
from typing import Generic, Literal, TypeAlias, TypeVar

from rawasgi.streams.base import Stream, close

T = TypeVar("T")
WhenFull: TypeAlias = Literal["wait", "drop_oldest", "drop_newest"]


class Buffer(Stream[T]):
    """A stream that reads ahead. ``dropped``: how many items were lost, because the buffer was full."""

    __slots__ = ("_ahead",)

    def __init__(self, ahead: "_Ahead[T]", source: AsyncIterable[T]) -> None:
        super().__init__(ahead.items(source), source)
        self._ahead = ahead

    @property
    def dropped(self) -> int:
        return self._ahead.dropped


def buffer(source: AsyncIterable[T], max_items: int, when_full: WhenFull = "wait") -> Buffer[T]:
    """Yield from *source*, which goes on while the reader is busy.

    Order: the source's. Reads ahead: *max_items*. Loses: nothing with ``wait``; else the oldest or the newest items,
    when *max_items* are waiting. Closes: source, in the task in which it ran.
    Raises: what *source* raises, unchanged, after the items before it; ValueError for a bad argument.
    """
    if max_items < 1:
        raise ValueError(f"a buffer must hold 1 item or more, not {max_items!r}")
    if when_full not in ("wait", "drop_oldest", "drop_newest"):
        raise ValueError(f"when_full must be 'wait', 'drop_oldest' or 'drop_newest', not {when_full!r}")
    return Buffer(_Ahead(max_items, when_full), source)


class _Ahead(Generic[T]):
    """The items between the task that reads the source and the one that reads us."""

    def __init__(self, max_items: int, when_full: WhenFull) -> None:
        self._max_items = max_items
        self._when_full = when_full
        self._waiting: deque[T] = deque()
        self._changed: asyncio.Future[None] | None = None
        self._over = False
        self.dropped = 0

    async def items(self, source: AsyncIterable[T]) -> AsyncIterator[T]:
        task = asyncio.create_task(self._read(source))
        try:
            while True:
                while self._waiting:
                    item = self._waiting.popleft()
                    self._change()
                    yield item
                if self._over:
                    await task
                    return
                await self._wait()
        finally:
            task.cancel()
            await asyncio.wait([task])
            await close(source)  # if the task had not begun

    async def _read(self, source: AsyncIterable[T]) -> None:
        try:
            async for item in source:
                if len(self._waiting) >= self._max_items:
                    if self._when_full == "drop_newest":
                        self.dropped += 1
                        continue
                    if self._when_full == "drop_oldest":
                        self.dropped += 1
                        self._waiting.popleft()
                    while len(self._waiting) >= self._max_items:
                        await self._wait()
                self._waiting.append(item)
                self._change()
        finally:
            try:
                await close(source)
            finally:
                self._over = True
                self._change()

    # Only one of the two ever waits: the reader for an item, or the source for room.

    async def _wait(self) -> None:
        self._changed = asyncio.get_running_loop().create_future()
        await self._changed

    def _change(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)
