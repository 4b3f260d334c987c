"""Drive one coroutine of a response, and do whatever is to be done while it waits.

Theory of operation
===================

**One task.** The coroutine that sends a stream (sending.py) is written as if nothing else were in the world. It is
advanced by hand (streams/stepping.py), so that each of its waits is seen here, and whether it is one of the source, of
``send()``, or of closing the source. Meanwhile we wait for three things: for what it waits for, for the next message of
``receive()`` (inbox.py) and, where the source waits while ``send()`` still holds up what came before, for that flush,
which has gone *ahead*. One ``Waiter`` is woken by whichever is first. So an idle stream costs one task, and the source
lives in the task and the context of its response.

**A silence** is a wait of the source in which nothing is to be sent. The task may then be doing nothing but waiting, in
the inner loop of ``drive``, for the source's own future if it can be lent to (waiting.py), as in a plain ``await``. It
leaves that loop as soon as anything else comes up: a message of ``receive()``, one of the clocks (clocks.py), or a
cancellation. A beat is sent from here, not by a wrapper: that would be a generator a stream.

**Who is cancelled?** A cancellation of the task goes to the source if the source waits, because it may be the source's
own (``asyncio.timeout``, TaskGroup): then the source goes on, and ``send()``, which knew nothing of it, has lost no
message. If the source ends by it, so do we. While ``send()`` holds us up the source does not wait, but what a wrapper
reads ahead may: so the cancellation waits, for the send or for the second one. When the client leaves, the source alone
is cancelled, in the same way; not if the server's cancellation has reached it before.

**Close, always, at once.** The step under way is brought to its end, then the source is closed, with a shield: a
cancellation that comes meanwhile is kept for afterwards. This takes no more than ``cleanup`` seconds; what takes longer
is cancelled, and if it resists, reported.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Generator
from contextlib import suppress
from types import coroutine
from typing import Any

from rawasgi.asgi import HTTPResponseStart
from rawasgi.clocks import Clocks
from rawasgi.errors import Disconnected
from rawasgi.inbox import Inbox
from rawasgi.streams.stepping import Step, is_cancelled
from rawasgi.streams.waiting import Waiter

_ENDED: Any = object()


class Gone(Disconnected):
    """Our own client is gone: what a source raises of the same kind may be about another."""


class Driver(Clocks, ABC):
    """One response under way: *send* and *cleanup*, in seconds, limit one send and the closing."""

    __slots__ = (
        *("_ahead", "_cancelled", "_cleanup_limit", "_closing", "_deferred", "_error", "_free", "_gone"),
        *("_inbox", "_kept", "_left", "_lost", "_overdue", "_send_limit", "_start", "_waited"),
    )

    _ahead: Step | None  # a flush that send() holds up while the source waits
    _closing: bool  # the coroutine waits for the source to be closed
    _gone: bool  # the client counts as gone
    _inbox: Inbox
    _kept: list[bytes]  # what goes out before the source may wait
    _left: int | None  # bytes that the Content-Length promises
    _start: HTTPResponseStart | None  # None once it was sent
    # None: the source has not waited since its last item. Else it has, and this is whether it waits at each, and all
    # that came before is out: then the next one can be sent without further thought.
    _waited: bool | None

    @abstractmethod
    def _begin(self) -> None:
        """Make what is needed from the first wait on."""

    def _set_up(self, send: float, cleanup: float, beat: bytes | None, every: float) -> None:
        self._set_up_clocks(beat, every)
        self._send_limit = send
        self._cleanup_limit = cleanup
        self._waiter.called = True  # nobody listens to the inbox yet
        self._free: asyncio.Future[None] | None = None  # the coroutine waits for the flush ahead
        self._deferred = False  # a cancellation waits for send()
        self._cancelled = False  # while closing; kept for afterwards
        self._overdue = False  # closing took too long
        self._lost = False  # send() said that the client left
        self._error: Exception | None = None  # what send() or receive() raised meanwhile

    @abstractmethod
    async def _flush(self, more_body: bool) -> None:
        """Send what was kept, after the start if that is still to be sent. Raises: Gone."""

    @coroutine
    def drive(self, inner: Coroutine[Any, None, None]) -> Generator[Any, None, None]:
        """Run *inner* to its end, and do whatever is to be done while it waits."""
        waiter: Waiter | None = None
        try:
            # Most short responses never wait. Asked for so, their end is no exception, which would cost more.
            waits_for = next(inner.__await__(), _ENDED)
            if waits_for is _ENDED:
                return
            resume = inner.send
            kept = self._kept
            self._begin()
            beats = self._beat is not None
            waiter = self._waiter
            step = Step(inner)
            finished = step.hold(waits_for)
            while not finished:
                waits_for = step.waits_for
                # As what follows, for as long as there is nothing to do but to wait for the source: a third of the
                # time, and of a source that only gives way, a tenth.
                clear = self._is_clear()
                if not (self._sending or self._closing or self._gone):
                    self._deadline = None
                while not (waiter.called or kept):
                    self._waited = clear
                    if beats and self._silence is None and not self._sending:
                        self._silence = waiter.get_loop().time()
                    try:
                        if waits_for is None:
                            yield
                        else:
                            if waiter.cancelled or not clear or self._sending or self._closing:
                                break
                            if waits_for is not step.waits_for and step.lend(waits_for, waiter):
                                yield waits_for
                                if waiter.called:
                                    break
                                step.waits_for = None  # it is done, and well: an error of it would be thrown in here
                            else:
                                if waits_for is step.waits_for:
                                    step.wake(waiter)
                                elif not step.follow(waits_for, waiter):
                                    break
                                yield waiter.block()
                                if waiter.called or waiter.cancelled or not step.settled():
                                    break
                                waiter.woken = False
                    except asyncio.CancelledError as error:
                        waiter.take(error)
                        break
                    except BaseException as error:
                        if not step.failed(error):
                            raise
                        break  # advance() throws it
                    waits_for = resume(None)
                if waits_for is not step.waits_for and step.hold(waits_for):
                    break
                finished = self._look(step)
                if not finished:
                    turn = self._begin_wait(step)
                    try:
                        if turn:
                            yield
                        elif not (waiter.woken or waiter.cancelled):
                            yield waiter.block()
                    except asyncio.CancelledError as error:
                        waiter.take(error)
                    waiter.woken = False
                    self._end_wait()
                    # A client that leaves lets send() go, too: look before the source goes on for as long as is fair.
                    finished = (self._sending and self._look(step)) or (step.ready() and step.advance())
        except (StopIteration, Gone):  # the end
            pass
        except asyncio.CancelledError:
            if waiter is None or not (self._gone or self._overdue):
                raise
        finally:
            if waiter is not None:
                self._stop_clocks()
                self._cancel_ahead()
            if self._inbox.step is not None:
                self._inbox.close()
        if waiter is None:
            return
        if self._error is not None:
            raise self._error
        if self._overdue:
            raise TimeoutError(f"the source was not closed within {self._cleanup_limit} s: it was cut off")
        # A source whose own cancellation it was has taken it back by now.
        if (self._cancelled or self._deferred) and is_cancelled():
            raise asyncio.CancelledError(*self._waiter.text)

    def _is_clear(self) -> bool:
        return self._start is None and self._left is None and self._ahead is None and not self._gone

    def _begin_wait(self, step: Step) -> bool:
        """Send what was kept, and see to it that something wakes us; return whether to go on in the next turn."""
        if self._closing or self._gone:
            self._expect(self._cleanup_limit)
        elif not self._sending:
            self._begin_silence()
        if self._sending:
            self._expect(self._send_limit)
        ahead = self._ahead
        if step.waits_for is None or (ahead is not None and ahead.waits_for is None):
            return True
        step.wake(self._waiter)
        if ahead is not None:
            ahead.wake(self._waiter)
        return False

    def _begin_silence(self) -> None:
        """The source waits: send what was kept, or a beat if it is time for one."""
        paced = len(self._kept) <= 1
        if self._beat is not None:
            if self._beats and not self._kept and not is_cancelled():  # else the source may be in its clean-up
                self._kept.append(self._beat)
            self._beats = False
            if self._silence is None:
                self._silence = self._waiter.get_loop().time()
        # A wait for the request's own body leaves the answer open: what comes may be refused (413, 422).
        if self._kept or (self._start is not None and not self._inbox.is_reading):
            self._ahead = Step(self._flush(True))
            self._advance_ahead()
        self._waited = paced and self._is_clear()

    def _end_wait(self) -> None:
        if self._waiter.cancelled:  # also if the step goes on at once
            self._waiter.called = True
        if self._ahead is not None and self._ahead.ready():
            self._advance_ahead()

    def _advance_ahead(self) -> None:
        """Go on with the flush that goes ahead of a wait of the source."""
        assert self._ahead is not None
        try:
            if not self._ahead.advance():
                return
        except Gone:
            self._lost = True
        except Exception as error:
            self._lost, self._error = True, error
        self._drop_ahead()

    def _look(self, step: Step) -> bool:
        """See to what has come up; return whether *step* came to its end by it."""
        waiter = self._waiter
        waiter.called = False
        # anyio cancels anew in each turn until it is heard, and takes all back then: the last one is for nobody.
        cancelled = waiter.cancelled and not (waiter.text and not is_cancelled())
        waiter.cancelled = False
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
                return (cancelled or is_cancelled()) and step.cancel(*waiter.text)
        if self._lost or self._is_late() or self._has_left():
            self._gone, self._deadline = True, None
            self._waited = False
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
        self._waiter.called = True  # every turn must be looked at
        self._deadline = None
        self._expect(min(self._send_limit, self._cleanup_limit))

    def _has_left(self) -> bool:
        """Read what the server has to say of the client."""
        self._waiter.called = self._waiter.called or self._deferred
        if self._ring is None:
            self._start_clock()
        if self._stale:
            self._stale = False
            self._inbox.refresh()
        try:
            return self._inbox.listen(self._waiter)
        except Exception as error:
            self._error = error
            return True

    def _cancel_ahead(self) -> None:
        if self._ahead is not None:
            with suppress(asyncio.CancelledError, Gone):
                self._ahead.cancel()
            self._drop_ahead()

    def _drop_ahead(self) -> None:
        self._ahead = None
        if self._free is not None and not self._free.done():
            self._free.set_result(None)
