"""A stream into ``http.response.body`` messages: the loop on which everything hangs.

Theory of operation
===================

**Flush when the source is about to wait.** One message an item is slow when items are ready (each costs a framing, a
system call, a wake-up of the client), and joining items by size or time is late when they are not. But the source
itself tells which it is: ``__anext__()`` is advanced by hand (streams/stepping.py). If it finishes, the item was
ready: keep it. If it suspends, the source is about to wait, so what was kept goes out now, in one message, and only
then do we wait. Paced items (tokens, events) so leave at once, one a message; a burst (rows, lines) is joined up to
64 KiB. A source that computes without awaiting tells nothing: there the clock decides. An item that took more than 1
ms to come is not kept.

**One task.** While the source waits we wait for three things: what the source waits for, the next message of
``receive()`` (inbox.py), and, when the client is slow, what ``send()`` waits for. All three are steps, and one
``Waiter`` is woken by whichever is first. So an idle stream costs one task, and the source lives in the task and
context of its response.

**Who is cancelled?** A cancellation of the task goes to the source if the source is waiting, because it may be the
source's own (``asyncio.timeout``, TaskGroup): then the source goes on, and ``send()``, which knew nothing of it, has
lost no message. If the source ends by it, so do we. While ``send()`` holds us up the source does not wait, but what a
wrapper reads ahead may: so the cancellation waits, for the send or for the second one. When the client leaves, the
source alone is cancelled, in the same way.

**Be fair.** ``await send()`` does not give way on uvicorn and hypercorn as long as the client reads, nor ever after
it left. So we give way ourselves when 5 ms have passed without, and look into the inbox then.

**Close, always.** Whatever ended the stream, its source is closed here, in this task, before we return: first the
step under way is brought to its end, then ``aclose()``. A cancellation that comes meanwhile is kept for afterwards,
which is what a shield does. This takes no more than ``cleanup`` seconds; what takes longer is cancelled, and if it
resists, reported.

**Fail visibly.** ``http.response.start`` goes out with the first item or before the first wait, so an error before
that is still an answer of its own. A later error is raised: the server cuts the connection, and the client sees that
the body is not whole. A client that left is no error: nothing is raised and nothing logged.
"""

import asyncio
from collections.abc import AsyncIterable, Coroutine, Generator
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from types import coroutine
from typing import Any

from rawasgi import headers as fields
from rawasgi.asgi import HTTPResponseStart, Send
from rawasgi.errors import AppError, Disconnected
from rawasgi.inbox import Inbox
from rawasgi.streams.base import close
from rawasgi.streams.stepping import Step, Waiter, give_way, is_cancelled

Chunk = bytes | bytearray | memoryview | str

_JOIN_BYTES = 64 * 1024
_PROMPT = 0.001  # an item that came later than this after the one before is sent at once
_FAIR = 0.005  # the longest that we run without giving way
_REFRESH = 4.0  # how often receive() is called anew; see Inbox.refresh

# Whether the source has waited since its last item; and if so, whether it waits at each
_NOT, _WAITED, _PACED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Streaming:
    """A body that is sent as its source gives it.

    *source*: an async iterable of bytes, bytearray, memoryview or str (sent as UTF-8); whoever sends the body closes
    it. *join*: items that are ready together leave in one message; False sends each item in its own. *send*: seconds
    that one ``send()`` may take before the client counts as gone. *cleanup*: seconds for closing the source.
    """

    source: AsyncIterable[Chunk]
    join: bool = True
    send: float = 30.0
    cleanup: float = 5.0


class _Gone(Disconnected):
    """Our own client is gone: what a source raises of the same kind may be about another."""


async def send_stream(body: Streaming, start: HTTPResponseStart, inbox: Inbox, send: Send) -> None:
    """Send *start*, then the items of *body* as they come, then the end of the body; close the source.

    Sends: http.response.start, http.response.body*. Returns also when the client left, and then without the end.
    Raises: what the source raises (nothing was sent, if it was before its first wait); TimeoutError if the source could
    not be closed in time; AppError if the body is not as long as its Content-Length says.
    Spec: "Response Start", "Response Body", "Disconnect - receive event".
    """
    sender = _Sender(body, start, inbox, send)
    await sender.drive(sender.produce())


async def close_unsent(body: Streaming, inbox: Inbox, send: Send) -> None:
    """Close the source of a body that is not to be sent (HEAD, 204, 304), without starting it."""
    sender = _Sender(body, None, inbox, send)
    await sender.drive(sender.close())


