"""A stream into ``http.response.body`` messages: the loop on which everything depends.

Theory of operation
===================

The idea, without what makes it fast, correct and fair (``examples/naked.py`` has such loops in full):

.. code-block:: python

    async def send_stream(source, start, receive, send):
        buffer = []
        async for chunk in source:                      # when this suspends, send what is buffered, then wait
            buffer.append(chunk)
            if len(b"".join(buffer)) >= 64 * 1024:      # when it does not, join up to 64 KiB
                await flush(buffer)
        await send(body(buffer, more_body=False))

**The states.** ``writing.py`` has the phases of a response in one table: RUNNING, PACED, IDLE, FLUSHING, WRITING,
CLOSING, ABORTING. This loop sets WRITING around each ``send()`` and CLOSING at its end; ``suspension.py`` sets the
others when something is suspended. Each ``send()`` has a deadline of its own, in WRITING and FLUSHING only, so a client
that reads steadily cannot be cut.

**Flush when the source is about to wait.** One message an item is slow when items are ready (each costs a framing, a
system call, a wake-up of the client), and joining items by size or time is late when they are not. The source itself
shows which it is: this coroutine is advanced by hand (``driving.py``), so we see it suspend. Then the source is about
to wait, and what is buffered is sent now, in one message, before the wait. Paced items (tokens, events) are so sent at
once, one a message; a burst (rows, lines) is joined up to 64 KiB.

A source that waited at each of its last items is *paced*: its next item is not buffered, but sent as it comes. A source
that computes without awaiting shows nothing: there the clock decides, and an item that took more than 1 ms is sent.

**Be fair.** ``await send()`` does not yield to the event loop on uvicorn and hypercorn as long as the client reads, nor
ever after it disconnected. So we yield ourselves when 5 ms have passed without.

**Fail visibly.** ``http.response.start`` is sent with the first item, or before the first wait, so an error before that
can still become a response of its own. With a ``max_start_delay`` the first wait does not send it: it waits for the
first item, and is sent without one when that time has passed. A later error is raised: the server cuts the connection,
and the client sees that the body is not complete. A client that disconnected is no error: nothing is raised and nothing
logged.

**Close, always.** Whatever ended the stream, its source is closed here, in this task, before we return.
"""

import asyncio
import sys
from collections.abc import AsyncIterable, Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from traceback import clear_frames
from typing import Any

