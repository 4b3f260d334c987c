"""Advance an awaitable by hand, and wait for several things in one task.

Theory of operation
===================

``await`` hides two things that a streaming server wants to see: whether the awaited thing was ready or had to wait, and
what it waits for. Both show when a coroutine is advanced by hand: ``coroutine.send(None)`` either raises StopIteration
(it finished without waiting) or returns what it yielded to the event loop. In asyncio that is

- ``None``: a bare ``yield``, as in ``asyncio.sleep(0)``: go on in the next turn of the loop, or
- a future with ``_asyncio_future_blocking`` set: go on when it is done. This is asyncio's own protocol between a Task
  and what it runs ("isfuture" in asyncio/base_futures.py); a Task takes any object that keeps to it.

A ``Step`` is an awaitable held so. Who holds a step must see to three things, and ``Step`` and ``Waiter`` (waiting.py)
are there to make them hard to forget:

1. What was yielded is taken over as a Task would: ``Step`` clears the mark, a ``Waiter`` adds a callback. The step
   goes on when the future is done, and not before.
2. A cancellation reaches the innermost wait, as ``Task.cancel`` does it: cancel the future; only if that refuses, throw
   CancelledError into the step. So a source's own ``asyncio.timeout`` and TaskGroup work unchanged: they cancel the
   task, the task cancels the waiter, and who holds the step passes it on with ``Step.cancel``, before any result that
   came in the same turn, as a Task does. *To whom* it is passed on, the holder decides: ``Pull`` has but its source,
   the response of ``suspension.py`` may keep it for later. So this rule is all that they share, and no code.
3. A step that has begun is brought to its end, or its coroutine can never be closed ("already running").
"""

import asyncio
import types
from collections.abc import Awaitable, Generator
from typing import Any, TypeVar

from rawasgi.streams.waiting import Future, Waiter

T = TypeVar("T")


@types.coroutine
def give_way() -> Generator[None, None, None]:
    """Let everything else that is ready run once."""
    yield


