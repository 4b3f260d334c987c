"""A source, read item by item: the wait for the next item can be interrupted and resumed."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Generator
from types import coroutine
from typing import Any, Generic, NoReturn, TypeVar

from rawasgi.streams.base import close, close_dropped
from rawasgi.streams.nesting import held_by
from rawasgi.streams.stepping import Step, cancelling, settle
from rawasgi.streams.waiting import Waiter

T = TypeVar("T")


class Pull(Generic[T]):
    """A source, taken item by item by hand, so that a wait for the next one can be left and gone on with.

    ``async with Pull(source) as pull`` owns *source*. ``advance()`` asks for the next item; if that says False, the
    source waits, and ``await wait(until)`` waits with it, up to that time of the loop's clock. Then there is ``item``,
    or ``over``; ``items`` is the iterator of the source. No task is needed, so an asyncio.timeout of the source works,
    and a stream costs one task however it is wrapped. One thing is beyond it: a source's own timeout that ends just
    while the reader waits for something else (``wait`` was left, and a beat is being sent) cancels the reader there;
    the reader then closes us, and it is from closing that the source's TimeoutError comes.
    """

    __slots__ = (
        *("_alarm", "_late", "_loop", "_next", "_source", "_step", "_told", "_until", "_waiter"),
        *("item", "items", "over"),
    )

    def __init__(self, source: AsyncIterable[T]) -> None:
        self._source = source
        self.items: AsyncIterator[T] = aiter(source)
        self._next = self.items.__anext__
        self._loop = asyncio.get_running_loop()
        self._waiter = Waiter(self._loop)
        self._step: Step | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._until: float | None = None
        self._late = False
        self._told: int | None = None  # how often the task was cancelled when we told the source
        self.item: T
        self.over: bool = False

    async def __aenter__(self) -> "Pull[T]":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Bring the step under way to its end, then close the source."""
        if self._alarm is not None:
            self._alarm.cancel()
        try:
            await self.stop()
        finally:
            await close(self._source, self.items)

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

    @property
    def is_waiting(self) -> bool:
        """Return whether ``wait`` was left before the source was through."""
        return self._step is not None

    async def stop(self) -> None:
        """Cancel the wait of the source, and let its clean-up finish."""
        step, self._step = self._step, None
        if step is not None:
            held = held_by(self._source, self.items)
            try:
                await settle(step)
            finally:
                await close_dropped(held)

    async def cut(self, error: Exception, cleanup: float) -> NoReturn:
        """Stop the source and close it, in no more than *cleanup* seconds, and raise *error*.

        Who reads a stream that ends by itself takes its clean-up for one more wait, and would wait for ever. So what
        hangs is cancelled once more, which the error's notes tell. Raises: *error*; what the clean-up raises.
        """
        try:
            async with asyncio.timeout(cleanup) as limit:
                await self.stop()
                await close(self._source, self.items)
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
