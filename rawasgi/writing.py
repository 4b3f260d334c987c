"""The body of one response, message by message, and the phase in which it stands.

=========  ==========================================================  ==================  ======================
phase      who is suspended                                            the task is         its deadline
                                                                       cancelled
=========  ==========================================================  ==================  ======================
RUNNING    nothing: the source runs
PACED      the source, which waits at each item; all is sent           source gets it      none
IDLE       the source, after a burst or before the start; all is sent  source gets it      none
FLUSHING   the source, and the ``send()`` of what came before          source gets it      send: abort
WRITING    ``send()``, and not the source                              kept                send: abort
CLOSING    the clean-up of the source, which we close                  kept                clean-up: cancel once
ABORTING   the source, which was cancelled, and its clean-up           kept                clean-up: cancel once
=========  ==========================================================  ==================  ======================

``REACTIONS`` is this table. Two places change ``Writer.phase``: the loop that sends (``sending.py``, ``flush`` here)
sets WRITING before ``send()`` and takes it back after it, and CLOSING at the end; ``suspension.py`` sets the others.
So a suspension in RUNNING means that the source waits. ``send()`` has a deadline in WRITING and FLUSHING only, and
a new one each time, so a client that reads steadily is never disconnected, however long the whole body takes.

**Why FLUSHING?** A source that waits for a socket has told the transport to read; anyio's streams pause it again when
the wait returns. If a blocked ``send()`` kept the source from being resumed, the transport would read without a bound.
So the source runs to its next item, and only there waits for the ``send()``, in WRITING: it is one item ahead at most.

**Who awaits send()?** Between two items the source is suspended at its ``yield``, and ``send()`` is awaited in the
response's own task, as every framework does it: scopes and timeouts of a middleware's ``send()`` open and close before
the source goes on, so they nest. While the source is suspended inside an ``await``, perhaps inside a cancel scope or a
timeout of its own, what is buffered must be sent as well. There only the ``send()`` of a server listed in
``servers.py`` is awaited in the response's task; any other is *foreign*, may be a middleware's, and runs in a task of
its own, with a copy of the context: its scopes, timeouts and context variables never meet the source's.

A cancellation in WRITING is therefore meant for the source, or for what it reads ahead, and is kept; except when a
foreign ``send()`` is awaited in the response's task: that is the innermost wait, as in any app, and gets it.
"""

import asyncio
from collections.abc import Awaitable
from enum import Enum, auto
from typing import Any, NoReturn

from rawasgi.asgi import HTTPResponseBody, HTTPResponseStart, Send, Sent
from rawasgi.content_length import BodyLength
from rawasgi.errors import Disconnected
from rawasgi.inbox import Inbox
from rawasgi.outcomes import Outcome
from rawasgi.servers import is_disconnect, server_of


class Phase(Enum):
    RUNNING = auto()
    PACED = auto()
    IDLE = auto()
    FLUSHING = auto()
    WRITING = auto()
    CLOSING = auto()
    ABORTING = auto()


RUNNING, PACED, IDLE, FLUSHING, WRITING, CLOSING, ABORTING = Phase


class Event(Enum):
    """What can happen while something is suspended."""

    CANCELLED = auto()  # the response's task was cancelled
    DISCONNECTED = auto()  # or send() or receive() failed
    LATE = auto()  # the deadline of the phase has passed


class Reaction(Enum):
    NONE = auto()
    FORWARD = auto()  # cancel what the source waits for: the cancellation may be the source's own
    KEEP = auto()  # raise it at the end; in WRITING, forward it after send(), or abort when that takes too long
    ABORT = auto()  # cancel the source; the phase becomes ABORTING
    GIVE_UP = auto()  # cancel the clean-up; the second time, leave it


REACTIONS = {
    (PACED, Event.CANCELLED): Reaction.FORWARD,
    (PACED, Event.DISCONNECTED): Reaction.ABORT,
    (PACED, Event.LATE): Reaction.NONE,
    (IDLE, Event.CANCELLED): Reaction.FORWARD,
    (IDLE, Event.DISCONNECTED): Reaction.ABORT,
    (IDLE, Event.LATE): Reaction.NONE,
    (FLUSHING, Event.CANCELLED): Reaction.FORWARD,
    (FLUSHING, Event.DISCONNECTED): Reaction.ABORT,
    (FLUSHING, Event.LATE): Reaction.ABORT,
    (WRITING, Event.CANCELLED): Reaction.KEEP,
    (WRITING, Event.DISCONNECTED): Reaction.ABORT,
    (WRITING, Event.LATE): Reaction.ABORT,
    (CLOSING, Event.CANCELLED): Reaction.KEEP,
    (CLOSING, Event.DISCONNECTED): Reaction.NONE,
    (CLOSING, Event.LATE): Reaction.GIVE_UP,
    (ABORTING, Event.CANCELLED): Reaction.KEEP,
    (ABORTING, Event.DISCONNECTED): Reaction.NONE,
    (ABORTING, Event.LATE): Reaction.GIVE_UP,
}

