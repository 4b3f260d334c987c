"""A blocking iterable, read off the event loop.

Theory of operation
===================

One thread and one Context run the iterable from its first step to its last, ``close()`` included: what a generator
keeps in its thread (an sqlite3 cursor, a thread-local) or in its context (``var.reset(token)``) stays valid, and its
``finally`` runs where its body ran, before ``aclose()`` returns.

The thread reads ahead into a bounded deque. Appending to it needs no lock, and the loop is woken only when the reader
waits, so items that come fast cost no switch of threads. A thread that finds the deque full parks until half of it was
taken. Two flags say who waits. Each side sets its own, then looks at the deque again before it waits; the other changes
the deque first, and then looks at the flag. And who takes a flag back wakes the other after that. So a wake-up may come
once too often, but is never missed.

Closing waits for the iterable's clean-up, however long it takes (whoever sends a stream bounds that); but not for an
item that is blocked: 0.1 s later the thread is on its own. It closes the iterable when it comes back, and if that fails
then, ``threading.excepthook`` says so.

The threads belong to the streams, not to a pool: 120 streams that block starve neither each other nor anybody else.
``Threads`` limits how many there may be at once; those on their own count, too. They are daemons: the interpreter waits
for all other threads when it ends, so one item that never comes would keep the process from ending.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextvars import Context, copy_context
from typing import Generic, TypeVar

from rawasgi.streams.base import Stream

T = TypeVar("T")

_GRACE = 0.1  # how long closing waits for an iterable that is in the midst of an item


class TooManyThreads(RuntimeError):
    """As many blocking streams as may be are open already."""


class Threads:
    """The threads of streams: no more than *limit* at once. ``running``: how many there are."""

    def __init__(self, limit: int = 512) -> None:
        if limit < 1:
            raise ValueError(f"Threads.limit must be 1 or more, not {limit!r}")
        self.limit = limit
        self.running: int = 0
        self._counting = threading.Lock()

    def start(self, thread: threading.Thread) -> None:
        """Start *thread*, which calls ``finished()`` at its end. Raises: TooManyThreads, and does not start it then."""
        with self._counting:
            if self.running >= self.limit:
                raise TooManyThreads(f"no more than {self.limit} blocking streams may be open at once (Threads.limit)")
            try:
                thread.start()
            except RuntimeError as error:
                text = f"the system gives no more threads than the {self.running} of the streams"
                raise TooManyThreads(text) from error
            self.running += 1

    def finished(self) -> None:
        """Count one thread less; called by the thread itself."""
        with self._counting:
            self.running -= 1


_SHARED = Threads()


def from_thread(iterable: Iterable[T], max_items: int = 256, threads: Threads = _SHARED) -> Stream[T]:
    """Yield from the blocking *iterable*, which runs in a thread of its own, one of *threads*.

    Order: the iterable's. Reads ahead: *max_items*, of whatever size. Loses: nothing. Closes: the iterable and its
    iterator, on its thread; one that is blocked in the midst of an item is waited for no longer than 0.1 s.
    Raises: what the iterable raises, unchanged; TooManyThreads, before the first item, when *threads* has no more;
    by default all streams of the process share one limit of 512.
    """
    if max_items < 1:
        raise ValueError(f"a thread must be allowed to read ahead 1 item or more, not {max_items!r}")
    reader = _Reader(iterable, max_items, threads, copy_context())
    return Stream(reader.items(), reader)


class _Reader(Generic[T]):
    """What the thread and the loop share."""

    def __init__(self, iterable: Iterable[T], max_items: int, threads: Threads, context: Context) -> None:
        self._iterable = iterable
        self._max_items = max_items
        self._threads = threads
        self._context = context
        self._items: deque[T] = deque()
        self._started = False
        self._room = threading.Event()
        self._parked = False  # the thread waits for room
        self._wanted = False  # the loop waits for news
        self._closing = False
        self._blocked = True  # the thread is in the midst of an item, as far as we know
        self._over = False
        self._alone = False  # nobody waits for the thread any more
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
                        self._parked = False
                        self._room.set()
                self._news.clear()
                self._wanted = True
                if self._over and not items:
                    break
                if not items:
                    await self._news.wait()
                self._wanted = False
        finally:
            await self._stop()

    def _start(self) -> None:
        name = f"rawasgi {getattr(self._iterable, '__name__', type(self._iterable).__name__)}"
        thread = threading.Thread(target=self._context.run, args=(self._run,), name=name, daemon=True)
        self._threads.start(thread)
        self._started = True

    async def _stop(self) -> None:
        """Let the thread close its iterable, and wait for that, unless it is blocked. Raises: what came, or comes."""
        self._closing = True
        until = self._loop.time() + _GRACE
        try:
            while True:
                self._news.clear()
                self._wanted = True
                self._room.set()
                if self._over:
                    break
                try:
                    async with asyncio.timeout_at(until if self._blocked else None):
                        await self._news.wait()
                except TimeoutError:
                    if self._blocked:
                        self._alone = True
                        break
        except asyncio.CancelledError:
            self._alone = True
            raise
        if self._over and self._error is not None:
            raise self._error

    async def aclose(self) -> None:
        """Close an iterable whose thread was never started."""
        if not self._started:
            _close(self._iterable)

    # In the thread

    def _run(self) -> None:
        try:
            self._read()
        except BaseException as error:
            self._error = error
        self._threads.finished()
        self._over = True
        self._wake()
        if self._alone and self._error is not None:
            raise self._error

    def _read(self) -> None:
        iterator = self._iterable
        try:
            iterator = iter(self._iterable)
            append = self._items.append
            for item in iterator:
                append(item)
                if (self._wanted or len(self._items) >= self._max_items) and self._is_over():
                    break
        finally:
            self._blocked = False
            try:
                if iterator is not self._iterable:
                    _close(iterator)
            finally:
                _close(self._iterable)

    def _is_over(self) -> bool:
        """Tell the loop if it waits, wait for room if there is none; return whether the stream is being closed."""
        if self._wanted:
            self._wake()
        while len(self._items) >= self._max_items and not self._closing:
            self._room.clear()
            self._parked = True
            if len(self._items) >= self._max_items and not self._closing:
                self._room.wait()
        self._parked = False
        return self._closing

    def _wake(self) -> None:
        self._wanted = False
        try:
            self._loop.call_soon_threadsafe(self._news.set)
        except RuntimeError:  # the loop is closed: nobody waits any more
            self._closing = True


def _close(iterable: object) -> None:
    close = getattr(iterable, "close", None)
    if close is not None:
        close()
