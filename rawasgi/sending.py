"""A stream into ``http.response.body`` messages: the loop on which everything hangs.

Theory of operation
===================

**Flush when the source is about to wait.** One message an item is slow when items are ready (each costs a framing, a
system call, a wake-up of the client), and joining items by size or time is late when they are not. But the source
itself tells which it is. Our coroutine is advanced by hand (driving.py), so we see it suspend: then the source is about
to wait, and what was kept goes out now, in one message, before the wait begins. Paced items (tokens, events) so leave
at once, one a message; a burst (rows, lines) is joined up to 64 KiB.

A source that waited at each of its last items is paced: its next item is not even kept, but sent as it comes. A source
that computes without awaiting tells nothing: there the clock decides, and an item that took more than 1 ms is sent.

**Be fair.** ``await send()`` does not give way on uvicorn and hypercorn as long as the client reads, nor ever after
it left. So we give way ourselves when 5 ms have passed without.

**Fail visibly.** ``http.response.start`` goes out with the first item or before the first wait, so an error before
that is still an answer of its own. A later error is raised: the server cuts the connection, and the client sees that
the body is not whole. A client that left is no error: nothing is raised and nothing logged.

**Close, always.** Whatever ended the stream, its source is closed here, in this task, before we return.
"""

from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from time import monotonic
from typing import Any, NoReturn

from rawasgi.asgi import HTTPResponseBody, HTTPResponseStart, Send
from rawasgi.driving import Driver, Gone
from rawasgi.errors import AppError
from rawasgi.inbox import Inbox
from rawasgi.streams.base import close
from rawasgi.streams.stepping import give_way

Chunk = bytes | bytearray | memoryview | str

_JOIN_BYTES = 64 * 1024
_PROMPT = 0.001  # an item that came later than this after the one before is sent at once
_FAIR = 0.005  # the longest that we run without giving way


def encode(chunk: object) -> bytes:
    """Return the bytes of one item of a stream. Raises: TypeError for what is neither text nor bytes."""
    if isinstance(chunk, str):
        return chunk.encode()
    if isinstance(chunk, bytes):
        return chunk
    if isinstance(chunk, bytearray | memoryview):
        return bytes(chunk)  # of a memoryview, all its bytes whatever its items are
    raise TypeError(
        f"a stream's item must be str, bytes, bytearray or memoryview, not {chunk!r}: encode it, or respond in a format"
    )


@dataclass(slots=True, eq=False)  # not frozen: that is a tenth of what a short response costs us
class Streaming:
    """A body that is sent as its source gives it.

    *source*: an async iterable; whoever sends the body closes it. *join*: items that are ready together leave in one
    message; False sends each item in its own. *send*: seconds that one ``send()`` may take before the client counts as
    gone. *cleanup*: seconds for closing the source. *encode*: makes the bytes of an item; by default they must be
    bytes, bytearray, memoryview or str (sent as UTF-8). *beat*: what is sent whenever the source has been silent for
    *every* seconds.
    """

    source: AsyncIterable[Any]
    join: bool = True
    send: float = 30.0
    cleanup: float = 5.0
    encode: Callable[[Any], bytes] = encode
    beat: bytes | None = None
    every: float = 15.0


class _NoItem:
    """No item of a source is one."""


def send_stream(body: Streaming, start: HTTPResponseStart, inbox: Inbox, send: Send) -> Awaitable[None]:
    """Send *start*, then the items of *body* as they come, then the end of the body; close the source.

    Sends: http.response.start, http.response.body*. Returns also when the client left, and then without the end.
    Raises: what the source raises (nothing was sent, if it was before its first wait); TimeoutError if the source could
    not be closed in time; AppError if the body is not as long as its Content-Length says.
    Spec: "Response Start", "Response Body", "Disconnect - receive event".
    """
    sender = _Sender(body, start, inbox, send)
    return sender.drive(sender.produce())


def close_unsent(body: Streaming, inbox: Inbox, send: Send) -> Awaitable[None]:
    """Close the source of a body that is not to be sent (HEAD, 204, 304), without starting it."""
    sender = _Sender(body, None, inbox, send)
    return sender.drive(sender.close())


