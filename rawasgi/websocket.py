"""A websocket, after "WebSocket Connection Scope": the only home of its messages."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeAlias, cast

from rawasgi import headers as fields
from rawasgi import json_input
from rawasgi.app_types import discard
from rawasgi.asgi import (
    App,
    HTTPDisconnect,
    HTTPReceived,
    HTTPRequest,
    HTTPScope,
    Receive,
    Scope,
    Send,
    Sent,
    WebSocketReceived,
    WebSocketScope,
)
from rawasgi.connection import Connection
from rawasgi.error_responses import error_response
from rawasgi.errors import AppError, Disconnected, HTTPError, InvalidMessage, OutOfOrder
from rawasgi.formats import json_text
from rawasgi.states import WEBSOCKET, Order

_MAX_REASON_BYTES = 123


class WebSocket(Connection[WebSocketScope]):
    """One websocket: ``accept`` or ``deny`` it, then ``send``, ``receive`` or iterate, then ``close``.

    ``disconnected``: the client left; ``code``, ``reason``: how, if it said so. What is legal when is the table
    ``states.WEBSOCKET``; all that is not raises OutOfOrder, and all that comes after the client left Disconnected.
    """

    def __init__(self, scope: WebSocketScope, receive: Receive, send: Send) -> None:
        super().__init__(scope)
        self.code: int | None = None
        self.reason: str = ""
        self._receive = receive
        self._send = send
        self._order = Order(WEBSOCKET)
        self.disconnected: bool = False

    def __repr__(self) -> str:
        return f"<WebSocket {self.scope['path']} {'disconnected' if self.disconnected else self._order.state}>"

    @property
    def handshake_pending(self) -> bool:
        """Whether it was neither accepted nor denied yet."""
        return not self.disconnected and self._order.state in ("connecting", "handshake")

    # The handshake

    async def accept(
        self,
        subprotocol: str | None = None,
        headers: Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]] | None = None,
        origins: Collection[str] | None = None,
    ) -> None:
        """Accept the handshake.

        *origins*: those whose pages may connect, as ``{"https://example.com"}``; None for all. A client that is no
        browser says none, and may. Receives: websocket.connect. Sends: websocket.accept. Raises: HTTPError(403) for
        another origin, which ``websocket_app`` makes the answer; Disconnected. Spec: RFC 6455, 10.2.
        """
        if isinstance(origins, str):
            raise TypeError(f"the origins of a websocket must be a collection of them, not one: {{{origins!r}}}")
        pairs = fields.encode(headers)
        if origins is not None:
            for origin in fields.getlist(self.scope["headers"], b"origin"):
                if origin.decode("latin-1") not in origins:
                    raise HTTPError(403)
        if self._order.state == "connecting":
            await self._receive_message()
        await self._send_message({"type": "websocket.accept", "subprotocol": subprotocol, "headers": pairs})

    async def deny(
        self,
        status: int = 403,
        text: str = "",
        headers: Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]] = (),
    ) -> None:
        """Refuse the handshake as an HTTPError of *status*, *text* and *headers* does. As ``deny_with``."""
        await self.deny_with(error_response(HTTPError(status, text, headers=headers)))

    async def deny_with(self, answer: App) -> None:
        """Refuse the handshake with what *answer*, a Response or any other app, responds to a GET.

        Sends: websocket.http.response.start, .body+; where the server lacks them websocket.close, which is a bare 403,
        and then *answer* is called with HEAD, to close what it would have streamed.
        Spec: extension "WebSocket Denial Response".
        """
        supports_denial_response = "websocket.http.response" in (self.scope.get("extensions") or {})
        http_scope = {
            "http_version": "1.1",
            **self.scope,
            "type": "http",
            "method": "GET" if supports_denial_response else "HEAD",
            "scheme": "https" if self.scope.get("scheme") == "wss" else "http",
            "query_string": self.scope.get("query_string") or b"",
        }
        await answer(
            cast(HTTPScope, http_scope), self._receive_http, self._send_http if supports_denial_response else discard
        )
        if not supports_denial_response:
            await self._send_message({"type": "websocket.close", "code": 1000})

    async def _receive_http(self) -> HTTPReceived:
        try:
            await self._receive_message()
        except Disconnected:
            return HTTPDisconnect(type="http.disconnect")
        return HTTPRequest(type="http.request")

    async def _send_http(self, message: Sent) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            await self._send_message(
                {"type": "websocket.http.response.start", "status": message["status"], "headers": headers}
            )
        elif message["type"] == "http.response.body":
            body, more_body = message.get("body", b""), message.get("more_body", False)
            await self._send_message({"type": "websocket.http.response.body", "body": body, "more_body": more_body})
        else:
            raise AppError(f"a websocket is denied by http.response.start and .body, not by {message['type']}")

    # Once it is open

    async def send(self, data: str | bytes | bytearray | memoryview) -> None:
        """Send one message, text or binary by its type. Raises: Disconnected; OutOfOrder."""
        if isinstance(data, str):
            await self._send_message({"type": "websocket.send", "text": data})
        else:
            await self._send_message({"type": "websocket.send", "bytes": bytes(data)})

    async def receive(self) -> str | bytes:
        """Return the next message. Raises: Disconnected once the client closed, with ``code`` set; OutOfOrder."""
        if not self.disconnected and self._order.state != "open":
            raise OutOfOrder(f"a websocket must be open to receive() from it: this one is {self._order.state!r}")
        message = await self._receive_message()
        assert message["type"] == "websocket.receive"  # of an open one the table has no other
        text = message.get("text")
        return text if text is not None else message.get("bytes") or b""

    async def send_json(
        self, value: object, *, binary: bool = False, dumps: Callable[[object], str | bytes] = json_text.dumps
    ) -> None:
        """Send *value* as JSON in one message, of text or *binary*.

        *dumps*: another encoder. Raises: ValueError for NaN and Infinity, TypeError for a type without a rule, and then
        nothing is sent; as ``send``.
        """
        encoded = dumps(value)
        text = encoded if isinstance(encoded, str) else encoded.decode()
        await self.send(text.encode() if binary else text)

    async def receive_json(self) -> Any:
        """Return the next message, text or binary, read as JSON.

        Raises: InvalidMessage if it is none, as for NaN, and for a binary one that is not UTF-8. The websocket is open
        then, and the next message can be received. If the function of ``websocket_app`` does not catch it, the
        websocket is closed with 1007 and the text as its reason, and nothing is logged: it is the client's fault.
        Raises as ``receive``, too. Spec: RFC 6455, 7.4.1; RFC 8259.
        """
        message = await self.receive()
        try:
            return json_input.decode(message.encode("utf-8", "replace") if isinstance(message, str) else message)
        except ValueError as error:
            raise InvalidMessage(f"a message must be JSON (RFC 8259): {error}") from None

    def __aiter__(self) -> "Messages":
        """Return an iterator over the messages, until the client closes."""
        return Messages(self)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close from our side; nothing, if it is closed already. Sends: websocket.close. Spec: RFC 6455, 7.4."""
        if (size := len(reason.encode())) > _MAX_REASON_BYTES:
            raise ValueError(
                f"the reason of a close must fit in {_MAX_REASON_BYTES} bytes (RFC 6455, 5.5), not {size}: shorten it"
            )
        if not self.disconnected and self._order.state in ("connecting", "handshake", "open"):
            await self._send_message({"type": "websocket.close", "code": code, "reason": reason})

    # The two ends

    async def _receive_message(self) -> WebSocketReceived:
        """Receive, but not once the client left: hypercorn and daphne then block for ever."""
        if self.disconnected:
            raise Disconnected("the client has left")
        message = cast(WebSocketReceived, await self._receive())
        self._order.received(cast(Mapping[str, object], message))
        if message["type"] == "websocket.disconnect":
            self.disconnected = True
            self.code, self.reason = message.get("code", 1005), message.get("reason") or ""
            raise Disconnected(f"the client closed the websocket with {self.code}")
        return message

    async def _send_message(self, message: Sent) -> None:
        if self.disconnected:
            raise Disconnected("the client has left")
        self._order.sent(cast(Mapping[str, object], message))
        try:
            await self._send(message)
        except OSError as error:  # "Disconnected Client - send exception", since 2.4
            self.disconnected = True
            raise Disconnected("the client left") from error


