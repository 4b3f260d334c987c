"""Wait for several things in one task.

Theory of operation
===================

A ``Waiter`` is what the one task waits on while steps that it holds (stepping.py) wait. It is a future of the same
protocol, so the Task registers its wake-up with it, and the first of all watched futures to be done calls that wake-up
directly: no task of its own, no second turn of the loop. Cancelling it is not an exception but the value ``cancelled``:
the holder decides to whom it belongs, or keeps it for later, which is a shield that needs no second task either. (A
Task that is cancelled when it was just about to run throws all the same; ``Waiter`` turns that into the value, too.)

What runs the task must run in the task's own context (contextvars), and outside of any task. A future's done callback
does, when it was added with that context, which the Task tells when it registers. All else (timers, ``cancel``) goes
through ``loop.call_soon``. So does everything once a second task has waited: on Python 3.11, ``asyncio.wait_for(anext(
stream), 1)`` makes one for each item, and what the first had watched would wake the second in the first one's context.

**The task's wake-up, lent.** Where it is all but certain which future will be first, the task may as well wait for that
one itself, as in a plain ``await``: nothing of ours then stands between them. It registers the same wake-up there that
the waiter has seen before; so if something else comes first after all, the waiter takes it off that future and calls
it. Callbacks are compared with ``==``, and two wake-ups of one task are equal.
"""

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any, Protocol


class Future(Protocol):
    """What asyncio's tasks wait on: asyncio.Future, and whatever quacks like it."""

    _asyncio_future_blocking: bool

    def add_done_callback(self, callback: Callable[[Any], object], /, *, context: Context | None = None) -> None: ...
    def cancel(self, msg: Any = None) -> bool: ...
    def done(self) -> bool: ...
    def result(self) -> object: ...


class Waiter:
    """A future that is done whenever one of those that it watches is; to be awaited again and again by one task.

    ``woken``: something was done since it was last awaited. ``called``: what is watched was, or ``wake`` was called;
    ``cancelled``: whoever awaits this was, and ``text`` is what that said; the holder clears these two. ``wake_up``:
    that of the one task that waits, once it is known; ``lent``: the future that was given it last.
    """

    __slots__ = (
        *("_asyncio_future_blocking", "_callbacks", "_context", "_due", "_loop", "_moved"),
        *("called", "cancelled", "lent", "text", "wake_up", "woken"),
    )

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop or asyncio.get_running_loop()
        self._asyncio_future_blocking = False
        self._callbacks: tuple[Any, ...] = ()  # a callback, its context, and so on: mostly one, and less than a list
        self._context: Context | None = None
        self._moved = self._due = False  # more than one task has waited; it will fire in the next turn
        self.wake_up: Callable[[Any], object] | None = None
        self.lent: asyncio.Future[Any] | None = None
        self.woken: bool = False
        self.called: bool = False
        self.cancelled: bool = False
        self.text: tuple[object, ...] = ()

    def watch(self, future: Future) -> None:
        """Be done when *future* is; to be called once for each future."""
        if self._context is None:  # not awaited yet, so not known
            future.add_done_callback(self.wake)
        else:
            future.add_done_callback(self._fire, context=self._context)

    def follow(self, future: Future) -> None:
        """As ``watch``, for what the holder looks at anyway: ``called`` stays as it is."""
        if self._context is None:
            future.add_done_callback(self.wake)
        else:
            future.add_done_callback(self._go_on, context=self._context)

    def wake(self, _: object = None) -> None:
        """Be done now; may be called from anywhere in the loop's thread."""
        if not self._due:  # once a turn, or who asks for it each time that he is woken would drown
            self._due = True
            self._loop.call_soon(self._fire, context=self._context)

    def _fire(self, _: object = None) -> None:
        self.called, self._due = True, False
        self._go_on()

    def _go_on(self, _: object = None) -> None:
        self.woken = True
        if self.lent is not None:
            self._take_back()
        callbacks, self._callbacks = self._callbacks, ()
        for index in range(0, len(callbacks), 2):
            callback: Callable[[Any], object] = callbacks[index]
            if self._moved:
                self._loop.call_soon(callback, self, context=callbacks[index + 1])
            else:
                callback(self)

    def __await__(self) -> Generator["Waiter", None, None]:
        if not self.woken and not self.cancelled:
            try:
                yield self.block()
            except asyncio.CancelledError as error:
                self.take(error)
        self.woken = False

    def block(self) -> "Waiter":
        """Return this as it is to be yielded to whoever runs the task."""
        self._asyncio_future_blocking = True
        return self

    def _take_back(self) -> None:
        future, self.lent = self.lent, None
        assert future is not None
        assert self.wake_up is not None
        if future.remove_done_callback(self.wake_up):  # else it is done, and has called it or is about to
            self.wake_up(self)

    def take(self, error: asyncio.CancelledError) -> None:
        """Whoever awaits this was cancelled elsewhere, by *error*."""
        self.cancelled, self.text = True, error.args

    # What a Task, or an outer Waiter, asks of a future

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def add_done_callback(self, callback: Callable[[Any], object], *, context: Context | None = None) -> None:
        self._callbacks += (callback, context)
        if context is not self._context and context is not None:
            self._moved = self._context is not None
            self._context = context
            of_task = isinstance(getattr(callback, "__self__", None), asyncio.Task)  # and not of an outer Waiter
            self.wake_up = callback if of_task and not self._moved else None

    def cancel(self, msg: object = None) -> bool:
        self.cancelled, self.text = True, () if msg is None else (msg,)
        self.wake()
        return True

    def done(self) -> bool:
        return self.woken

    def result(self) -> None:
        return None
