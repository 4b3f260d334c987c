"""What happens while a response is suspended, and the reaction to it: see the theory in ``driving.py``."""

import asyncio
from contextlib import suppress
from typing import Any, Protocol

from rawasgi.clocks import Deadline, Ticker
from rawasgi.outcomes import Outcome
from rawasgi.streams.stepping import Step, cancelling, is_cancelled
from rawasgi.streams.waiting import Waiter
from rawasgi.writing import (
    ABORTING,
    CLOSING,
    FLUSHING,
    HOLDING,
    IDLE,
    PACED,
    REACTIONS,
    RUNNING,
    WRITING,
    Event,
    Gone,
    Reaction,
    Writer,
)


class Limits(Protocol):
    """Seconds that one send and the clean-up may take; *beat* is sent after each *every* seconds of silence.

    *max_start_delay*: seconds for which the start waits for the first item. *hold_errors*: see ``Stream.hold_errors``.
    """

    send: float
    cleanup: float
    beat: bytes | None
    every: float
    max_start_delay: float | None

    def hold_errors(self, holds: bool) -> None: ...

    def held(self) -> list[Any]:
        """What the source drops when it is cancelled: see ``streams.nesting``."""


class Suspension:
    """What a response needs from its first wait on, and the reactions to what happens meanwhile."""

    __slots__ = (
        *(
            "cancelled",
            "deadline",
            "deferred",
            "error",
            "flush",
            "forwarded",
            "is_start_delayed",
            "limits",
            "overdue",
            "paced",
            "repeated",
            "send_failed",
            "step",
        ),
        *("ticker", "waiter", "writer"),
    )

    def __init__(self, writer: Writer, limits: Limits, step: Step) -> None:
        self.writer = writer
        self.limits = limits
        self.step = step
        self.waiter: Waiter = Waiter()
        self.waiter.called = True  # the inbox does not listen yet
        self.ticker: Ticker = Ticker(writer, self.waiter, limits.beat is not None, limits.every)
        self.deadline: Deadline = Deadline(writer, self.waiter)
        self.flush: Step | None = None  # of what came before the source waits
        self.paced: bool = True  # no more than one item came before the source waits
        self.is_start_delayed: bool = False
        self.deferred: bool = False  # a cancellation waits for send()
        self.forwarded: int | None = None  # how often the task was cancelled when the source got it
        self.cancelled: bool = False  # while closing; kept for afterwards
        self.overdue: bool = False  # closing took too long
        self.send_failed: bool = False  # while the source waits
        self.error: BaseException | None = None  # what send() or receive() raised meanwhile
        writer.prepare()

    def handle_events(self) -> bool:
        """React to what has happened, as ``REACTIONS`` says; return whether the coroutine came to its end by it."""
        waiter, writer = self.waiter, self.writer
        waiter.called = False
        if writer.phase is RUNNING:  # a suspension in RUNNING means that the source waits
            writer.phase = IDLE
        elif writer.phase is CLOSING and self.flush is not None:  # the source failed, and no more is sent
            self._drop_flush()
        # anyio cancels again in each iteration until the scope ends, and takes all back then: the last one is stale.
        cancelled = waiter.cancelled and not (waiter.text and not is_cancelled())
        waiter.cancelled = False
        if cancelled or self.deferred:
            reaction = REACTIONS[writer.phase, Event.CANCELLED]
            if reaction is Reaction.KEEP and cancelled:
                if self._keep_cancellation():
                    return self.step.cancel(*waiter.text)
            elif reaction is Reaction.FORWARD:
                self.deferred = False
                if cancelled and self._is_repeated():
                    return self._abort(Outcome.CUT)
                if cancelled or is_cancelled():
                    self.forwarded = cancelling()
                    waiter.called = True  # what else has happened is looked at next
                    return self.step.cancel(*waiter.text)
        if REACTIONS[writer.phase, Event.DISCONNECTED] is Reaction.ABORT and self._is_disconnected():
            return self._abort(self._outcome())
        if self.deadline.has_passed():
            reaction = REACTIONS[writer.phase, Event.LATE]
            if reaction is Reaction.ABORT:
                return self._abort(Outcome.CUT if self.deferred else Outcome.SLOW)
            if reaction is Reaction.GIVE_UP:
                return self._give_up()
        return False

    def _is_repeated(self) -> bool:
        """Return whether the source has had this cancellation while a foreign ``send()`` is blocked, and cleans up.

        anyio repeats a cancellation in each iteration of the loop until the task has left the scope, and a middleware's
        scope is left only when the response has ended. So the clean-up is shielded, as after a disconnect.
        """
        if self.writer.phase is not FLUSHING or self.writer.foreign is None or not self.waiter.text:
            return False
        return self.forwarded is not None and cancelling() > self.forwarded

    def _keep_cancellation(self) -> bool:
        """Keep a cancellation; return whether ``send()`` gets it all the same: a foreign one, or the second time."""
        if self.writer.phase is not WRITING:
            self.cancelled = True
        elif self.flush is None and self.writer.foreign is not None:
            return True
        elif not self.deferred:
            self.deferred, self.writer.deadline = True, None
            self.deadline.arm(min(self.limits.send, self.limits.cleanup))
        else:
            return True
        return False

    def _is_disconnected(self) -> bool:
        """Return whether the client has disconnected, or ``receive()`` or ``send()`` has failed."""
        if self.send_failed:
            return True
        if self.ticker.start():
            self.writer.inbox.refresh()
        try:
            # Whether all was sent, the last send() shows: see Server.closes_in_last_send.
            return self.writer.inbox.listen(self.waiter) and not self.writer.inbox.is_ending
        except BaseException as error:
            self.error = error
            return True

    def _outcome(self) -> Outcome:
        if self.error is not None:
            return Outcome.FAILED if self.writer.start is None else Outcome.FAILED_BEFORE_START
        return Outcome.DRAINED if self.writer.inbox.is_drained else Outcome.DISCONNECTED

    def _abort(self, outcome: Outcome) -> bool:
        """Cancel the source, or the ``send()`` that it is not suspended in; return whether the coroutine has ended."""
        writer = self.writer
        # Not a source that the server's cancellation has reached: it may be in its clean-up already.
        reached = is_cancelled() and writer.phase is not WRITING and not self.deferred
        writer.end(outcome)
        writer.phase, writer.deadline = ABORTING, None
        writer.buffer.clear()
        self.cancelled = self.deferred
        self._drop_flush()
        writer.held = self.limits.held()
        return not reached and self.step.cancel()

    def _give_up(self) -> bool:
        """Cancel the clean-up; the second time, leave it as it is."""
        if self.overdue:
            return True
        self.overdue, self.writer.deadline = True, None
        return self.step.cancel()

    def flush_buffer(self) -> None:
        """If the source waits: send what is buffered, or a heartbeat if one is due."""
        writer, ticker = self.writer, self.ticker
        if writer.phase is not IDLE and writer.phase is not PACED:
            return
        self.paced = len(writer.buffer) <= 1
        # A wait for the request's own body leaves the answer open: what comes may be refused (413, 422).
        may_start = writer.start is not None and not writer.buffer and not writer.inbox.is_reading
        if self.is_start_delayed is not (may_start and self._is_start_to_wait()):
            self._toggle_delay()
        # If the task was cancelled, the source may be in its clean-up.
        if ticker.due and not writer.buffer and not self.is_start_delayed and not is_cancelled():
            assert self.limits.beat is not None
            writer.buffer.append(self.limits.beat)
        ticker.due = False
        if writer.silence is None and self.limits.beat is not None:
            writer.silence = self.waiter.get_loop().time()
        if writer.buffer or (may_start and not self.is_start_delayed):
            self.flush = Step(writer.send_buffer(writer.foreign or writer.send))
            self._advance_flush()
        else:
            self._set_waiting()

    def _is_start_to_wait(self) -> bool:
        """Return whether the start waits for the first item: until then a failure has a status of its own."""
        if not self.limits.max_start_delay:
            return False
        self.deadline.arm(self.limits.max_start_delay)  # at the first wait; then it is armed already
        return not self.deadline.has_passed() or is_cancelled()  # then the source may be in its clean-up

    def _toggle_delay(self) -> None:
        self.is_start_delayed = not self.is_start_delayed
        self.limits.hold_errors(self.is_start_delayed)

    def _set_waiting(self) -> None:
        """All that is buffered is sent, so the phase is that of a source that waits."""
        writer = self.writer
        writer.phase = PACED if self.paced and writer.start is None and writer.length is None else IDLE
        if self.deferred or self.send_failed:
            self.waiter.called = True

    def _advance_flush(self) -> None:
        assert self.flush is not None
        try:
            if not self.flush.advance():
                if self.writer.flushed is None:
                    self.writer.phase = FLUSHING
                return
        except Gone:
            self.send_failed = True
        except BaseException as error:
            self.send_failed, self.error = True, error
        self.flush = None
        if self.writer.flushed is None:
            self._set_waiting()
            return
        self.writer.flushed.set_result(None)
        self.waiter.called = self.waiter.called or self.send_failed

    def _drop_flush(self) -> None:
        flush, self.flush = self.flush, None
        if flush is not None:
            with suppress(asyncio.CancelledError, Gone):
                flush.cancel()

    def arm(self) -> bool:
        """See to it that something wakes us; return whether to go on in the next turn."""
        phase = self.writer.phase
        if phase is WRITING or phase is FLUSHING:
            self.deadline.arm(self.limits.send)
        elif phase is CLOSING or phase is ABORTING:
            self.deadline.arm(self.limits.cleanup)
        flush = self.flush
        # Also what came while something else was waited for.
        if self.step.ready() or (flush is not None and flush.ready()):
            return True
        self.step.wake(self.waiter)
        if flush is not None:
            flush.wake(self.waiter)
        return False

    def advance(self) -> bool:
        """Go on with what was waited for, if it has come; return whether the coroutine came to its end."""
        waiter, writer = self.waiter, self.writer
        waiter.called = waiter.called or waiter.cancelled
        # A cancellation goes to the source before any result that came in the same turn, as in a Task.
        if waiter.cancelled and writer.phase not in HOLDING:
            return False
        blocked = writer.phase is WRITING or writer.phase is FLUSHING
        if self.flush is not None and self.flush.ready():
            self._advance_flush()
        # A disconnect ends a blocked send(), too: look before the source goes on for as long as is fair.
        finished = blocked and self.handle_events()
        return finished or (self.step.ready() and self.step.advance())

    def stop(self) -> None:
        self.deadline.stop()
        self.ticker.stop()
        self._drop_flush()

    def raise_kept(self) -> None:
        """Raise what was kept for the end."""
        if self.error is not None:
            raise self.error
        if self.overdue:
            raise TimeoutError(f"the source was not closed within {self.limits.cleanup} s: it was cut off")
        # A source whose own cancellation it was has taken it back by now.
        if (self.cancelled or self.deferred) and is_cancelled():
            raise asyncio.CancelledError(*self.waiter.text)
