"""A function of a request becomes an app."""

import inspect
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from types import CoroutineType
from typing import Any, TypeAlias, TypedDict, Unpack

from rawasgi import respond
from rawasgi.app_types import AnyReceive, AnyScope, AnySend, App
from rawasgi.asgi import HTTPScope, Scope, Send
from rawasgi.cancellation import DISCONNECTED, can_wait, finish, is_disconnect
from rawasgi.error_responses import error_response
from rawasgi.errors import AppError, HTTPError
from rawasgi.inbox import Inbox
from rawasgi.request import Request
from rawasgi.response import Response
from rawasgi.servers import server_of
from rawasgi.streams import DeadlineExceeded, TooManyThreads

logger: logging.Logger = logging.getLogger("rawasgi")

Function: TypeAlias = Callable[[Request], Awaitable[object]] | Callable[[Request], AsyncIterator[object]]
Kind: TypeAlias = Callable[..., Response]


class HandlerOptions(TypedDict, total=False):
    """What ``handler``, each route and a ``Router`` take; a route's own option goes before that of its Router.

    *cancel_on_disconnect* (True): when the client disconnects, a function that returns is cancelled at its ``await``;
    see ``handler``. *max_start_delay* (0.5): seconds for which status and headers of a stream wait for its first item,
    so that an error before it has a status of its own. A stream that is silent for longer starts that much later: 0
    starts it at its first wait.
    """

    cancel_on_disconnect: bool
    max_start_delay: float


_BUSY = HTTPError(503, "Service Unavailable", headers=((b"retry-after", b"1"),))
_LATE = HTTPError(504, "Gateway Timeout")


class Answering(ABC):
    """An app that answers http by functions of a request.

    Its call finds the function, calls it, and sends what it returns: each coroutine between a server and a source costs
    every item, so there is one for all three.
    """

    @abstractmethod
    def _app(self, scope: Scope) -> tuple[App, Any]:
        """Return the app that answers, and the scope as it is to see it."""

    async def __call__(self, scope: AnyScope, receive: AnyReceive, send: AnySend) -> None:
        """Answer, as ``handler`` says it."""
        app, seen = self._app(scope)
        if type(app) is not Handler:
            await app(seen, receive, send)
            return
        inbox = Inbox.of(receive)
        try:
            try:
                result: Any = app.function(Request(seen, inbox))
                if app.is_stream:
                    response = app.kind(result)
                elif app.is_watched and type(result) is CoroutineType:
                    try:
                        waits_for = result.send(None)
                    except StopIteration as stop:  # most handlers end without a wait
                        response = stop.value
                    else:
                        response = await finish(result, waits_for, inbox, seen)
                        del waits_for
                        if response is DISCONNECTED:
                            await _end_unanswered(seen, inbox, send)
                            return
                else:
                    response = await result
                del result  # a coroutine that has ended would stay as long as its stream does
                if not isinstance(response, Response):
                    response = _response(response)
                    if not isinstance(response, Response):
                        inbox.answered = True  # what is not ours answers for itself
                        await response(seen, inbox, send)
                        return
                sending = response.answer(seen, inbox, send, app.max_start_delay)
                del response  # would stay as long, too
                await sending
                if not inbox.answered:  # the client disconnected while the start waited for the first item
                    await _end_unanswered(seen, inbox, send)
            except HTTPError as error:
                if inbox.answered:
                    raise
                await error_response(error)(seen, inbox, send)
            except (TooManyThreads, DeadlineExceeded) as error:
                if inbox.answered:
                    raise
                await error_response(_BUSY if isinstance(error, TooManyThreads) else _LATE)(seen, inbox, send)
                logger.warning("%s", error)
        except Exception as error:  # also that of an HTTPError which cannot be sent
            if inbox.disconnected and is_disconnect(error):
                if not inbox.answered:
                    await _end_unanswered(seen, inbox, send)
                return
            if not inbox.answered and error is not inbox.error:  # a middleware raised it in receive(), and answers
                await error_response(HTTPError(500, "Internal Server Error"))(seen, inbox, send)
            raise
        finally:
            if inbox.listener is not None:
                await inbox.aclose()


