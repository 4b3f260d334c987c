"""Read ahead of a slow reader."""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator
from typing import Generic, Literal, TypeAlias, TypeVar

from rawasgi.streams.base import CloseOnce, Stream, close, end, owned
from rawasgi.streams.stepping import give_way

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
    return Buffer(_Ahead(max_items, when_full), CloseOnce(source))


class _Ahead(Generic[T]):
    """The items between the task that reads the source and the one that reads us."""

    def __init__(self, max_items: int, when_full: WhenFull) -> None:
        self._max_items = max_items
        self._when_full = when_full
        self._waiting: deque[T] = deque()
        self._changed: asyncio.Future[None] | None = None
        self.dropped: int = 0

    async def items(self, source: AsyncIterable[T]) -> AsyncIterator[T]:
        # A task: a source may cancel the task it runs in (asyncio.timeout), and must be the only one in it.
        task = asyncio.create_task(self._read(source))
        task.add_done_callback(self._change)
        waiting = self._waiting
        try:
            while True:
                while waiting:
                    item = waiting.popleft()
                    self._change()
                    yield item
                if task.done():
                    break
                await self._change_comes()
        finally:
            try:
                await end([task])
            finally:
                await close(source)  # if the task had not begun

    async def _read(self, source: AsyncIterable[T]) -> None:
        waiting, max_items = self._waiting, self._max_items
        async with owned(source) as items:
            async for item in items:
                if len(waiting) < max_items:
                    waiting.append(item)
                    self._change()
                else:
                    self.dropped += 1
                    if self._when_full == "drop_oldest":
                        waiting.popleft()
                        waiting.append(item)
                    await give_way()  # a source that is always ready would never let the reader come
                while self._when_full == "wait" and len(waiting) >= max_items:
                    await self._change_comes()

    # Only one of the two ever waits: the reader for an item, or the source for room.

    async def _change_comes(self) -> None:
        self._changed = asyncio.get_running_loop().create_future()
        await self._changed

    def _change(self, _: object = None) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)