class Messages(AsyncIterator[str | bytes]):
    """The messages of a websocket, until the client closes.

    Not a generator: a loop that is left by ``break`` or an error leaves nothing behind that needs closing. A cancelled
    wait ends neither the iterator nor the websocket. ``aclose()`` ends the iterator, and leaves the websocket open.
    Raises: OutOfOrder, as ``receive``.
    """

    __slots__ = ("_websocket",)

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket: WebSocket | None = websocket

    async def __anext__(self) -> str | bytes:
        if self._websocket is None:
            raise StopAsyncIteration
        try:
            return await self._websocket.receive()
        except Disconnected:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        self._websocket = None


WebSocketEndpoint: TypeAlias = Callable[[WebSocket], Awaitable[None]]


def websocket_app(function: WebSocketEndpoint) -> App:
    """Return the app that runs *function* for each websocket and closes it afterwards.

    It is closed with 1000, or with 1011 and a log line of the server's if *function* fails; an HTTPError raised before
    it was accepted denies it with that. An InvalidMessage closes it with 1007. A client that left is no error.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            raise AppError(f"a websocket handler answers websockets, not {scope['type']}")
        websocket = WebSocket(scope, receive, send)
        try:
            await _run_endpoint(function, websocket)
        except Disconnected:
            if not websocket.disconnected:  # it is about somebody else
                raise

    return app


async def _run_endpoint(function: WebSocketEndpoint, websocket: WebSocket) -> None:
    try:
        await function(websocket)
    except Exception as error:
        handshake_pending = websocket.handshake_pending
        is_answer = isinstance(error, HTTPError if handshake_pending else InvalidMessage)
        with suppress(Disconnected):  # it must not hide the error
            if handshake_pending:
                await websocket.deny_with(error_response(error if isinstance(error, HTTPError) else HTTPError(500)))
            elif is_answer:
                await websocket.close(1007, str(error)[:_MAX_REASON_BYTES])  # of ASCII
            else:
                await websocket.close(1011)
        if not is_answer:
            raise
    else:
        await websocket.close()
