"""Resources that live as long as the app: opened before its first request, closed after its last.

Lifespans nest. A server runs one lifespan, that of the outermost app, but an app inside of it may have one, too: a
FastAPI app that ``lifespan`` wraps, or that a Router mounts. ``running`` runs it as a server would, in a task of its
own: its startup comes after that of the outer one, its shutdown before.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TypeAlias

from rawasgi.asgi import App, LifespanScope, Receive, Received, Scope, Send, Sent
from rawasgi.errors import AppError, ServerError

logger: logging.Logger = logging.getLogger("rawasgi")

Living: TypeAlias = AbstractAsyncContextManager[Mapping[str, object] | None]


def lifespan(app: App, open_: Callable[[], Living]) -> App:
    """Return *app*, living inside ``async with open_()``; what that gives is each request's ``state``.

    A lifespan of *app* itself runs inside of the block, with the same ``state``; an app without one is not changed.
    Receives: lifespan.startup, lifespan.shutdown. Sends: lifespan.startup.complete or .failed, then
    lifespan.shutdown.complete or .failed; a failure says its kind and text, and is raised as well.
    Spec: Lifespan, "Lifespan State".
    """

    async def live(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _run(open_(), [app], scope, receive, send)
        else:
            await app(scope, receive, send)

    return live


def lifespans(apps: Iterable[App]) -> App:
    """Return the app of one lifespan in which those of *apps* run, each inside of the one before it."""
    apps = list(apps)

    async def live(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            raise AppError(f"lifespans() has no answer to {scope['type']}: route it to one of the apps")
        await _run(None, apps, scope, receive, send)

    return live


async def _run(manager: Living | None, apps: list[App], scope: LifespanScope, receive: Receive, send: Send) -> None:
    await _expect(receive, "lifespan.startup")
    started = asked = False
    try:
        async with AsyncExitStack() as stack:
            if manager is not None and (state := await stack.enter_async_context(manager)):
                _state(scope).update(state)
            for app in apps:
                await stack.enter_async_context(running(app, scope))
            started = True
            await send({"type": "lifespan.startup.complete"})
            await _expect(receive, "lifespan.shutdown")
            asked = True
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        if not started:
            await send({"type": "lifespan.startup.failed", "message": text})
        elif asked:
            await send({"type": "lifespan.shutdown.failed", "message": text})
        raise
    await send({"type": "lifespan.shutdown.complete"})


def _state(scope: LifespanScope) -> dict[str, object]:
    if "state" not in scope:
        raise ServerError("the server has no lifespan state (scope['state']): keep the state in the app, and give None")
    return scope["state"]


async def _expect(receive: Receive, wanted: str) -> None:
    message = await receive()
    if message["type"] != wanted:
        raise ServerError(f"the server must send {wanted}, not {message['type']!r}")


@asynccontextmanager
async def running(app: App, scope: LifespanScope) -> AsyncIterator[None]:
    """Run the lifespan of *app* around the block: its startup before the block, its shutdown after it.

    An app that returns or raises before it has received lifespan.startup has no lifespan, and is left alone. If the
    block is cancelled, so is the lifespan. *app* gets a copy of *scope*, with the same ``state``. Raises: what *app*
    raises after it has received lifespan.startup; AppError for a .failed message without an error.
    """
    inner = _Inner(app, scope)
    try:
        await inner.start()
        try:
            yield
        except Exception:
            await inner.stop()
            raise
        await inner.stop()
    finally:
        await inner.cancel()


class _Inner:
    """An inner lifespan, and the server's side of it."""

    def __init__(self, app: App, scope: LifespanScope) -> None:
        self._has_received = False  # lifespan.startup
        self._is_over = False
        self._failure: str | None = None
        self._stopping = asyncio.Event()
        self._replied = asyncio.Event()  # or the app has returned
        # A copy: Starlette writes into it. A task: anyio's cancel scopes must be left in the task that entered them.
        self._task = asyncio.create_task(self._run(app, scope.copy()), name="rawasgi: lifespan")
        self._task.add_done_callback(lambda _: self._replied.set())

    async def _run(self, app: App, scope: LifespanScope) -> None:
        try:
            await app(scope, self._receive, self._send)
        except Exception as error:
            if self._has_received:
                raise
            logger.debug("%r has no lifespan: %s", app, error)

    async def _receive(self) -> Received:
        if not self._has_received:
            self._has_received = True
            return {"type": "lifespan.startup"}
        await self._stopping.wait()
        if self._is_over:
            raise asyncio.CancelledError  # a server would let it wait for ever
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Sent) -> None:
        if message["type"] == "lifespan.startup.failed" or message["type"] == "lifespan.shutdown.failed":
            self._failure = message.get("message", "")
        self._replied.set()

    async def start(self) -> None:
        """Wait until the app has started. Raises: as ``running``."""
        await self._replied.wait()
        if self._failure is not None or self._task.done():
            await self._end()

    async def stop(self) -> None:
        """Shut the app down, and wait until it has returned. Raises: as ``running``."""
        if not self._task.done():
            self._replied.clear()
            self._stopping.set()
            await self._replied.wait()
        await self._end()

    async def _end(self) -> None:
        self._is_over = True
        self._stopping.set()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()
        if self._failure is not None:
            raise AppError(f"the lifespan of an inner app failed: {self._failure}")

    async def cancel(self) -> None:
        """Cancel the app if it has not returned, and wait until it has."""
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
