"""The one reader of ``receive()``: the body goes to the request, the disconnect to whoever streams.

Theory of operation
===================

No server tells a streaming app that its client left, except through ``receive()``: ``send()`` goes on returning None.
And ``receive()`` tells it only after every message of the request body was read. So somebody must always be reading,
and it can be only one: of two readers, hypercorn and daphne wake one, and after the disconnect they wake nobody any
more.

The inbox is that reader. It holds one ``receive()`` as a ``Step`` (streams/stepping.py), so that no task is needed: a
request that wants its body waits for that step, and the sending loop waits for it together with its source. Whoever is
woken first takes the message; the other finds it here.

A client that pipelines one more request makes the servers stop reading, and then they do not see it leave. uvicorn
reads on whenever ``receive()`` is called: ``refresh`` gives the held call up and makes a new one.
"""

import asyncio
from collections import deque

from rawasgi.asgi import HTTPReceived, Receive
from rawasgi.errors import AppError, Disconnected
from rawasgi.streams.stepping import Step, give_way
from rawasgi.streams.waiting import Waiter

# What is read ahead of a handler that may still want it, while its response is already streaming.
_AHEAD_BYTES = 256 * 1024


class Inbox:
    """Reads a request's messages; itself a ``receive`` for an app that is called with it.

    ``disconnected``: the client left. ``complete``: the whole body has come. ``answered``: the response has begun, so
    an error can no longer become an answer of its own.
    """

    # Here, and not in __init__, because a short exchange touches hardly any of it.
    answered = complete = disconnected = False
    step: Step | None = None  # the held call
    _listener: Waiter | None = None  # who was told of _step already
    _chunks: deque[bytes] | None = None  # made at the first chunk: most requests have no body
    _size = 0
    _came = 0  # messages
    _readers = 0
    _begun = False  # somebody has asked for the body, and may ask for more
    _dropped = False
    _end_given = False
    _leaving = False

    def __init__(self, receive: Receive) -> None:
        self._receive = receive

    @classmethod
    def of(cls, receive: Receive) -> "Inbox":
        """The inbox that *receive* already is, or a new one around it: there must be but one reader."""
        return receive if isinstance(receive, Inbox) else cls(receive)

    async def read(self) -> bytes | None:
        """Return the next piece of the body, or None at its end.

        Raises: Disconnected if the client left before it; AppError if the response is streaming and the body, which
        nobody had begun to read, was dropped.
        """
        self._begun = True
        self._readers += 1
        try:
            while not self._chunks:
                if self._dropped:
                    raise AppError(
                        "the request body was dropped, because the response was streaming and nobody had begun to read"
                        " it: read the body before the first wait of the stream"
                    )
                if self.complete:
                    return None
                if self.disconnected:
                    raise Disconnected("the client left before its request was complete")
                await self._message()
        finally:
            self._readers -= 1
        chunk = self._chunks.popleft()
        self._size -= len(chunk)
        return chunk

    @property
    def is_reading(self) -> bool:
        """Somebody waits for the body just now."""
        return self._readers > 0

    async def __call__(self) -> HTTPReceived:
        """Return the next message, as ``receive`` does; after the body, wait for the disconnect."""
        if not self._end_given:
            try:
                chunk = await self.read()
            except Disconnected:
                return {"type": "http.disconnect"}
            self._end_given = self.complete and not self._chunks
            return {"type": "http.request", "body": chunk or b"", "more_body": not self._end_given}
        while not self.disconnected:
            await self._message()
        return {"type": "http.disconnect"}

    async def _message(self) -> None:
        """Wait until a message has come, whoever takes it."""
        before = self._came
        self.poll()
        step = self.step
        if step is None or self._came != before:
            return
        if step.waits_for is None:
            await give_way()
        else:
            # No Waiter: a cancellation passes as it is, with the text by which anyio knows its own.
            woken = asyncio.Event()
            step.waits_for.add_done_callback(lambda _: woken.set())
            await woken.wait()
        self.poll()

    def leave(self) -> None:
        """Let the app believe that its client left, from its next turn on; may be called from another task."""
        self._leaving = True
        if self.step is not None and self.step.waits_for is not None:
            self.step.waits_for.cancel()  # which wakes whoever waits for it

    def poll(self) -> bool:
        """Take what has come, without waiting; return whether the client left."""
        if self._leaving:
            self.disconnected = True
            self.close()
        step = self.step
        while not self.disconnected and (step is None or step.ready()):
            if step is None:
                if self._is_full():
                    break
                step = Step(self._receive())
            self._listener = None
            if not self._advance(step):
                if step.waits_for is None:
                    break
            else:
                step = None
        return self.disconnected

    def _advance(self, step: Step) -> bool:
        """Advance the held ``receive()``; return whether it is over."""
        self.step = None
        try:
            if step.advance():
                self._take(step.value)
                return True
        except asyncio.CancelledError:  # we gave this call up ourselves, in refresh()
            return True
        self.step = step
        return False

    def _is_full(self) -> bool:
        return self._size > _AHEAD_BYTES

    def _take(self, message: HTTPReceived) -> None:
        self._came += 1
        if message["type"] == "http.disconnect":
            self.disconnected = True
            return
        chunk = message.get("body", b"")
        if chunk and not self._dropped:
            if self._chunks is None:
                self._chunks = deque()
            self._chunks.append(chunk)
            self._size += len(chunk)
        if not message.get("more_body", False):
            self.complete = True

    # For the sending loop

    def listen(self, waiter: Waiter) -> bool:
        """``poll``, and have *waiter* woken when there is more to take.

        A body that nobody has begun to read does not stand in the way of the disconnect: past 256 KiB it is dropped.
        """
        self.poll()
        if self._is_full() and not self._begun:
            self._dropped = True
            self._chunks, self._size = None, 0
            self.poll()
        if self.disconnected:
            return True
        step = self.step
        if step is not None and self._listener is not waiter:
            self._listener = waiter
            if step.waits_for is None:
                waiter.wake()
            else:
                waiter.watch(step.waits_for)
        return False

    def refresh(self) -> None:
        """Give up the held ``receive()`` and call it again, which makes uvicorn read on."""
        step = self.step
        if step is not None and not self._readers and not step.ready():
            assert step.waits_for is not None
            step.waits_for.cancel()
            self.poll()

    def close(self) -> None:
        """Give up the held ``receive()``: the exchange is over."""
        step, self.step = self.step, None
        if step is not None:
            try:
                step.cancel()
            except asyncio.CancelledError:
                pass