class Handler(Answering):
    """The app of one function: see ``handler``."""

    __slots__ = ("function", "is_stream", "is_watched", "kind", "max_start_delay")

    def __init__(
        self,
        function: Function,
        kind: Kind | None,
        *,
        cancel_on_disconnect: bool = True,
        max_start_delay: float = 0.5,
    ) -> None:
        if not max_start_delay >= 0:
            raise ValueError(f"max_start_delay must be 0 or more seconds, not {max_start_delay!r}: 0 starts at once")
        self.function: Function = function
        self.kind: Kind = respond.stream if kind is None else kind
        self.is_stream: bool = inspect.isasyncgenfunction(function)
        self.max_start_delay: float = max_start_delay
        self.is_watched: bool = cancel_on_disconnect and can_wait(function)

    def _app(self, scope: Scope) -> tuple[App, Scope]:
        if scope["type"] != "http":
            raise AppError(f"a handler answers http, not {scope['type']}: use Router.websocket() or lifespan()")
        return self, scope


def handler(function: Function, kind: Kind | None = None, **options: Unpack[HandlerOptions]) -> App:
    """Return the app that answers each request with what *function* makes of it.

    *function* is an async function that returns a Response, any app, or str (text), bytes, dict or list (JSON) or None
    (204); or an async generator function, whose items become a stream of *kind* (``respond.stream`` by default,
    ``.sse``, ``.ndjson``, or any function from a stream to a Response).

    An HTTPError raised before the response began is the answer; a stream's TooManyThreads is 503 then, DeadlineExceeded
    504, each with a line in the log. Any other error then is a 500 that says nothing more, and is raised on, for the
    server to log; once the response began, only that. A client that left is no error.

    When the client disconnects before *function* has returned, *function* is cancelled at its ``await``
    (``asyncio.CancelledError``), as by ``asyncio.timeout``. Its clean-up may await; no response is sent, and nothing is
    logged. A read of the body raises Disconnected instead. Work that must be completed in any case, such as a payment,
    belongs into ``tasks()``, or into a handler with ``cancel_on_disconnect=False``, which can ask
    ``request.is_disconnected()``. A task that others await as well must be awaited in ``asyncio.shield``.

    Raises: TypeError for a function that is not async, and for a *kind* with a function that returns.
    """
    app = Handler(function, kind, **options)
    if not app.is_stream and not inspect.iscoroutinefunction(function):
        raise TypeError(
            f"a handler must be an async function or an async generator function, not {function!r}:"
            " write async def, and call what blocks with asyncio.to_thread() or streams.from_thread()"
        )
    if kind is not None and not app.is_stream:
        raise TypeError(
            f"a handler with a kind, {_name(kind)}, must yield its items, and {_name(function)} returns:"
            f" yield them, or leave the kind out and return {_name(kind)}(...)"
        )
    return app


def _name(function: object) -> str:
    return getattr(function, "__qualname__", repr(function))


async def _end_unanswered(scope: HTTPScope, inbox: Inbox, send: Send) -> None:
    """End the exchange of a client that disconnected before its response started.

    A server expects nothing. A middleware may expect a response (Starlette's BaseHTTPMiddleware raises RuntimeError
    without one), and gets nginx's status for "client closed request".
    """
    if server_of(send) is None:
        await respond.empty(499)(scope, inbox, send)


def _response(result: object) -> App:
    """Return what answers with a result that is no Response."""
    if isinstance(result, str):
        return respond.text(result)
    if isinstance(result, dict | list):
        return respond.json(result)
    if isinstance(result, bytes):
        return respond.whole(result, "application/octet-stream")
    if result is None:
        return respond.empty()
    if callable(result):
        app: App = result
        return app
    raise TypeError(f"a handler must return a Response, str, bytes, dict, list or None, not {result!r}")
