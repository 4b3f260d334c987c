"""Call ``receive()`` again and again, outside of the task and the context of the source.

Theory of operation
===================

``receive()`` must be called while the source waits, because no server reports a disconnect in any other way. The task
that advances it gets what it does: a cancel scope that it opens, a context variable that it sets, an exception that it
raises.

- A ``receive()`` that may be a middleware's runs in a **task** of its own (``TaskListener``). The task starts at the
  first wait of a stream or the first read of a body, and is cancelled and awaited at the end of the exchange.
- A ``receive()`` of a server listed in ``servers.py`` waits for plain futures only, so no task is needed
  (``CallbackListener``): the call is advanced by the callback of the future that it waits for. This saves a task and
  1.5 KiB for each idle stream, and adds exactly one callback to each future (granian's awaitable keeps only the last).

Both report to the inbox, which decides whether another message is wanted.
"""

import asyncio
from contextvars import Context
from typing import Protocol, TypeAlias, cast

from rawasgi.asgi import HTTPReceived, Receive
from rawasgi.servers import server_of
from rawasgi.streams.stepping import Step
from rawasgi.streams.waiting import Future


class Recipient(Protocol):
    """What takes the messages: see ``inbox.py``."""

    def is_wanted(self) -> bool:
        """Return whether another message is wanted."""

    def on_message(self, message: HTTPReceived) -> None:
        """Take a message."""

    def on_error(self, error: BaseException) -> None:
        """Take what ``receive()`` raised; it is not called again."""


class TaskListener:
    """Runs *receive* in a task of its own, in *context*."""

    __slots__ = ("_context", "_receive", "_recipient", "_refreshing", "_task")

    def __init__(self, receive: Receive, recipient: Recipient, context: Context) -> None:
        self._receive = receive
        self._recipient = recipient
        self._context = context
        self._task: asyncio.Task[None] | None = None
        self._refreshing = False

    def start(self) -> None:
        """Call ``receive()`` if a message is wanted and no call is under way."""
        if self._task is None and self._recipient.is_wanted():
            self._task = asyncio.create_task(self._run(), name="rawasgi: receive()", context=self._context)

    def cancel(self) -> asyncio.Task[None] | None:
        """Cancel the call under way; return the task that must be awaited, if there is one."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        return task

    def refresh(self) -> None:
        """Replace the call under way by a new one, which makes uvicorn read on."""
        # Which server is behind a middleware is not known, so the call is made again on each of them.
        if self._task is not None:
            self._refreshing = True
            self._task.cancel()

    async def _run(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            while self._task is task and self._recipient.is_wanted():
                try:
                    message = cast(HTTPReceived, await self._receive())
                except asyncio.CancelledError:
                    if not self._refreshing or self._task is not task:
                        raise
                    self._refreshing = False
                    task.uncancel()
                else:
                    self._recipient.on_message(message)
        except BaseException as error:
            if self._task is task:  # else it was cancelled by cancel(), and the exchange is over
                self._recipient.on_error(error)
        finally:
            if self._task is task:
                self._task = None


class CallbackListener:
    """Advances the ``receive()`` of a known server by the callbacks of the futures that it waits for."""

    __slots__ = ("_context", "_receive", "_recipient", "_resumes_reading", "_step")

    def __init__(self, receive: Receive, recipient: Recipient, context: Context, resumes_reading: bool) -> None:
        self._receive = receive
        self._recipient = recipient
        self._context = context
        self._resumes_reading = resumes_reading
        self._step: Step | None = None

    def start(self) -> None:
        """Call ``receive()`` as long as a message is wanted, to its first wait."""
        while self._step is None and self._recipient.is_wanted():
            self._advance(Step(self._receive()))

    def cancel(self) -> None:
        """Cancel the call under way."""
        step, self._step = self._step, None
        if step is not None:
            try:
                step.cancel()
            except asyncio.CancelledError:
                pass

    def refresh(self) -> None:
        """Replace the call under way by a new one, where the server reads on only then."""
        step = self._step
        # A step that is ready has a message, which must not be lost.
        if self._resumes_reading and step is not None and step.waits_for is not None and not step.ready():
            self.cancel()
            self.start()

    def _advance(self, step: Step) -> None:
        """Run *step* to its next wait, or hand over its message."""
        self._step = None
        try:
            finished = step.advance()
        except BaseException as error:
            self._recipient.on_error(error)
            return
        if finished:
            self._recipient.on_message(step.value)
            return
        self._step = step
        if step.waits_for is None:
            asyncio.get_running_loop().call_soon(self._resume, None, context=self._context)
        else:
            step.waits_for.add_done_callback(self._resume, context=self._context)

    def _resume(self, waited_for: Future | None) -> None:
        step = self._step
        if step is not None and step.waits_for is waited_for:  # else it was cancelled
            self._advance(step)
            self.start()


Listener: TypeAlias = TaskListener | CallbackListener


def listen(receive: Receive, recipient: Recipient, context: Context) -> Listener:
    """Return the listener for *receive*: by hand for a known server's, else a task in *context*."""
    server = server_of(receive)
    if server is None:
        return TaskListener(receive, recipient, context)
    return CallbackListener(receive, recipient, context, server.resumes_reading)
