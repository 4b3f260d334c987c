"""Cancel a handler that returns its response when its client disconnects.

Theory of operation
===================

A handler that waits does not learn that its client disconnected: only ``receive()`` reports it. So from the handler's
first wait on the inbox calls ``receive()``. The handler runs in the server's task, as any app does. When the disconnect
arrives, that task is cancelled, and the cancellation is taken back when the handler has ended. This is the protocol of
``asyncio.timeout`` (``Task.cancel``, ``uncancel``, ``cancelling``), so a timeout or a TaskGroup in the handler works,
and the cancellation by a server or a middleware is told from this one.

**A handler that never waits costs nothing**: no task, no timer, no call of ``receive()``. Its coroutine is advanced by
hand to its first wait, and most end before one; a function without an ``await`` is not even advanced by hand.

**A read of the body raises Disconnected instead.** It ends the handler as well, and says that the request was not
complete. The handler is not cancelled then, so it may catch that and save what has arrived.

**When does it listen?** Not while the handler waits for the body, as that read finds out by itself. Not before the body
is read if the client waits for "100 Continue", as a call of ``receive()`` would ask for a body that may be refused.
Otherwise from the first wait on. What arrives of the body meanwhile is kept, up to 256 KiB; past that the disconnect is
not seen until the handler reads.
"""

import asyncio
import dis
from collections.abc import Coroutine, Generator
from types import CodeType, coroutine
from typing import Any, cast

from rawasgi.asgi import HTTPScope
from rawasgi.errors import Disconnected, HTTPError
from rawasgi.inbox import Inbox

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
    watch = _Watch(inbox, any(name == b"expect" for name, _ in scope["headers"]))
    error: BaseException | None
    try:
        while True:
            watch.look(waits_for)
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

    __slots__ = (
        *("_before", "_expects_continue", "_inbox", "_is_on", "_task", "_waits_for"),
        *("has_cancelled", "is_cancelled_elsewhere"),
    )

    def __init__(self, inbox: Inbox, expects_continue: bool) -> None:
        self._inbox = inbox
        self._expects_continue = expects_continue
        self._task = cast("asyncio.Task[object]", asyncio.current_task())
        self._before = self._task.cancelling()
        self._is_on = False
        self._waits_for: object = None
        self.has_cancelled = False
        self.is_cancelled_elsewhere = False

    def look(self, waits_for: object) -> None:
        """Listen from now on, if the handler is to be cancelled in the wait for *waits_for*."""
        self._waits_for = waits_for
        inbox = self._inbox
        if self._is_on or inbox.is_arrival(waits_for) or (self._expects_continue and not inbox.is_body_requested):
            return
        self._is_on = True
        if inbox.watch(self):
            self.wake()

    def wake(self) -> None:
        """See whether the client has disconnected: the inbox calls this when anything has arrived."""
        if self._inbox.disconnected:  # later, as the handler itself may be running: is_disconnected() calls receive()
            asyncio.get_running_loop().call_soon(self._cancel)

    def _cancel(self) -> None:
        if self._is_on and not self.has_cancelled and not self._inbox.is_arrival(self._waits_for):
            self.has_cancelled = True
            self._task.cancel()

    def stop(self) -> None:
        """Listen no longer, and take our cancellation back."""
        if self._is_on:
            self._is_on = False
            self._inbox.unwatch()
        if self.has_cancelled:
            self.is_cancelled_elsewhere = self._task.uncancel() > self._before
