"""A blocking iterable, read off the event loop.

Theory of operation
===================

One thread and one Context run the iterable from its first step to its last, ``close()`` included: what a generator
keeps in its thread (an sqlite3 cursor, a thread-local) or in its context (``var.reset(token)``) stays valid, and its
``finally`` runs where its body ran, before ``aclose()`` returns.

The thread reads ahead into a bounded deque. Appending to it needs no lock, and the loop is woken only when the reader
waits, so items that come fast cost no switch of threads. Two flags say who waits. Each side sets its own, then looks at
the deque again before it waits; the other changes the deque first, and then looks at the flag. So no wake-up is missed.

The threads belong to the streams, not to a pool: 120 streams that block starve neither each other nor anybody else.
How many there may be at once is ``limit``. They are daemons: an item that never comes must not keep the process from
ending.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextvars import Context, copy_context
from typing import Generic, TypeVar

from rawasgi.streams.base import Stream

T = TypeVar("T")

limit = 512  # how many streams may have a thread at once
_GRACE = 0.1  # how long closing waits for an iterable that is in the midst of an item
_counting = threading.Lock()
_running = 0


class TooManyThreads(RuntimeError):
    """As many blocking streams as may be are open already."""


def from_thread(iterable: Iterable[T], max_items: int = 256) -> Stream[T]:
    """Yield from the blocking *iterable*, which runs in a thread of its own.

    Order: the iterable's. Reads ahead: *max_items*. Loses: nothing. Closes: the iterable's iterator, on its thread; one
    that is blocked in the midst of an item is waited for no longer than 0.1 s, and closed when it comes back.
    Raises: what the iterable raises, unchanged; TooManyThreads, before the first item, when ``limit`` are open.
    """
    if max_items < 1:
        raise ValueError(f"a thread must be allowed to read ahead 1 item or more, not {max_items!r}")
    return _ThreadStream(_Reader(iterable, max_items, copy_context()))


class _ThreadStream(Stream[T]):
    """Closes the iterable also when its thread was never started."""

    __slots__ = ("_reader",)

    def __init__(self, reader: "_Reader[T]") -> None:
        super().__init__(reader.items())
        self._reader = reader

    async def aclose(self) -> None:
        await super().aclose()
        self._reader.close_unstarted()


class _Reader(Generic[T]):
    """What the thread and the loop share."""

    def __init__(self, iterable: Iterable[T], max_items: int, context: Context) -> None:
        self._iterable = iterable
        self._max_items = max_items
        self._context = context
        self._items: deque[T] = deque()
        self._thread: threading.Thread | None = None
        self._room = threading.Event()
        self._parked = False  # the thread waits for room
        self._wanted = False  # the loop waits for an item
        self._closing = False
        self._blocked = True  # the thread is in the iterable's own code
        self._over = False
        self._error: BaseException | None = None

    # In the loop

    async def items(self) -> AsyncIterator[T]:
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._start()
        items = self._items
        half = self._max_items // 2
        try:
            while True:
                while items:
                    yield items.popleft()
                    if self._parked and len(items) <= half:
                        self._room.set()
                over = self._over
                if items:  # they came before it was over
                    continue
                if over:
                    break
                await self._wait()
            if self._error is not None:
                raise self._error
        finally:
            await self._stop()

    def _start(self) -> None:
        global _running
        with _counting:
            if _running >= limit:
                raise TooManyThreads(f"no more than {limit} blocking streams may be open at once (threads.limit)")
            _running += 1
        name = f"rawasgi {getattr(self._iterable, '__name__', type(self._iterable).__name__)}"
        self._thread = threading.Thread(target=self._context.run, args=(self._run,), name=name, daemon=True)
        self._thread.start()

    async def _wait(self) -> None:
        self._news.clear()
        self._wanted = True
        if not self._items and not self._over:
            await self._news.wait()
        self._wanted = False

    async def _stop(self) -> None:
        """Let the thread close its iterable; wait for it, unless it is blocked in it."""
        self._closing = True
        self._room.set()
        until = self._loop.time() + _GRACE
        while not self._over:
            try:
                async with asyncio.timeout_at(until if self._blocked else None):
                    await self._wait()
            except TimeoutError:
                if self._blocked:
                    return

    def close_unstarted(self) -> None:
        close = getattr(self._iterable, "close", None)
        if self._thread is None and close is not None:
            close()

    # In the thread

    def _run(self) -> None:
        global _running
        iterator = None
        try:
            iterator = iter(self._iterable)
            for item in iterator:
                self._items.append(item)
                if self._wanted:
                    self._wake()
                if len(self._items) >= self._max_items:
                    self._park()
                if self._closing:
                    break
        except BaseException as error:
            self._error = error
        self._blocked = False
        try:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()
        except BaseException as error:
            self._error = self._error or error
        with _counting:
            _running -= 1
        self._over = True
        self._wake()

    def _park(self) -> None:
        self._room.clear()
        self._parked = True
        if len(self._items) >= self._max_items and not self._closing:
            self._room.wait()
        self._parked = False

    def _wake(self) -> None:
        self._wanted = False
        try:
            self._loop.call_soon_threadsafe(self._news.set)
        except RuntimeError:  # the loop is closed: nobody waits any more
            pass