class _Sender(Driver):
    """One response."""

    __slots__ = ("_body", "_send")

    def __init__(self, body: Streaming, start: HTTPResponseStart | None, inbox: Inbox, send: Send) -> None:
        # All that is needed before the first wait, and most short responses have none: for the rest see _begin.
        self._body = body
        self._start = start
        self._inbox = inbox
        self._send = send
        self._kept = []
        self._left = self._ahead = self._waited = None
        self._sending = self._closing = self._gone = False

    def _begin(self) -> None:
        body = self._body
        self._set_up(body.send, body.cleanup, body.beat, body.every)

    async def produce(self) -> None:
        """Send everything, up to the end of the body, and close the source."""
        body = self._body
        items: object = None
        source, encoded = body.source, body.encode
        limit = _JOIN_BYTES if body.join else 0
        kept = self._kept
        send = self._send
        ready = bytes if encoded is encode else _NoItem
        beats = body.beat is not None
        size = 0
        now = monotonic()
        prompt, fair = now + _PROMPT, now + _FAIR
        try:
            assert self._start is not None
            for name, value in self._start["headers"]:
                if len(name) == 14 and name.lower() == b"content-length":
                    self._left = int(value)
            items = aiter(source)
            async for chunk in items:
                if type(chunk) is not ready:
                    chunk = encoded(chunk)
                if self._waited is not None:
                    if self._waited:
                        # as _flush, without its coroutine and the clock: a tenth of what a paced item costs
                        self._waited = None
                        self._sent = self._sending = True
                        if beats:
                            self._silence = None
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                        self._sending = False
                        continue
                    self._waited = None
                    self._sent = True
                    self._silence = None
                    if self._gone:  # a source that yields all the same; what it does next may be its clean-up
                        raise Gone
                    if self._ahead is not None:
                        await self._behind()
                    size = 0
                    now = monotonic()
                    prompt, fair = now + _PROMPT, now + _FAIR
                kept.append(chunk)
                size += len(chunk)
                now = monotonic()
                if size >= limit or now > prompt or now > fair:
                    size = 0
                    await self._flush(True)
                    if now > fair:
                        await give_way()
                        fair = monotonic() + _FAIR
                prompt = now + _PROMPT
            if self._ahead is not None:
                await self._behind()
            message = self._joined(False)  # as _flush, without its coroutine
            if self._start is not None:
                await send(self._begun())
            await send(message)
        except Exception as error:
            if self._sending and self._ahead is None:  # it is not the source's
                _lost(error)
            raise
        finally:
            if getattr(source, "ag_frame", source) is not None:  # a generator that has ended needs no closing
                await self.close(items)

    async def _flush(self, more_body: bool) -> None:
        """Send what was kept as one message, after the start if that is still to be sent."""
        message = self._joined(more_body)
        try:
            if self._start is not None:
                await self._send(self._begun())
            await self._send(message)
        except Exception as error:
            _lost(error)
        finally:
            self._sending = False

    def _joined(self, more_body: bool) -> HTTPResponseBody:
        """Return what was kept as one message, which is sent now."""
        if self._gone:
            raise Gone
        kept = self._kept
        chunk = kept[0] if len(kept) == 1 else b"".join(kept)
        kept.clear()
        if self._left is not None:
            self._count(len(chunk), more_body)
        self._sending, self._deadline = True, None
        return {"type": "http.response.body", "body": chunk, "more_body": more_body}

    def _begun(self) -> HTTPResponseStart:
        """Return the start, which is sent now."""
        assert self._start is not None
        start, self._start = self._start, None
        self._inbox.answered = True
        return start

    async def _behind(self) -> None:
        """Wait for the flush that went ahead of the source's wait, and that send() holds up for longer."""
        self._free = self._waiter.get_loop().create_future()
        await self._free
        self._free = None

    def _count(self, size: int, more_body: bool) -> None:
        """Hold the body to its Content-Length (RFC 9110, 8.6): most servers fail late, and some not at all."""
        assert self._left is not None
        self._left -= size
        if self._left < 0 or (self._left and not more_body):
            off = f"{-self._left} bytes longer" if self._left < 0 else f"{self._left} bytes shorter"
            raise AppError(f"the body is {off} than its content-length says: leave that header out, or make it right")

    def close(self, items: object = None) -> Coroutine[Any, None, None]:
        """Close the source, and *items*, its iterator."""
        self._closing, self._sending = True, False
        self._deadline = None
        if self._ahead is not None:
            self._cancel_ahead()
        return close(self._body.source, items)


# What says that the client left, in other words than an OSError: uvloop's transports, which uvicorn does not ask before
# it writes; and aioquic, under hypercorn, of a stream that its client has stopped, of which nothing else is told.
_GONE = (
    *("handler is closed", "DATA frame is not allowed in this state"),
    *("Cannot send data after the stream was reset", "Cannot send data on a finished stream"),
)


def is_gone(error: Exception) -> bool:
    """Return whether *error*, which ``send`` raised, says that the client left.

    An OSError says so since 2.4. Spec: "Disconnected Client - send exception".
    """
    return isinstance(error, OSError) or any(words in str(error) for words in _GONE)


def _lost(error: Exception) -> NoReturn:
    """Raise Gone for what ``send`` raised, if that is what *error* says; else *error*."""
    if is_gone(error):
        raise Gone from error
    raise error
