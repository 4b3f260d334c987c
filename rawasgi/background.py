"""Work after the response, and work that lives as long as the app."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager

from rawasgi.asgi import App, Receive, Scope, Send, Sent
from rawasgi.inbox import Inbox
from rawasgi.outcomes import Outcome, outcome_of

logger: logging.Logger = logging.getLogger("rawasgi")

_BODIES = ("http.response.body", "http.response.zerocopysend", "http.response.pathsend")


def after(app: App, work: Callable[[], Awaitable[object]]) -> App:
    """Return *app* with *work* done after each of its exchanges, also when the client left or the app failed.

    An exchange is a request or a websocket, not a lifespan. The server counts it as open until *work* is done. Raises:
    what the app raises, then what *work* raises.
    """

    async def and_then(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        finally:
            if scope["type"] != "lifespan":
                await work()

    return and_then


def on_end(app: App, callback: Callable[[Outcome], Awaitable[object]]) -> App:
    """Return *app* with *callback* called and awaited after each of its responses, with the reason why that ended.

    A stream of rawasgi notes its reason itself. Other responses, and those below a middleware that replaces
    ``receive``, are judged by their messages: they are COMPLETE, DISCONNECTED, CUT, FAILED or FAILED_BEFORE_START.
    Raises: what the app raises, then what *callback* raises.
    """

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        inbox = Inbox.of(receive)
        watch = ResponseWatch(inbox, send)
        try:
            await app(scope, inbox, watch.send)
        except BaseException as error:
            outcome = outcome_of(inbox.outcome, error, watch.status, watch.is_ended)
            raise
        else:
            outcome = outcome_of(inbox.outcome, None, watch.status, watch.is_ended)
        finally:
            if inbox.listener is not None:
                await inbox.aclose()
            await callback(outcome)

    return watched


class ResponseWatch:
    """A ``send`` that notes the status and the end. It is no coroutine: each one above a source costs every item."""

    __slots__ = ("_inbox", "_send", "is_ended", "status")

    def __init__(self, inbox: Inbox, send: Send) -> None:
        self._inbox = inbox
        self._send = send
        self.status: int | None = None
        self.is_ended: bool = False

    def send(self, message: Sent) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] in _BODIES and not message.get("more_body", False):
            self.is_ended = not self._inbox.disconnected  # else middleware ends it all the same
        return self._send(message)


class Tasks:
    """Tasks that outlive the request that started them, and not the app: see ``tasks()``."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[object, object, object], name: str | None = None) -> "asyncio.Task[object]":
        """Run *work* in a task of its own, *name* or as it is called; an error is logged, with its traceback."""
        task = asyncio.get_running_loop().create_task(
            work, name=name or f"rawasgi: {getattr(work, '__qualname__', work)}"
        )
        self._tasks.add(task)  # the loop itself holds its tasks weakly
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[object]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("background task %s failed", task.get_name(), exc_info=error)

    async def stop(self, grace: float = 5.0) -> None:
        """Let what runs finish for *grace* seconds, then cancel it, and wait until all is over."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        while left := set(self._tasks):  # clean-up may start more
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)


@asynccontextmanager
async def tasks(grace: float = 5.0) -> AsyncIterator[Tasks]:
    """Own ``Tasks`` for as long as the block: in a lifespan, for as long as the app."""
    owned = Tasks()
    try:
        yield owned
    finally:
        await owned.stop(grace)
