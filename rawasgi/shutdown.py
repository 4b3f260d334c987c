"""Stop without breaking anything off: open streams say good-bye, new ones are sent elsewhere.

Theory of operation
===================

uvicorn and granian wait for ever for open streams when they are asked to stop, hypercorn for 3 s, and none tells the
app: ``lifespan.shutdown`` comes only after the streams. So somebody must tell it, and that is ``Drain``, by
``begin()``. Who calls it is said in the open: ``on_signals()``, which puts itself before the server's own handler of
SIGTERM and SIGINT, or whoever runs the server.

**An open stream is left by its client.** That is what its app is told (``Inbox.leave``), and what every app knows to
handle: the source is closed, its clean-up awaited, and the app returns. But the client is still there, so now it gets a
farewell in the format of its stream and the end of its body. What has a Content-Length is not a stream, and is let
finish. What has no format that we know, or is in a content coding already, is cut by an error (``CutOff``), so that
nobody takes half of it for the whole.

**The end of the body is the client's proof that the stream is complete.** Middleware such as Starlette's
BaseHTTPMiddleware ends the body itself when it receives the disconnect. An end that the app sends after it received the
simulated disconnect is therefore not passed on: Drain sends the final event in its place, or raises CutOff.

**A websocket is closed.** Its client gets a close frame with 1012, and its app the disconnect, also where it waits for
a message. A send after that raises Disconnected, which ends an app that only sends (``websocket_shutdown.py``).

**They come back one by one.** The farewell of an event stream says in ``retry`` when, each at another time, or the next
process would get them all in one moment.
"""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress

from rawasgi import headers as fields
from rawasgi.asgi import App, HTTPResponseStart, HTTPScope, Receive, Scope, Send, Sent, WebSocketScope
from rawasgi.content_length import STATUSES_WITHOUT_BODY
from rawasgi.error_responses import error_response
from rawasgi.errors import Disconnected, HTTPError
from rawasgi.formats import csv, json_seq, json_text, ndjson, sse
from rawasgi.formats.endings import CutOff, Failure
from rawasgi.inbox import Inbox
from rawasgi.outcomes import Outcome, outcome_of
from rawasgi.signals import before_handlers
from rawasgi.websocket import WebSocket
from rawasgi.websocket_shutdown import ClosableWebSocket

BYE = Failure("shutdown", "the server is stopping: ask again", retry=True)

# What ends a stream well, by its media type: given whether something of the body was sent already.
Farewell = Callable[[bool], bytes]


def _array(begun: bool) -> bytes:
    return (b",\n" if begun else b"[") + json_text.dumps(BYE) + b"]"


FAREWELLS: Mapping[str, Farewell] = {
    "application/x-ndjson": lambda _: ndjson.encode(BYE),
    "application/jsonl": lambda _: ndjson.encode(BYE),
    "application/json-seq": lambda _: json_seq.encode(BYE),
    "application/json": _array,
    "text/csv": lambda _: csv.encode(BYE),
    "text/plain": lambda begun: ("\n" * begun + BYE.message + "\n").encode(),
}


