"""What all wrappers share: a stream owns its sources, and who takes a stream owns it."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Generator, Sequence
from types import coroutine
from typing import Any, Generic, Literal, NoReturn, TypeVar, cast

from rawasgi.streams.stepping import Step, cancelling, settle
from rawasgi.streams.waiting import Waiter

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class DeadlineExceeded(TimeoutError):
    """A stream took too long; *which*: to its "first" item, being "idle" before the next one, or in "total"."""

    def __init__(self, text: str, which: Literal["first", "idle", "total"]) -> None:
        super().__init__(text)
        self.which = which


def check_source(source: object, subject: str) -> None:
    """Raise TypeError, which names *subject*, unless *source* is an async iterable."""
    if not hasattr(source, "__aiter__"):
        if callable(source):
            fix = "call the function"
        elif hasattr(source, "__await__"):
            fix = "await it"
        else:
            fix = "wrap a blocking iterable in streams.from_thread(...)"
        raise TypeError(f"the source of {subject} must be an async iterable, not {source!r:.100}: {fix}")


async def close(*streams: object) -> None:
    """Close *streams*, last to first, each whatever the others raise.

    What has no ``aclose`` needs none. A source is given with its iterator, which may be an async generator of its own
    (``async def __aiter__``); what is both is closed once, and the iterator of a CloseOnce is left to that. Raises: the
    last error, once all are closed; the earlier ones are its context.
    """
    for index in range(len(streams) - 1, -1, -1):
        aclose = getattr(streams[index], "aclose", None)
        if aclose is not None and not (index and _closes(streams[index - 1], streams[index])):
            try:
                await aclose()
            except BaseException:
                await close(*streams[:index])
                raise


def _closes(source: object, items: object) -> bool:
    """Return whether closing *source* also closes *items*, its iterator."""
    return source is items or (isinstance(source, CloseOnce) and source._items is items)


class CloseOnce(AsyncIterable[T]):
    """*source*, which is closed once, however many close this; so is its iterator.

    The generator of a wrapper closes its source when it ends. So does the Stream around it, for a generator that was
    never started. A generator takes a second ``aclose()``; an ``aclose()`` that returns a connection may not.
    """

    __slots__ = ("_is_closed", "_items", "_source")

    def __init__(self, source: AsyncIterable[T]) -> None:
        self._source = source
        self._is_closed = False
        self._items: AsyncIterator[T] | None = None

    def __aiter__(self) -> AsyncIterator[T]:
        self._items = aiter(self._source)
        return self._items

    async def aclose(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            try:
                await close(self._source, self._items)
            except RuntimeError:  # a generator that another task reads at the moment: it is not closed
                self._is_closed = False
                raise


async def end(tasks: Sequence[asyncio.Task[None]], error: BaseException | None = None) -> None:
    """Cancel *tasks*, wait until each is through with its clean-up, and raise *error*.

    A cancellation of ours goes on to them, and is raised when they are through. Raises: without *error*, the first one
    of theirs; the others are told in its notes.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError as ours:
            error = error or ours
    for task in tasks:
        theirs = None if task.cancelled() else task.exception()
        if error is None:
            error = theirs
        elif theirs is not None and theirs is not error:
            error.add_note(f"Then came, in another task: {theirs!r}")
    if error is not None:
        raise error


class _Next:
    """Holds the ``__anext__`` of an iterator."""

    __slots__ = ("_next",)
    _next: Callable[[], Awaitable[Any]]


class Stream(_Next, AsyncIterator[T_co], Generic[T_co]):
    """An async iterator that closes what is under it, also when it was never started.

    *items* is the wrapper's async generator, *sources* what it reads. A generator that was never started is closed
    without running, so its own ``finally`` cannot close the sources: this does. A source that must not be closed twice,
    and that the generator closes as well, is given to both in a CloseOnce.
    """

    __slots__ = ("__weakref__", "_items", "_sources")
    # A slot, so that an item costs no Python frame; mypy takes one that is read from its class for a class variable.
    __anext__ = cast("Callable[[Stream[T_co]], Awaitable[T_co]]", _Next._next)  # type: ignore[misc]

    def __init__(self, items: AsyncIterator[T_co], *sources: object) -> None:
        self._items = items
        self._next = items.__anext__
        self._sources = sources

    def __aiter__(self) -> "Stream[T_co]":
        return self

    async def aclose(self) -> None:
        """Close the wrapper, then its sources, last to first. Raises: what their clean-up raises."""
        await close(*self._sources, self._items)


def fastest(items: AsyncIterator[T]) -> AsyncIterator[T]:
    """Return the generator of a Stream, of which an item takes 15 ns less, or *items*. It does not replace closing."""
    while isinstance(items, Stream):
        items = items._items
    return items


