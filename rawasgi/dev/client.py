"""A client that follows a script: it drives any ASGI app in process, and does what real clients do.

    async with connect(app, "GET", "/stream", spec_version="2.3") as client:
        assert await client.chunk() == b"first"
        await client.leave()
        await client.finished()

``connect`` is for HTTP, ``fetch`` for a whole answer at once, ``websocket`` and ``lifespan`` for the other two. What
all of them can do (message, stall, resume, finished, cancel) and how the server behind them behaves is in exchange.py.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self, Unpack, cast

from rawasgi.asgi import App, Headers, Received, Scope, Sent, WebSocketResponseBody
from rawasgi.dev.exchange import Exchange, How, Recorded
from rawasgi.dev.lifetime import lifespan as lifespan
from rawasgi.dev.scopes import Options, find, how, pairs, request_scope

BODIES = ("http.response.body", "http.response.zerocopysend", "http.response.pathsend")


class Answer(Exchange):
    """What a response and the denial of a websocket have in common."""

    def __init__(self, app: App, scope: Scope, **how: Unpack[How]) -> None:
        super().__init__(app, scope, **how)
        self.headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()
        self._status: int | None = None

    @property
    def status(self) -> int:
        if self._status is None:
            raise LookupError("the client has seen no status yet: await started() first")
        return self._status

    @property
    def body(self) -> bytes:
        """All that came of the body so far."""
        return bytes(self._body)

    async def started(self) -> int:
        """The status, as soon as the client sees it. Raises: what the app raised; EOFError if it returned without."""
        await self._until(lambda: self._status is not None or self._left or self._task.done())
        if self._status is None:
            self._nothing_more()
        return self.status

    def header(self, name: str) -> str | None:
        """The value of the first header of that name."""
        return find(self.headers, name)

    def _start(self, status: int, headers: Headers) -> None:
        self._status, self.headers = status, pairs(headers)

    async def leave(self) -> None:
        """Close the connection."""
        self._leave()


class HTTPClient(Answer):
    """One request. ``trailers`` are the headers that came after the body."""

    def __init__(self, app: App, scope: Scope, body: bytes | Iterable[bytes] | None, **how: Unpack[How]) -> None:
        super().__init__(app, scope, **how)
        self.trailers: list[tuple[bytes, bytes]] = []
        self._held: list[Sent] = []
        self._rest = b""
        self._ended = False
        self._asking = True
        chunks = [body] if isinstance(body, bytes) else list(body or ())
        for index, chunk in enumerate(chunks, 1):
            self._say(chunk, index < len(chunks))

    async def say(self, body: bytes | str, more_body: bool = True) -> None:
        """Send a piece of the request's body; the last has ``more_body=False``. For ``connect(body=None)``."""
        if not self._asking:
            raise ValueError("the request is over: connect(body=None) leaves its body to say()")
        self._say(body.encode() if isinstance(body, str) else body, more_body)

    async def chunk(self) -> bytes:
        """The next body message that is not empty, or what until() left of one; b"" when the body is over."""
        data, self._rest = self._rest, b""
        while not data and not self._ended:
            message, data = await self._next()
            self._ended = message["type"] in BODIES and not message.get("more_body")
        return data

    async def half_close(self) -> None:
        """Close our half of the connection and read on: hypercorn then gives the disconnect, and goes on sending."""
        self._over = True
        self._changed()

    async def until(self, separator: bytes | str) -> bytes:
        """The body from here up to and with *separator*, however it was cut."""
        mark = separator.encode() if isinstance(separator, str) else separator
        data = b""
        while mark not in data:
            chunk = await self.chunk()
            if not chunk:
                raise EOFError(f"the body ended before {mark!r}, with {data!r}")
            data += chunk
        data, mark, self._rest = data.partition(mark)
        return data + mark

    async def rest(self) -> bytes:
        """The body from here to its end."""
        return b"".join([chunk async for chunk in self])

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        chunk = await self.chunk()
        if not chunk:
            raise StopAsyncIteration
        return chunk

    def _say(self, body: bytes, more_body: bool) -> None:
        self._asking = more_body
        self._inbox.append({"type": "http.request", "body": body, "more_body": more_body})
        self._changed()

    def _disconnect(self) -> Received:
        return {"type": "http.disconnect"}

    def _deliver(self, message: Sent) -> None:
        self._held.append(message)
        starting = self._held[0]["type"] == "http.response.start" and message["type"] not in BODIES
        if not (starting and self.personality.holds_start):
            for held in self._held:
                self._show(held)
            self._held.clear()
        self._over = self.order.complete

    def _show(self, message: Sent) -> None:
        data = b""
        if message["type"] == "http.response.start":
            self._start(message["status"], message.get("headers", ()))
        elif message["type"] == "http.response.trailers":
            self.trailers += pairs(message.get("headers", ()))
        elif self.scope["type"] == "http" and self.scope["method"] != "HEAD" and self._status not in (204, 304):
            data = content(message)
        self._body += data
        self._see(message, data)