HOLDING = frozenset(
    phase for (phase, event), reaction in REACTIONS.items() if event is Event.CANCELLED and reaction is Reaction.KEEP
)


class Gone(Disconnected):
    """The client of this response is gone: a Disconnected that the source raises may be about another one."""


class Writer:
    """The messages of one response. ``start`` is None once it was sent; ``length`` counts against Content-Length.

    ``silence``: since when the source waits; ``sent``: a message was sent since ``clocks.Ticker`` last looked.
    """

    __slots__ = (
        "buffer",
        "deadline",
        "flushed",
        "foreign",
        "held",
        "inbox",
        "length",
        "outcome",
        "phase",
        "send",
        "sent",
        "silence",
        "start",
    )

    silence: float | None
    sent: bool
    deadline: float | None  # of the send, of the clean-up, or of the start that waits for the first item
    flushed: asyncio.Future[None] | None  # wait_for_flush() waits for it
    held: list[Any]  # set when the source is aborted: see ``streams.nesting``
    foreign: "ForeignSend | None"  # send() in a task of its own, if it may be a middleware's

    def __init__(self, start: HTTPResponseStart | None, inbox: Inbox, send: Send) -> None:
        self.start = start
        self.inbox: Inbox = inbox
        self.send: Send = send
        self.buffer: list[bytes] = []
        self.length: BodyLength | None = None
        self.phase: Phase = RUNNING
        self.outcome: Outcome | None = None

    async def flush(self) -> None:
        """Send what is buffered, while the source is suspended at its ``yield``. Raises: Gone."""
        await self.send_buffer(self.send)
        if self.phase is not WRITING:  # a send() that swallowed its cancellation
            raise Gone
        self.phase = RUNNING

    async def send_buffer(self, send: Send) -> None:
        """Send what is buffered as one message, after the start if that is still to be sent. Raises: Gone."""
        message = self.take_message(True)
        try:
            if self.start is not None:
                await send(self.take_start())
            await send(message)
        except Exception as error:
            raise_send_error(error)

    async def wait_for_flush(self) -> None:
        """Wait for the ``send()`` that was under way while the source waited, too; the phase becomes WRITING."""
        self.phase = WRITING
        self.flushed = asyncio.get_running_loop().create_future()
        try:
            await self.flushed
        finally:
            self.flushed = None

    def prepare(self) -> None:
        """Set what is needed from the first suspension on: a short response has none."""
        self.silence = None
        self.sent = False
        self.deadline = None
        self.flushed = None
        self.foreign = None if server_of(self.send) is not None else ForeignSend(self.send)

    def take_message(self, more_body: bool) -> HTTPResponseBody:
        """Return what is buffered as one message, which the caller must send now: the phase becomes WRITING."""
        if self.phase is ABORTING:
            raise Gone
        buffer = self.buffer
        chunk = buffer[0] if len(buffer) == 1 else b"".join(buffer)
        buffer.clear()
        if self.length is not None:
            self.length.count(len(chunk), more_body)
        self.phase, self.deadline = WRITING, None  # each send has a deadline of its own
        return {"type": "http.response.body", "body": chunk, "more_body": more_body}

    def take_start(self) -> HTTPResponseStart:
        """Return the start, which the caller must send now."""
        assert self.start is not None
        start, self.start = self.start, None
        self.inbox.answered = True
        return start

    def end(self, outcome: Outcome) -> None:
        """Note why the response ended; the first reason counts."""
        if self.outcome is None:
            self.outcome = outcome
            self.inbox.outcome = outcome

    def close(self) -> list[asyncio.Task[None]]:
        """Cancel ``receive()`` and a ``send()`` under way; return the tasks to be awaited."""
        tasks = [self.inbox.close(), None if self.foreign is None else self.foreign.task]
        for task in filter(None, tasks):
            if not task.cancel() and not task.cancelled():
                task.exception()  # it is retrieved, so that asyncio does not log what was dropped with its flush
        return [task for task in tasks if task is not None and not task.done()]


class ForeignSend:
    """A ``send()`` that may be a middleware's: each call is a task, awaited by the caller."""

    __slots__ = ("_send", "task")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.task: asyncio.Task[None] | None = None

    def __call__(self, message: Sent) -> Awaitable[None]:
        self.task = asyncio.create_task(self._run(message))
        return self.task

    async def _run(self, message: Sent) -> None:
        await self._send(message)


def raise_send_error(error: Exception) -> NoReturn:
    """Raise Gone if *error*, which ``send()`` raised, means that the client is gone; else *error*."""
    if is_disconnect(error):
        raise Gone from error
    raise error
