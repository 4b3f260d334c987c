"""The one reader of ``receive()``: the body goes to the request, the disconnect to the response that streams.

Theory of operation
===================

No server reports to a streaming app that its client disconnected, except through ``receive()``: ``send()`` goes on
returning None. And ``receive()`` reports it only after every message of the request body was read. So ``receive()``
must be called all the time, and by one reader only: of two readers, hypercorn and daphne wake one, and after the
disconnect they wake none.

The inbox is that reader. ``listening.py`` calls ``receive()`` for it, in no task of the app's. What arrives is kept
here: chunks for ``read()``, and the disconnect, the end of the body or an exception for all who wait. A reader waits
for a future of its own; the sending loop has its ``Waiter`` woken.

An exception that ``receive()`` raises (a body limit's 413) is raised by ``read()``, or ends the stream, unchanged.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from typing import Protocol

from rawasgi.asgi import HTTPReceived, Receive
from rawasgi.errors import AppError, Disconnected
from rawasgi.listening import Listener, listen
from rawasgi.outcomes import Outcome
from rawasgi.streams.waiting import Waiter

# What is read ahead of a handler that may still want it, while its response is already streaming.
_AHEAD_BYTES = 256 * 1024
_CLOSE_TIMEOUT = 5.0  # seconds that a receive() which resists its cancellation is waited for


class Wakes(Protocol):
    """What waits for messages: the ``Waiter`` of the sending loop, or what watches a handler."""

    def wake(self) -> None: ...


class Inbox:
    """Reads a request's messages; itself a ``receive`` for an app that is called with it.

    ``disconnected``: the client has disconnected. ``complete``: the whole body has arrived. ``answered``: the response
    has started, so an error can no longer become a response of its own. ``error``: what ``receive()`` raised.
    """

    # Here, and not in __init__, because a short exchange touches hardly any of it.
    answered: bool = False
    complete: bool = False
    disconnected: bool = False
    is_drained: bool = False
    on_drain: Callable[[], float] | None = None  # returns the seconds until the disconnect is simulated
    is_disconnect_raised: bool = False  # to a reader, which knows it by that
    is_ending: bool = False  # the last message of a stream is being sent
    error: BaseException | None = None
    outcome: Outcome | None = None  # why the response ended
    listener: Listener | None = None  # from the first call of receive() until close()
    _waiter: Wakes | None = None
    _chunks: deque[bytes] | None = None  # made at the first chunk: most requests have no body
    _size = 0
    _arrivals: set[asyncio.Future[None]] | None = None  # one for each reader that waits
    _watched = False  # the disconnect is wanted, not the body only
    _body_requested = False  # the body was read, and may be read on
    _dropped = False
    _error_delivered = False  # to a reader, which raises it
    _eof_delivered = False

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._context = copy_context()  # receive() must not see what the source sets, in which it is called first

    @classmethod
    def of(cls, receive: Receive) -> "Inbox":
        """The inbox that *receive* already is, or a new one around it: there must be but one reader."""
        return receive if isinstance(receive, Inbox) else cls(receive)

    async def read(self) -> bytes | None:
        """Return the next chunk of the body, or None at its end.

        Raises: what ``receive()`` raised; Disconnected if the client disconnected before the end; AppError if the
        response is streaming and the body, which no one had started to read, was dropped. A cancelled read loses no
        chunk.
        """
        self._body_requested = True
        self._note_drained()
        while not self._chunks:
            if self._dropped:
                raise AppError(
                    "the request body was dropped, because the response was streaming and nobody had begun to read"
                    " it: read the body before the first wait of the stream"
                )
            if self.complete:
                return None
            if self.error is not None:
                self._error_delivered = True
                raise self.error
            if self.disconnected:
                self.is_disconnect_raised = True
                raise Disconnected("the client left before its request was complete")
            await self._arrival()
            self._note_drained()
        chunk = self._chunks.popleft()
        self._size -= len(chunk)
        return chunk

    @property
    def is_reading(self) -> bool:
        """Return whether a reader waits for the body now."""
        return bool(self._arrivals)

    def is_arrival(self, future: object) -> bool:
        """Return whether *future* is what a reader of the body waits for."""
        return self._arrivals is not None and future in self._arrivals

    @property
    def is_body_requested(self) -> bool:
        """Return whether a reader has asked for the body."""
        return self._body_requested

    async def __call__(self) -> HTTPReceived:
        """Return the next message, as ``receive`` does; after the body, wait for the disconnect."""
        if not self._eof_delivered:
            try:
                chunk = await self.read()
            except Disconnected:
                return {"type": "http.disconnect"}
            self._eof_delivered = self.complete and not self._chunks
            return {"type": "http.request", "body": chunk or b"", "more_body": not self._eof_delivered}
        self._watched = True
        self._note_drained()
        while not self.disconnected:
            if self.error is not None:
                raise self.error
            await self._arrival()
            self._note_drained()
        return {"type": "http.disconnect"}

    async def _arrival(self) -> None:
        """Wait until something has arrived, which another reader may take first."""
        # A future for each reader: one that is cancelled must not cancel the others.
        arrival = asyncio.get_running_loop().create_future()
        if self._arrivals is None:
            self._arrivals = set()
        self._arrivals.add(arrival)
        try:
            self._start()
            await arrival
        finally:
            self._arrivals.discard(arrival)

    def leave(self) -> None:
        """Simulate a disconnect, from the app's next turn on, or as much later as ``on_drain`` says.

        May be called from another task.
        """
        seconds = 0.0 if self.on_drain is None else self.on_drain()
        if seconds:
            asyncio.get_running_loop().call_later(seconds, self._leave)
        else:
            self._leave()

    def _leave(self) -> None:
        self.is_drained = True
        self._notify()

    def _note_drained(self) -> None:
        # Only now, and not in leave(): until the app asks, what it sends is not an answer to the disconnect.
        if self.is_drained:
            self.disconnected = True

    def poll(self) -> bool:
        """Take what has arrived, without waiting; return whether the client has disconnected. Raises: as ``read``."""
        self._watched = True
        self._note_drained()
        self._start()
        if self.error is not None and not self._error_delivered and not self.is_reading:
            raise self.error
        return self.disconnected

    # For the sending loop

    def listen(self, waiter: Waiter) -> bool:
        """``poll``, and have *waiter* woken when something arrives.

        A body that no one has started to read must not hide the disconnect: past 256 KiB it is dropped.
        """
        self._waiter = waiter
        disconnected = self.poll()
        while self._size > _AHEAD_BYTES and not self._body_requested and not disconnected:
            self._dropped = True
            self._chunks, self._size = None, 0
            disconnected = self.poll()
        return disconnected

    def watch(self, watch: Wakes) -> bool:
        """Have *watch* woken when something arrives; return whether the client has disconnected.

        Unlike ``listen`` it drops no body and raises nothing: a handler may still read.
        """
        self._waiter = watch
        self._watched = True
        self._start()
        return self.disconnected

    def unwatch(self) -> None:
        """Wake nothing any more."""
        self._waiter = None

    def refresh(self) -> None:
        """Call ``receive()`` again, which makes uvicorn read on: see ``servers.Server.resumes_reading``.

        Only after the whole body has arrived: then the call under way has no message that could be lost.
        """
        if self.listener is not None and self.complete and not self._arrivals:
            self.listener.refresh()

    def close(self) -> asyncio.Task[None] | None:
        """Cancel the call of ``receive()``: the exchange is over. Return the task to be awaited, if there is one."""
        self._waiter = None
        self._watched = False
        listener, self.listener = self.listener, None  # each refers to the other
        return None if listener is None else listener.cancel()

    async def aclose(self) -> None:
        """``close``, and wait until the call has ended."""
        task = self.close()
        if task is not None:
            await asyncio.wait([task], timeout=_CLOSE_TIMEOUT)

    # For the listener

    def _start(self) -> None:
        if self.listener is None:
            self.listener = listen(self._receive, self, self._context)
        self.listener.start()

    def is_wanted(self) -> bool:
        if self.disconnected or self.error is not None or self._size > _AHEAD_BYTES:
            return False
        if self._arrivals and not self._chunks and any(not each.done() for each in self._arrivals):
            return True
        return self._watched

    def on_message(self, message: HTTPReceived) -> None:
        if message["type"] == "http.disconnect":
            self.disconnected = True
        else:
            chunk = message.get("body", b"")
            if chunk and not self._dropped:
                if self._chunks is None:
                    self._chunks = deque()
                self._chunks.append(chunk)
                self._size += len(chunk)
            if not message.get("more_body", False):
                self.complete = True
        self._notify()

    def on_error(self, error: BaseException) -> None:
        if isinstance(error, asyncio.CancelledError):  # the server or a middleware gave the call up: no more will come
            self.disconnected = True
        else:
            self.error = error
        self._notify()

    def _notify(self) -> None:
        if self._waiter is not None:
            self._waiter.wake()
        for arrival in self._arrivals or ():
            if not arrival.done():
                arrival.set_result(None)