class WebSocketClient(Answer):
    """One websocket. ``status`` is 101 when it was accepted; ``code`` and ``reason`` are those of the app's close."""

    def __init__(self, app: App, scope: Scope, **how: Unpack[How]) -> None:
        super().__init__(app, scope, **how)
        self.subprotocol: str | None = None
        self.code: int = 1006
        self.reason: str = ""
        self._inbox.append({"type": "websocket.connect"})

    async def accepted(self) -> str | None:
        """The subprotocol, when the app has accepted. Raises: ConnectionRefusedError if it does not; as started()."""
        if await self.started() != 101:
            raise ConnectionRefusedError(f"the app denied the websocket with {self.status}")
        return self.subprotocol

    async def say(self, data: str | bytes) -> None:
        """Send a text or binary message."""
        if isinstance(data, str):
            self._inbox.append({"type": "websocket.receive", "text": data})
        else:
            self._inbox.append({"type": "websocket.receive", "bytes": data})
        self._changed()

    async def hear(self) -> str | bytes:
        """The next text or binary message. Raises: EOFError when the app closes."""
        while True:
            message = await self.message()
            if message["type"] == "websocket.close":
                raise EOFError(f"the app closed the websocket with {self.code} {self.reason!r}")
            if message["type"] == "websocket.send":
                text = message.get("text")
                return message.get("bytes") or b"" if text is None else text

    async def closed(self) -> int:
        """The code, when the app has closed; what it sends before is passed over."""
        while (await self.message())["type"] != "websocket.close":
            pass
        return self.code

    async def leave(self, code: int = 1005, reason: str = "") -> None:
        """Close the websocket."""
        self.code, self.reason = code, reason
        await super().leave()

    def _disconnect(self) -> Received:
        if self.version >= (2, 5):
            return {"type": "websocket.disconnect", "code": self.code, "reason": self.reason}
        return {"type": "websocket.disconnect", "code": self.code}

    def _deliver(self, message: Sent) -> None:
        data = b""
        if message["type"] == "websocket.accept":
            self._start(101, message.get("headers", ()))
            self.subprotocol = message.get("subprotocol")
        elif message["type"] == "websocket.send":
            data = message.get("bytes") or (message.get("text") or "").encode()
        elif message["type"] == "websocket.close":
            self._status = self._status or 403
            self.code, self.reason = message.get("code", 1000), message.get("reason") or ""
        elif message["type"] == "websocket.http.response.start":
            self._start(message["status"], message.get("headers", ()))
        else:  # the body of a denial
            data = cast(WebSocketResponseBody, message).get("body", b"")
            self._body += data
        self._over = self.order.complete
        self._see(message, data)


@dataclass(frozen=True, slots=True)
class Result:
    """A whole answer."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    messages: list[Recorded]

    def header(self, name: str) -> str | None:
        return find(self.headers, name)

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> object:
        return cast(object, json.loads(self.body))


def connect(
    app: App,
    method: str = "GET",
    target: str = "/",
    *,
    body: bytes | Iterable[bytes] | None = b"",
    **options: Unpack[Options],
) -> HTTPClient:
    """A client with one request: *body* whole, in pieces, or None if the script says it."""
    scope = request_scope("http", target, options, method=method, scheme="http")
    return HTTPClient(app, scope, body, **how(options))


async def fetch(
    app: App, target: str = "/", *, method: str = "GET", body: bytes = b"", **options: Unpack[Options]
) -> Result:
    """The whole answer to one request; not for endless streams."""
    async with connect(app, method, target, body=body, **options) as client:
        await client.finished()
    return Result(client.status, client.headers, client.body, client.messages)


def websocket(
    app: App, target: str = "/", *, subprotocols: Iterable[str] = (), **options: Unpack[Options]
) -> WebSocketClient:
    """A client that opens a websocket."""
    scope = request_scope("websocket", target, options, scheme="ws", subprotocols=list(subprotocols))
    return WebSocketClient(app, scope, **how(options))


def content(message: Sent) -> bytes:
    """The bytes of body that *message* stands for."""
    if message["type"] == "http.response.body":
        return message.get("body", b"")
    if message["type"] == "http.response.pathsend":
        return Path(message["path"]).read_bytes()
    if message["type"] == "http.response.zerocopysend":
        file = message["file"]
        count = message.get("count", os.fstat(file).st_size)
        return os.pread(file, count, message["offset"]) if "offset" in message else os.read(file, count)
    return b""