class Drain:
    """An app around an app, which can be told that the process is about to stop.

    *retry*: the seconds, at least and at most, after which clients are to come back. *farewells*: what ends a stream,
    by media type, beside ``text/event-stream``. *websocket_grace*: the seconds that open websockets have to end by
    themselves, as their app sees by ``begun``, before they are closed. ``begun``: it was told. ``outcomes``: how many
    responses have ended since then, by the reason why.
    """

    def __init__(
        self,
        retry: tuple[float, float] = (1.0, 5.0),
        farewells: Mapping[str, Farewell] = FAREWELLS,
        *,
        websocket_grace: float = 0.0,
    ) -> None:
        if not 0 <= retry[0] <= retry[1]:
            raise ValueError(f"Drain.retry must be the least and the most seconds, not {retry!r}")
        if not websocket_grace >= 0:
            raise ValueError(f"Drain.websocket_grace must be 0 seconds or more, not {websocket_grace!r}")
        self.begun: bool = False
        self.outcomes: Counter[Outcome] = Counter()
        self._retry = retry
        self._farewells = farewells
        self._websocket_grace = websocket_grace
        self._open: set[_Exchange | ClosableWebSocket] = set()
        self._empty: asyncio.Event | None = None  # somebody waits until nothing is open

    @property
    def open(self) -> int:
        """How many exchanges are open."""
        return len(self._open)

    def __call__(self, app: App) -> App:
        """Return *app*, drained: from ``begin()`` on new requests get 503 and Retry-After, new websockets a denial,
        open streams end with a farewell, and open websockets are closed with 1012. Sends: http.response.body, the last
        one, in the place of *app*, and http.response.trailers, empty, if *app* has announced some; websocket.close.

        Inside of ``compress``: what is in a coding already can only be cut.
        """

        async def drained(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "websocket":
                if self.begun:
                    await WebSocket(scope, receive, send).deny_with(self._refusal())
                else:
                    await self._watch_websocket(app, scope, ClosableWebSocket(receive, send))
            elif scope["type"] != "http":
                await app(scope, receive, send)
            elif self.begun:
                await self._refusal()(scope, receive, send)
            else:
                await self._watch(app, scope, Inbox.of(receive), send)

        return drained

    async def _watch(self, app: App, scope: HTTPScope, inbox: Inbox, send: Send) -> None:
        exchange = _Exchange(self, scope["method"], inbox, send)
        self._open.add(exchange)
        try:
            await app(scope, inbox, exchange.send)
            if exchange.is_left:
                await exchange.end()
        except BaseException as error:
            self._count(exchange.outcome(error))
            raise
        else:
            self._count(exchange.outcome(None))
        finally:
            self._discard(exchange)
            await inbox.aclose()

    async def _watch_websocket(self, app: App, scope: WebSocketScope, websocket: ClosableWebSocket) -> None:
        self._open.add(websocket)
        try:
            await app(scope, websocket.receive, websocket.send)
        except Disconnected:
            if not websocket.is_left:
                raise
        finally:
            await websocket.end()
            self._discard(websocket)

    def _discard(self, exchange: "_Exchange | ClosableWebSocket") -> None:
        self._open.discard(exchange)
        if self._empty is not None and not self._open:
            self._empty.set()

    def _count(self, outcome: Outcome) -> None:
        if self.begun:
            self.outcomes[outcome] += 1

    def farewell(self, media_type: str, begun: bool) -> bytes | None:
        """Return the final event of a stream of *media_type*, or None without one for it."""
        if media_type == "text/event-stream":
            data = sse.event_of(BYE).data
            return sse.encode(sse.Event(data, "close", retry=int(self._seconds() * 1000)))
        farewell = self._farewells.get(media_type)
        return None if farewell is None else farewell(begun)

    def _refusal(self) -> App:
        again = f"{max(1, round(self._seconds()))}"
        return error_response(HTTPError(503, headers={"retry-after": again, "connection": "close"}))

    def _seconds(self) -> float:
        return random.uniform(*self._retry)  # to be unlike the others is all it is for

    def begin(self) -> None:
        """Let all open streams end, and refuse what comes from now on. Again: does nothing."""
        if not self.begun:
            self.begun = True
            for exchange in self._open:
                if self._websocket_grace and isinstance(exchange, ClosableWebSocket):
                    asyncio.get_running_loop().call_later(self._websocket_grace, exchange.leave)
                else:
                    exchange.leave()

    async def wait(self) -> None:
        """Wait until nothing is open: in a lifespan, so that clean-up is over before the process is."""
        if self._open:
            self._empty = asyncio.Event()
            await self._empty.wait()

    @asynccontextmanager
    async def on_signals(self, signals: Iterable[int] = (signal.SIGTERM, signal.SIGINT)) -> AsyncIterator[None]:
        """Begin when the process gets one of *signals*; then what handled it before does so. For a lifespan.

        Works where the worker itself gets them and has set its handlers when the app starts: uvicorn and granian.
        Hypercorn's workers get none: run it by ``rawasgi serve``. Leaving the block, this begins
        without a signal, too, waits until nothing is open, and puts back the handlers that were there.
        """
        with before_handlers(signals, self.begin):
            yield
            self.begin()  # the server may shut down before its signal is seen here, or without one
            await self.wait()


class _Exchange:
    """One request and its response. ``send`` is no coroutine: each one above a source costs every item."""

    def __init__(self, drain: Drain, method: str, inbox: Inbox, send: Send) -> None:
        self._drain = drain
        self._method = method
        self._inbox = inbox
        self._send = send
        self._status: int | None = None
        self._media_type = ""  # of the response
        self._is_stream = self._is_coded = self._has_body = self._body_ended = self._trailers_due = False
        self._is_replaced = False  # Drain ended the body, and the app did not
        self.is_left = False  # a disconnect is simulated

    def send(self, message: Sent) -> Awaitable[None]:
        if self._is_replaced:
            return self.end()
        if message["type"] == "http.response.body":
            more_body = message.get("more_body", False)
            # An app that has not received the disconnect ends its body because the body is complete.
            if not more_body and self.is_left and self._inbox.disconnected:
                return self.end(message.get("body", b""))
            self._body_ended = not more_body
            self._has_body = self._has_body or bool(message.get("body"))
        elif message["type"] == "http.response.start":
            self._start(message)
        elif message["type"] == "http.response.trailers":
            self._trailers_due = message.get("more_trailers", False)
        elif message["type"] in ("http.response.pathsend", "http.response.zerocopysend"):
            self._body_ended = not message.get("more_body", False)
        return self._send(message)

    def _start(self, start: HTTPResponseStart) -> None:
        self._status = start["status"]
        headers = start.get("headers", ())
        self._media_type = fields.media_type(headers)
        has_body = self._method != "HEAD" and start["status"] not in STATUSES_WITHOUT_BODY
        self._is_stream = has_body and fields.get(headers, b"content-length") is None
        self._is_coded = fields.get(headers, b"content-encoding") is not None
        self._trailers_due = start.get("trailers", False)
        if self._drain.begun:
            self.leave()

    def leave(self) -> None:
        """Simulate a disconnect, if the response is a stream that has not ended."""
        if self._is_stream and not self._body_ended and not self._inbox.disconnected:
            self.is_left = True
            self._inbox.leave()

    def outcome(self, error: BaseException | None) -> Outcome:
        """Return why the response ended, in the end; *error* is what the app raised."""
        if self._is_replaced or isinstance(error, CutOff):
            return Outcome.DRAINED
        return outcome_of(self._inbox.outcome, error, self._status, self._body_ended)

    async def end(self, body: bytes = b"") -> None:
        """Send *body* and the final event in the place of the app, and trailers if announced. Raises: CutOff.

        The trailers are empty: what the app computes of half a body is not true of the whole. Again: does nothing.
        """
        with suppress(OSError):  # the client did disconnect
            if not self._body_ended:
                final = self._final_event(bool(body))
                self._is_replaced = self._body_ended = True
                await self._send({"type": "http.response.body", "body": body + final, "more_body": False})
            if self._trailers_due:
                self._trailers_due = False
                await self._send({"type": "http.response.trailers", "headers": []})

    def _final_event(self, has_body: bool) -> bytes:
        final = None if self._is_coded else self._drain.farewell(self._media_type, self._has_body or has_body)
        if final is None:
            of = f"{self._media_type} in a coding" if self._is_coded else self._media_type
            raise CutOff(f"a stream of {of} cannot say good-bye: give Drain a farewell for it, inside of compress()")
        return final
