"""Cancel a handler that returns its response when its client disconnects.

Theory of operation
===================

A handler that waits does not learn that its client disconnected: only ``receive()`` reports it. So the inbox calls
``receive()`` for it. The handler runs in the server's task, as any app does. When the disconnect arrives, that task is
cancelled, and the cancellation is taken back when the handler has ended. This is the protocol of ``asyncio.timeout``
(``Task.cancel``, ``uncancel``, ``cancelling``), so a timeout or a TaskGroup in the handler works, and the cancellation
by a server or a middleware can be told apart from this one.

**A handler that never waits costs nothing**: no task, no timer, no call of ``receive()``. Its coroutine is advanced by
hand to its first wait, and most end before one; a function without an ``await`` is not even advanced by hand. One that
waits sets a timer, and is watched only if it is still at work 0.1 s later. To call ``receive()`` and to cancel the call
takes 20 us and, behind a middleware, a task; the timer takes 8 us (asyncio's own loop, Python 3.11).

**A read of the body raises Disconnected instead.** It ends the handler as well, and shows that the request was not
complete. The handler is not cancelled then, so it may catch that and save what has arrived.

A handler is not watched while it waits for the body, as that read finds out by itself. Nor is it before it has asked
for the body if the client waits for "100 Continue": a call of ``receive()`` would ask for a body that may be refused.
What arrives of the body meanwhile is kept, up to 256 KiB; past that the disconnect is not seen until the handler reads.
"""

import asyncio
import dis
from collections.abc import Coroutine, Generator
from types import CodeType, coroutine
from typing import Any, cast

from rawasgi.asgi import HTTPScope
from rawasgi.errors import Disconnected, HTTPError
from rawasgi.inbox import Inbox

_WATCH_AFTER = 0.1  # seconds: a disconnect is found so late at most
DISCONNECTED: object = object()  # in the place of a response: the client disconnected while the handler waited


def can_wait(function: object) -> bool:
    """Return False if *function* is a plain async function without an ``await``."""
    code = getattr(function, "__code__", None)
    return not isinstance(code, CodeType) or any(each.opname == "SEND" for each in dis.get_instructions(code))


def is_disconnect(error: BaseException) -> bool:
    """Return whether *error* is Disconnected, or a group of nothing else, as a TaskGroup raises it."""
    if isinstance(error, BaseExceptionGroup):
        return error.split(Disconnected)[1] is None
    return isinstance(error, Disconnected)


@coroutine
def finish(
    handler: Coroutine[Any, Any, object], waits_for: Any, inbox: Inbox, scope: HTTPScope
) -> Generator[Any, Any, Any]:
    """Await the rest of *handler*, which has yielded *waits_for*; cancel it when its client disconnects.

    Returns: what *handler* returns, or DISCONNECTED if it was cancelled, whatever it returned then. Raises: what
    *handler* raises, except for this cancellation, and after it also Disconnected and HTTPError: nobody can get it.
    """
    watch = _Watch(inbox, scope)
    error: BaseException | None
    try:
        while True:
            watch.waits_for = waits_for
            if watch.is_due:
                watch.start()
            error = None
            try:
                yield waits_for
            except BaseException as raised:
                error = raised
            # Not from within the except: the handler would see the error in sys.exception().
            waits_for = handler.send(None) if error is None else handler.throw(error)
    except StopIteration as stop:
        watch.stop()
        return DISCONNECTED if watch.has_cancelled else stop.value
    except BaseException as raised:
        watch.stop()
        if not watch.has_cancelled or watch.is_cancelled_elsewhere or not _is_expected(raised):
            raise
        return DISCONNECTED
    finally:
        error = None  # its traceback has this frame: a cycle, for the collector to find


def _is_expected(error: BaseException) -> bool:
    """Return whether a handler that was cancelled may raise *error*."""
    return isinstance(error, asyncio.CancelledError | HTTPError) or is_disconnect(error)


class _Watch:
    """Cancels the running task when the client of *inbox* disconnects.

    ``has_cancelled``: it did. ``is_cancelled_elsewhere``: so did somebody else, before ``stop`` took ours back.
    """

    # Here, and not in __init__, because a handler that waits for a moment only touches none of it.
    is_due = has_cancelled = is_cancelled_elsewhere = False
    waits_for: object = None  # the handler, now
    _is_on = False
    _before = 0

    def __init__(self, inbox: Inbox, scope: HTTPScope) -> None:
        self._inbox = inbox
        self._scope = scope
        self._task = cast("asyncio.Task[object]", asyncio.current_task())
        self._timer = asyncio.get_running_loop().call_later(_WATCH_AFTER, self.start)

    def start(self) -> None:
        """Watch from now on, if the handler is to be cancelled in its wait."""
        self.is_due = True
        inbox = self._inbox
        if self._is_on or inbox.is_disconnect_raised or inbox.is_arrival(self.waits_for):
            return
        if not inbox.is_body_requested and any(name == b"expect" for name, _ in self._scope["headers"]):
            return
        self._is_on = True
        self._before = self._task.cancelling()
        if inbox.watch(self):
            self.wake()

    def wake(self) -> None:
        """See whether the client has disconnected: the inbox calls this when anything has arrived."""
        if self._inbox.disconnected:  # later, as the handler itself may be running: is_disconnected() calls receive()
            asyncio.get_running_loop().call_soon(self._cancel)

    def _cancel(self) -> None:
        if self._is_on and not self.has_cancelled and not self._inbox.is_arrival(self.waits_for):
            self.has_cancelled = True
            self._task.cancel()

    def stop(self) -> None:
        """Watch no longer, and take our cancellation back."""
        self._timer.cancel()
        if self._is_on:
            self._is_on = False
            self._inbox.unwatch()
        if self.has_cancelled:
            self.is_cancelled_elsewhere = self._task.uncancel() > self._before
