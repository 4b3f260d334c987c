"""A websocket, after "WebSocket Connection Scope": the only home of its messages."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import TypeAlias

from rawasgi import headers as fields
from rawasgi.asgi import App, Receive, Scope, Send, WebSocketScope, WebSocketSent
from rawasgi.errors import AppError, Disconnected, OutOfOrder


class WebSocket:
    """One websocket: ``accept`` or ``deny`` it, then ``send``, ``receive`` or iterate, then ``close``.

    ``code``, ``reason``: how the client closed it, once ``receive`` raised Disconnected.
    """

    def __init__(self, scope: WebSocketScope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.code: int | None = None
        self.reason = ""
        self._receive = receive
        self._send = send
        self._state = "new"  # then "open", then "closed"

    def __repr__(self) -> str:
        return f"<WebSocket {self.scope['path']} {self._state}>"

    @property
    def state(self) -> dict[str, object]:
        """What the lifespan left; empty if the server has none."""
        return self.scope.get("state", {})

    def header(self, name: str) -> str | None:
        """Return the first value of the header *name*, as latin-1, or None."""
        value = fields.get(self.scope["headers"], name.encode("latin-1"))
        return None if value is None else value.decode("latin-1")

    async def accept(
        self,
        subprotocol: str | None = None,
        headers: Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]] | None = None,
    ) -> None:
        """Accept the handshake. Receives: websocket.connect. Sends: websocket.accept. Raises: Disconnected;
        OutOfOrder."""
        await self._connect()
        self._state = "open"
        await self._pass({"type": "websocket.accept", "subprotocol": subprotocol, "headers": fields.encode(headers)})

    async def deny(self, status: int = 403, text: str = "Forbidden") -> None:
        """Refuse the handshake with *status*; 403 where the server lacks "WebSocket Denial Response".

        Receives: websocket.connect. Sends: websocket.http.response.start and .body, or websocket.close.
        """
        await self._connect()
        self._state = "closed"
        if "websocket.http.response" not in (self.scope.get("extensions") or {}):
            await self._pass({"type": "websocket.close", "code": 1000})
            return
        pairs = fields.encode(
            [("content-type", "text/plain; charset=utf-8"), ("content-length", str(len(text.encode())))]
        )
        await self._pass({"type": "websocket.http.response.start", "status": status, "headers": pairs})
        await self._pass({"type": "websocket.http.response.body", "body": text.encode()})

    async def send(self, data: str | bytes) -> None:
        """Send one message, text or binary by its type. Raises: Disconnected; OutOfOrder."""
        self._must_be_open("send")
        if isinstance(data, str):
            await self._pass({"type": "websocket.send", "text": data})
        else:
            await self._pass({"type": "websocket.send", "bytes": bytes(data)})

    async def receive(self) -> str | bytes:
        """Return the next message. Raises: Disconnected once the client closed, with ``code`` set; OutOfOrder."""
        self._must_be_open("receive")
        message = await self._receive()
        if message["type"] == "websocket.receive":
            text = message.get("text")
            return text if text is not None else message.get("bytes") or b""
        self._state = "closed"
        if message["type"] == "websocket.disconnect":
            self.code = message.get("code", 1005)
            self.reason = message.get("reason") or ""
        raise Disconnected(f"the client closed the websocket with {self.code}")

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Yield messages until the client closes."""
        while True:
            try:
                message = await self.receive()
            except Disconnected:
                return
            yield message

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close from our side; nothing, if it is closed already. Sends: websocket.close. Spec: RFC 6455, 7.4."""
        if len(reason.encode()) > 123:
            raise ValueError(f"the reason of a close must fit in 123 bytes (RFC 6455, 5.5), not {len(reason.encode())}")
        if self._state == "new":
            await self._connect()
        if self._state != "closed":
            self._state = "closed"
            await self._pass({"type": "websocket.close", "code": code, "reason": reason})

    async def _connect(self) -> None:
        if self._state != "new":
            raise OutOfOrder(f"a websocket must be accepted or denied once, and first: this one is {self._state}")
        message = await self._receive()
        if message["type"] != "websocket.connect":
            self._state = "closed"
            raise Disconnected("the client left during the handshake")

    def _must_be_open(self, verb: str) -> None:
        if self._state == "new":
            raise OutOfOrder(f"a websocket must be accepted before {verb}(): await accept() first")
        if self._state == "closed":
            raise Disconnected(f"the websocket is closed: {verb}() is too late")

    async def _pass(self, message: WebSocketSent) -> None:
        try:
            await self._send(message)
        except OSError as error:
            self._state = "closed"
            raise Disconnected("the client left") from error


Talk: TypeAlias = Callable[[WebSocket], Awaitable[None]]


def websocket_app(function: Talk) -> App:
    """Return the app that runs *function* for each websocket and closes it afterwards.

    It is closed with 1000, or with 1011 and a log line of the server's if *function* fails. A client that left is no
    error.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            raise AppError(f"a websocket handler answers websockets, not {scope['type']}")
        websocket = WebSocket(scope, receive, send)
        try:
            await function(websocket)
        except Disconnected:
            return
        except Exception:
            await websocket.close(1011)
            raise
        await websocket.close()

    return app