class _Sender:
    """One response: ``produce`` sends it, ``drive`` sees to all else whenever that waits."""

    __slots__ = (
        "_ahead",
        "_alarm",
        "_body",
        "_busy",
        "_cancelled",
        "_closing",
        "_deadline",
        "_deferred",
        "_error",
        "_free",
        "_gone",
        "_inbox",
        "_kept",
        "_left",
        "_lost",
        "_overdue",
        "_refresh",
        "_send",
        "_sending",
        "_stale",
        "_start",
        "_waited",
        "_waiter",
    )

    def __init__(self, body: Streaming, start: HTTPResponseStart | None, inbox: Inbox, send: Send) -> None:
        self._body = body
        self._inbox = inbox
        self._send = send
        self._start = start  # None once it was sent
        self._kept: list[bytes] = []
        self._sending = False  # produce() waits for send(), and not for the source
        self._closing = False  # it waits for the source to be closed
        self._waited = _NOT  # since the last item
        self._waiter = Waiter()
        self._busy = True  # nobody listens to the inbox yet
        self._deferred = False  # a cancellation that waits for send()
        self._ahead: Step | None = None  # a flush that send() holds up while the source waits
        self._free: asyncio.Future[None] | None = None  # of the flush behind it
        self._lost = False  # send() said that the client left
        self._error: Exception | None = None  # what send() or receive() raised meanwhile
        self._cancelled = False  # while closing; kept for afterwards
        self._deadline: float | None = None  # of the send, or of the closing
        self._alarm: asyncio.TimerHandle | None = None
        self._stale = False  # receive() is to be called anew
        self._refresh: asyncio.TimerHandle | None = None
        self._overdue = False
        self._gone = False
        length = None if start is None else fields.get(start.get("headers", ()), b"content-length")
        self._left = None if length is None else int(length)

    # The stream, as if nothing else were in the world

    async def produce(self) -> None:
        """Send everything, up to the end of the body, and close the source."""
        limit = _JOIN_BYTES if self._body.join else 0
        kept = self._kept
        send = self._send
        size = 0
        last = turn = monotonic()
        try:
            async for chunk in self._body.source:
                if type(chunk) is not bytes:
                    chunk = encode(chunk)
                if self._waited:
                    paced = self._waited == _PACED
                    self._waited = _NOT
                    if self._ahead is not None:
                        await self._behind()
                    size = 0
                    last = turn = monotonic()
                    if paced and self._start is None and self._left is None and not self._gone:
                        # as _flush, without its coroutine: a tenth of what a paced item costs
                        self._sending = True
                        try:
                            await send({"type": "http.response.body", "body": chunk, "more_body": True})
                        except OSError as error:
                            raise _Gone from error
                        self._sending = False
                        self._deadline = None
                        continue
                kept.append(chunk)
                size += len(chunk)
                now = monotonic()
                if size >= limit or now - last > _PROMPT or now - turn > _FAIR:
                    size = 0
                    await self._flush(True)
                    if now - turn > _FAIR:
                        await give_way()
                        turn = monotonic()
                last = now
            if self._ahead is not None:
                await self._behind()
            await self._flush(False)
        finally:
            await self.close()

    async def _flush(self, more_body: bool) -> None:
        """Send what was kept as one message, after the start if that is still to be sent."""
        if self._gone:
            raise _Gone
        kept = self._kept
        chunk = kept[0] if len(kept) == 1 else b"".join(kept)
        kept.clear()
        if self._left is not None:
            self._count(len(chunk), more_body)
        self._sending = True
        try:
            if self._start is not None:
                start, self._start = self._start, None
                self._inbox.answered = True
                await self._send(start)
            await self._send({"type": "http.response.body", "body": chunk, "more_body": more_body})
        except OSError as error:  # "Disconnected Client - send exception", since 2.4
            raise _Gone from error
        finally:
            self._sending = False
            self._deadline = None

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

    async def close(self) -> None:
        self._closing = True
        self._deadline = None
        self._cancel_ahead()
        await close(self._body.source)

    # The world

    @coroutine
    def drive(self, inner: Coroutine[Any, None, None]) -> Generator[Any, None, None]:
        """Run *inner* to its end, and do whatever is to be done while it waits."""
        step = Step(inner)
        resume = inner.send
        waiter, kept = self._waiter, self._kept
        try:
            finished = step.advance()
            while not finished:
                waits_for = step.waits_for
                try:
                    # as what follows, for a source that only gives way: a tenth of what a paced item costs
                    while waits_for is None and not (waiter.woken or kept or self._busy):
                        self._waited = _PACED
                        try:
                            yield
                        except asyncio.CancelledError:
                            waiter.cancelled = True
                            break
                        waits_for = resume(None)
                except StopIteration:
                    break
                if waits_for is not step.waits_for:
                    step.hold(waits_for)
                finished = self._look(step)
                if not finished:
                    yield from self._pause(step).__await__()
                    finished = step.ready() and step.advance()
        except _Gone:
            pass
        except asyncio.CancelledError:
            if not self._gone and not self._overdue:
                raise
        finally:
            self._stop()
        if self._error is not None:
            raise self._error
        if self._overdue:
            raise TimeoutError(f"{self._body.source!r} was not closed within {self._body.cleanup} s: it was cut off")
        # A source whose own cancellation it was has taken it back by now.
        if (self._cancelled or self._deferred) and is_cancelled():
            raise asyncio.CancelledError

    async def _pause(self, step: Step) -> None:
        """Send what was kept, and wait until *step* can go on or something has come up."""
        if self._closing or self._gone:
            self._expect(self._body.cleanup)
        elif not self._sending:
            self._waited = _PACED if len(self._kept) <= 1 else _WAITED
            if self._kept or self._start is not None:
                self._ahead = Step(self._flush(True))
                self._advance_ahead()
        if self._sending:
            self._expect(self._body.send)
        waiter, ahead = self._waiter, self._ahead
        if step.waits_for is None or (ahead is not None and ahead.waits_for is None):
            try:
                await give_way()
            except asyncio.CancelledError:
                waiter.cancelled = True
        else:
            step.wake(waiter)
            if ahead is not None:
                ahead.wake(waiter)
            await waiter
        if ahead is not None and ahead.ready():
            self._advance_ahead()

    def _advance_ahead(self) -> None:
        """Go on with the flush that goes ahead of a wait of the source."""
        assert self._ahead is not None
        try:
            if not self._ahead.advance():
                return
        except _Gone:
            self._lost = True
        except Exception as error:
            self._lost, self._error = True, error
        self._drop_ahead()

    def _expect(self, seconds: float) -> None:
        """Be woken when what is under way has taken *seconds*."""
        if self._deadline is None:
            loop = self._waiter.get_loop()
            self._deadline = loop.time() + seconds
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm = loop.call_at(self._deadline, self._waiter.wake)

    def _is_late(self) -> bool:
        return self._deadline is not None and self._waiter.get_loop().time() >= self._deadline

    def _look(self, step: Step) -> bool:
        """See to what has come up; return whether *step* came to its end by it."""
        waiter = self._waiter
        cancelled, waiter.cancelled = waiter.cancelled, False
        if self._closing or self._gone:
            self._cancelled = self._cancelled or cancelled
            if not self._is_late():
                return False
            if self._overdue:  # cancelled once, and still not through
                return True
            self._overdue, self._deadline = True, None
            return step.cancel()
        if cancelled or self._deferred:
            if cancelled and not self._deferred and self._for_send():
                self._defer()
            elif cancelled or not self._sending:
                self._deferred = False
                return (cancelled or is_cancelled()) and step.cancel()
        if self._lost or self._is_late() or self._has_left():
            self._gone, self._deadline = True, None
            self._kept.clear()
            self._cancelled = self._deferred
            for_send = self._for_send()
            self._cancel_ahead()
            # Not a source that the server's cancellation has reached: it may be in its clean-up already.
            return (for_send or not is_cancelled()) and step.cancel()
        return False

    def _for_send(self) -> bool:
        """Whether produce() itself waits for send(), and the source does not wait."""
        return self._sending and (self._ahead is None or self._free is not None)

    def _defer(self) -> None:
        """Let the send that holds us up go on: the cancellation may be a source's, under a wrapper that reads ahead."""
        self._deferred = True
        self._busy = True
        self._deadline = None
        self._expect(min(self._body.send, self._body.cleanup))

    def _has_left(self) -> bool:
        """Read what the server has to say of the client."""
        self._busy = self._deferred
        if self._refresh is None:
            self._refresh_later()
        if self._stale:
            self._stale = False
            self._inbox.refresh()
        try:
            return self._inbox.listen(self._waiter)
        except Exception as error:
            self._error = error
            return True

    def _refresh_later(self) -> None:
        self._refresh = self._waiter.get_loop().call_later(_REFRESH, self._refresh_now)

    def _refresh_now(self) -> None:
        self._stale = True  # receive() must be called by our task, not by the loop
        self._waiter.wake()
        self._refresh_later()

    def _stop(self) -> None:
        for timer in (self._alarm, self._refresh):
            if timer is not None:
                timer.cancel()
        self._cancel_ahead()
        self._inbox.close()

    def _cancel_ahead(self) -> None:
        if self._ahead is not None:
            with suppress(asyncio.CancelledError, _Gone):
                self._ahead.cancel()
            self._drop_ahead()

    def _drop_ahead(self) -> None:
        self._ahead = None
        if self._free is not None and not self._free.done():
            self._free.set_result(None)


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