class owned(Generic[T]):
    """``async with owned(source) as items`` closes both on leaving the block; *items* is the iterator of *source*."""

    __slots__ = ("_items", "_source")

    def __init__(self, source: AsyncIterable[T]) -> None:
        self._source = source

    async def __aenter__(self) -> AsyncIterator[T]:
        self._items = aiter(self._source)
        return fastest(self._items)

    async def __aexit__(self, *_: object) -> None:
        await close(self._source, self._items)


class Pull(Generic[T]):
    """A source, taken item by item by hand, so that a wait for the next one can be left and gone on with.

    ``async with Pull(source) as pull`` owns *source*. ``advance()`` asks for the next item; if that says False, the
    source waits, and ``await wait(until)`` waits with it, up to that time of the loop's clock. Then there is ``item``,
    or ``over``. No task is needed, so an asyncio.timeout of the source works, and a stream costs one task however it is
    wrapped. One thing is beyond it: a source's own timeout that ends just while the reader waits for something else
    (``wait`` was left, and a beat is being sent) cancels the reader there; the reader then closes us, and it is from
    closing that the source's TimeoutError comes.
    """

    __slots__ = (
        *("_alarm", "_items", "_late", "_loop", "_next", "_source", "_step", "_told", "_until", "_waiter"),
        *("item", "over"),
    )

    def __init__(self, source: AsyncIterable[T]) -> None:
        self._source = source
        self._items = aiter(source)
        self._next = self._items.__anext__
        self._loop = asyncio.get_running_loop()
        self._waiter = Waiter(self._loop)
        self._step: Step | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._until: float | None = None
        self._late = False
        self._told: int | None = None  # how often the task was cancelled when we told the source
        self.item: T
        self.over = False

    async def __aenter__(self) -> "Pull[T]":
        return self

    async def __aexit__(self, *_: object) -> None:
        """Bring the step under way to its end, then close the source."""
        if self._alarm is not None:
            self._alarm.cancel()
        try:
            await self.stop()
        finally:
            await close(self._source, self._items)

    def advance(self) -> bool:
        """Ask for the next item; return whether that is settled at once. Raises: what the source raises."""
        try:  # as _go, without a Step: a third of what a ready item costs
            awaitable = self._next()
            generator: Any = awaitable.__await__()
            if not hasattr(generator, "send"):
                return self._go(Step(awaitable), Step.advance)
            waits_for = generator.send(None)
        except StopIteration as stop:
            self.item = stop.value
        except StopAsyncIteration:
            self.over = True
        else:
            return self._go(Step.begun(generator), lambda step: step.hold(waits_for))
        return True

    def _go(self, step: Step, how: Callable[[Step], bool]) -> bool:
        self._step = None
        try:
            if not how(step):
                self._step = step
                return False
        except StopAsyncIteration:
            self.over = True
        else:
            self.item = step.value
        return True

    @coroutine
    def wait(self, until: float | None = None) -> Generator[Any, None, bool]:
        """Wait for the source; return whether it is settled, or the time *until* has come. Raises: what it raises."""
        step, waiter = self._step, self._waiter
        assert step is not None  # advance() said that the source waits
        self._late = False
        self._until = until
        if until is not None and (self._alarm is None or self._alarm.when() > until):
            self._set_alarm(until)
        while True:
            if step.waits_for is None:
                try:
                    yield
                except asyncio.CancelledError as error:
                    waiter.take(error)
            else:
                step.wake(waiter)
                yield from waiter.__await__()
            if waiter.cancelled:
                waiter.cancelled = False
                self._told = cancelling()
                if self._go(step, lambda step: step.cancel(*waiter.text)):
                    return True
            elif step.ready() and self._go(step, Step.advance):
                return True
            # A source that was cancelled is in its clean-up, where nobody may come between (also if it has yielded
            # once more before), unless it was its own timeout, and it has taken the cancellation back.
            if self._late and (self._told is None or cancelling() < self._told):
                return False

    async def stop(self) -> None:
        """Cancel the wait of the source, and let its clean-up finish."""
        step, self._step = self._step, None
        if step is not None:
            await settle(step)

    async def cut(self, error: Exception, cleanup: float) -> NoReturn:
        """Stop the source and close it, in no more than *cleanup* seconds, and raise *error*.

        Who reads a stream that ends by itself takes its clean-up for one more wait, and would wait for ever. So what
        hangs is cancelled once more, which the error's notes tell. Raises: *error*; what the clean-up raises.
        """
        try:
            async with asyncio.timeout(cleanup) as limit:
                await self.stop()
                await close(self._source, self._items)
        except TimeoutError:
            if not limit.expired():
                raise
            error.add_note(f"Its source was not closed within {cleanup} s: it was cut off.")
        raise error

    def _set_alarm(self, when: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._loop.call_at(when, self._ring)

    def _ring(self) -> None:
        """One timer for many waits: it is not moved when an item comes, but sees whether it is time when it rings."""
        self._alarm = None
        if self._step is None or self._until is None:
            return
        if self._until > self._loop.time() + 0.001:  # uvloop's timers are that early
            self._set_alarm(self._until)
            return
        self._late = True
        self._waiter.wake()