from rawasgi.asgi import HTTPResponseStart, Send
from rawasgi.content_length import BodyLength
from rawasgi.driving import run
from rawasgi.inbox import Inbox
from rawasgi.outcomes import COMPLETE, REPORTED
from rawasgi.streams.base import close, close_dropped, fastest, hold_errors
from rawasgi.streams.nesting import held_by
from rawasgi.streams.stepping import give_way
from rawasgi.writing import (
    ABORTING,
    CLOSING,
    FLUSHING,
    PACED,
    RUNNING,
    WRITING,
    Gone,
    Writer,
    raise_send_error,
)

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
    *every* seconds. *max_start_delay*: seconds for which status and headers wait for the first item; None leaves it to
    the handler, and is 0 without one.
    """

    source: AsyncIterable[Any]
    join: bool = True
    send: float = 30.0
    cleanup: float = 5.0
    encode: Callable[[Any], bytes] = encode
    beat: bytes | None = None
    every: float = 15.0
    max_start_delay: float | None = None

    def held(self) -> list[Any]:
        return held_by(self.source)

    def hold_errors(self, holds: bool) -> None:
        """As ``Stream.hold_errors``, of the source."""
        hold_errors(holds, self.source)


class _NoItem:
    """No item of a source is one."""


def send_stream(
    body: Streaming, start: HTTPResponseStart, inbox: Inbox, send: Send, max_start_delay: float = 0.0
) -> Awaitable[None]:
    """Send *start*, then the items of *body* as they come, then the end of the body; close the source.

    *max_start_delay*: that of *body*, if it has none of its own.
    Sends: http.response.start, http.response.body*. Returns also when the client left, and then without the end.
    Raises: what the source raises (nothing was sent, if it was before its first wait); TimeoutError if the source could
    not be closed in time; AppError if the body is not as long as its Content-Length says.
    Spec: "Response Start", "Response Body", "Disconnect - receive event".
    """
    writer = Writer(start, inbox, send)
    if body.max_start_delay is None:
        body.max_start_delay = max_start_delay
    return run(_produce(body, writer), writer, body)


def close_unsent(body: Streaming, inbox: Inbox, send: Send) -> Awaitable[None]:
    """Close the source of a body that is not to be sent (HEAD, 204, 304), without starting it."""
    writer = Writer(None, inbox, send)
    writer.outcome = COMPLETE  # of the clean-up alone; that of the response is noted with its messages
    return run(_close(body, writer, None), writer, body)


async def _produce(body: Streaming, writer: Writer) -> None:
    """Send everything, up to the end of the body, and close the source."""
    items: object = None
    source, encoded = body.source, body.encode
    limit = _JOIN_BYTES if body.join else 0
    buffer = writer.buffer
    send = writer.send
    running = RUNNING  # a local is read in half the time of a global
    ready = bytes if encoded is encode else _NoItem
    beats = body.beat is not None
    size = 0
    now = monotonic()
    prompt, fair = now + _PROMPT, now + _FAIR
    try:
        assert writer.start is not None
        for name, value in writer.start["headers"]:
            if len(name) == 14 and name.lower() == b"content-length":
                writer.length = BodyLength(int(value))  # an error of the app, before anything is sent
        items = aiter(source)
        async for chunk in fastest(items):
            if type(chunk) is not ready:
                chunk = encoded(chunk)
            if writer.phase is not running:  # the source has waited since its last item
                if writer.phase is PACED:
                    # As flush(), without its coroutine and the clock: a tenth of what a paced item costs.
                    writer.phase = WRITING
                    writer.sent = True
                    writer.deadline = None  # each send has a deadline of its own
                    if beats:
                        writer.silence = None
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                    if writer.phase is not WRITING:  # a send() that swallowed its cancellation
                        raise Gone
                    writer.phase = running
                    continue
                if writer.phase is FLUSHING:
                    await writer.wait_for_flush()
                if writer.phase is ABORTING:  # a source that yields all the same: what it does next may be its clean-up
                    raise Gone
                writer.phase = running
                writer.sent = True
                writer.silence = None
                size = 0
                now = monotonic()
                prompt, fair = now + _PROMPT, now + _FAIR
            buffer.append(chunk)
            size += len(chunk)
            now = monotonic()
            if size >= limit or now > prompt or now > fair:
                size = 0
                await writer.flush()
                now = monotonic()
                if now > fair:
                    writer.phase = WRITING  # it is this loop that waits, and not the source
                    await give_way()
                    writer.phase = running
                    now = monotonic()
                    fair = now + _FAIR
            prompt = now + _PROMPT
        if writer.phase is FLUSHING:
            await writer.wait_for_flush()
        message = writer.take_message(False)  # as flush(), without its coroutine
        writer.inbox.is_ending = True
        if writer.start is not None:
            await send(writer.take_start())
        await send(message)
        writer.end(REPORTED if getattr(source, "has_reported", False) else COMPLETE)
    except Exception as error:
        if writer.phase is WRITING:  # send() raised it, and not the source
            raise_send_error(error)
        raise
    finally:
        aborted = writer.phase is ABORTING
        if aborted or getattr(source, "ag_frame", source) is not None:  # a generator that has ended needs no closing
            await _close(body, writer, items, aborted)


async def _close(body: Streaming, writer: Writer, items: object, aborted: bool = False) -> None:
    """Close the source, and *items*, its iterator; if it was *aborted*, also what it has dropped."""
    writer.phase, writer.deadline = CLOSING, None
    try:
        await close(body.source, items)
    finally:
        if aborted:
            if isinstance(error := sys.exception(), asyncio.CancelledError):
                clear_frames(error.__traceback__)  # the variables of the source that it has ended
            await close_dropped(writer.held)