class Step:
    """One awaitable, advanced by hand in the task that holds it.

    ``waits_for``: the future, or None for the next turn of the loop. ``value``: the result, once ``advance`` said True.
    """

    __slots__ = ("_generator", "_told", "value", "waits_for")

    def __init__(self, awaitable: Awaitable[object]) -> None:
        generator = awaitable.__await__()
        if not hasattr(generator, "send"):  # an iterator will do for await, but can neither be sent to nor thrown into
            generator = _await(awaitable).__await__()
        self._generator = generator
        self._told: Future | None = None
        self.waits_for: Future | None = None
        self.value: Any = None

    @classmethod
    def begun(cls, generator: Generator[Any, None, Any]) -> "Step":
        """What was begun elsewhere; ``hold`` takes over what it has yielded."""
        step = cls.__new__(cls)
        step._generator = generator
        step.value = None
        return step

    def wake(self, waiter: Waiter) -> None:
        """Have *waiter* woken, the same one each time, when ``waits_for`` is done."""
        if self.waits_for is not self._told and self.waits_for is not None:
            waiter.follow(self.waits_for)
            self._told = self.waits_for

    def follow(self, waits_for: Future, waiter: Waiter) -> bool:
        """As ``hold``, then ``wake``; False, and nothing is done, for what ``hold`` has to refuse."""
        if not getattr(waits_for, "_asyncio_future_blocking", False):
            return False
        waits_for._asyncio_future_blocking = False
        self.waits_for = self._told = waits_for
        waiter.follow(waits_for)
        return True

    def lend(self, waits_for: Future, waiter: Waiter) -> bool:
        """As ``follow``, but for *waits_for* to be yielded to the task as it is, with ``waiter.lent``."""
        # Of what is known to give a callback back: who subclasses a future may change what its methods do.
        if type(waits_for) is not asyncio.Future and type(waits_for) is not asyncio.Task:
            return False
        if waiter.wake_up is None or not waits_for._asyncio_future_blocking:
            return False
        self.waits_for = waiter.lent = waits_for
        self._told = None
        return True

    def failed(self, error: BaseException) -> bool:
        """Whether *error* is what ``waits_for`` was done with."""
        future = self.waits_for
        return isinstance(future, asyncio.Future) and future.done() and future.exception() is error

    def settled(self) -> bool:
        """Whether what was waited for is done well; if so, it no longer is, and the awaitable may be resumed."""
        assert self.waits_for is not None
        try:
            self.waits_for.result()
        except BaseException:  # for advance() to throw
            return False
        self.waits_for = None
        return True

    def ready(self) -> bool:
        return self.waits_for is None or self.waits_for.done()

    def advance(self) -> bool:
        """Run to the next wait (False) or to the end (True). Raises: what the awaitable raises."""
        failure = None
        if self.waits_for is not None:
            try:
                self.waits_for.result()  # as a Task does: granian's futures say only here that they were cancelled
            except BaseException as error:
                failure = error
        if failure is not None:  # not from within the except: the awaitable would see it in sys.exception()
            try:
                return self.throw(failure)
            finally:
                del failure  # its traceback has this frame: a cycle, for the collector to find
        try:
            waits_for = self._generator.send(None)
        except StopIteration as stop:
            self.value = stop.value
            return True
        return self.hold(waits_for)

    def hold(self, waits_for: Future | None) -> bool:
        """Take over what the awaitable yielded, as a Task does. What is not asyncio's raises RuntimeError in there."""
        self.waits_for = None
        if waits_for is not None:
            if not getattr(waits_for, "_asyncio_future_blocking", False):
                foreign = f"a stream must wait for asyncio's futures, not for {waits_for!r}: use asyncio"
                return self.throw(RuntimeError(foreign))
            waits_for._asyncio_future_blocking = False
            self.waits_for = waits_for
        self._told = None  # a Waiter is yielded again and again, and each time it must be watched anew
        return False

    def cancel(self, *text: object) -> bool:
        """Cancel the innermost wait; as ``advance``, of which it is one when the awaitable can be told at once.

        *text*: that of the cancellation which is passed on, if it has one: by it anyio knows its own.
        """
        if self.waits_for is not None and self.waits_for.cancel(*text):
            return self.waits_for.done() and self.advance()
        return self.throw(asyncio.CancelledError(*text))

    def throw(self, error: BaseException) -> bool:
        """As ``advance``, with *error* raised where the awaitable waits."""
        try:
            waits_for = self._generator.throw(error)
        except StopIteration as stop:
            self.value = stop.value
            return True
        finally:
            del error  # as in advance
        return self.hold(waits_for)


def cancelling() -> int:
    """Return how often the running task was cancelled, less what was taken back (``Task.uncancel``)."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def is_cancelled() -> bool:
    """Return whether the running task was cancelled, and nobody has taken that back."""
    return cancelling() > 0


@types.coroutine
def _go_on(step: Step) -> Generator[Future | None, None, None]:
    """Await the rest of *step* as if it had been awaited from its beginning."""
    finished = False
    while not finished:
        if step.waits_for is not None:
            step.waits_for._asyncio_future_blocking = True  # the task takes it over from us
        try:
            yield step.waits_for
        except BaseException as error:  # the error of that future, or our cancellation: both belong to the innermost
            finished = step.throw(error)
        else:
            finished = step.advance()


async def settle(step: Step) -> None:
    """Cancel *step* and bring it to its end.

    Raises: what it raises, but for its exhaustion and the cancellation: that was ours, unless we are cancelled as well.
    """
    before = cancelling()
    try:
        if not step.cancel():
            await _go_on(step)
    except StopAsyncIteration:
        pass
    except asyncio.CancelledError:
        if cancelling() > before:
            raise


async def _await(awaitable: Awaitable[T]) -> T:
    return await awaitable
