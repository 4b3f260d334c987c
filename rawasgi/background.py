"""Work after the response, and work that lives as long as the app."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager

from rawasgi.asgi import App, Receive, Scope, Send

logger = logging.getLogger("rawasgi")


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
