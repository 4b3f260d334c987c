"""A websocket that the server closes when it shuts down, while its app may be waiting for anything.

Its client gets a close frame with 1012, "Service Restart" in IANA's registry of close codes (RFC 6455, 11.7): it may
connect again, after a random delay. 1001 is for a server that goes away, so its client has no reason to come back.
"""

import asyncio

from rawasgi.asgi import Receive, Received, Send, Sent, WebSocketDisconnect
from rawasgi.errors import Disconnected

CODE = 1012
REASON = "the server is shutting down: connect again"
# Seconds for a send() of the close that is blocked: by a client that does not read, or for ever (see
# Server.drops_websockets).
_CLOSE_TIMEOUT = 2.0


class ClosableWebSocket:
    """The ``receive`` and ``send`` of one websocket, which ``leave()`` closes.

    ``is_left``: it was closed so. Then ``receive`` returns websocket.disconnect, also where it is waiting, and ``send``
    raises Disconnected.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._is_accepted = self._is_over = self._is_due = False
        self._wait: asyncio.Timeout | None = None  # of the receive() under way
        self._closing: asyncio.Task[None] | None = None
        self.is_left: bool = False

    async def receive(self) -> Received:
        if not self.is_left:
            try:
                async with asyncio.timeout(None) as wait:
                    self._wait = wait
                    message = await self._receive()
                self._is_over = self._is_over or message["type"] == "websocket.disconnect"
                return message
            except TimeoutError:
                if not wait.expired():
                    raise
            finally:
                self._wait = None
        return WebSocketDisconnect(type="websocket.disconnect", code=CODE, reason=REASON)

    async def send(self, message: Sent) -> None:
        if self.is_left:
            raise Disconnected(f"the websocket was closed with {CODE}: {REASON}")
        self._is_over = self._is_over or message["type"] in ("websocket.close", "websocket.http.response.start")
        await self._send(message)
        if message["type"] == "websocket.accept":
            self._is_accepted = True
            if self._is_due:
                self.leave()

    def leave(self) -> None:
        """Close the websocket, unless it is over; one that is not accepted yet, once it is."""
        self._is_due = True
        if self._is_accepted and not self._is_over:
            self._is_over = True
            self.is_left = True
            self._closing = asyncio.create_task(self._close(), name="rawasgi: closes a websocket")
            if self._wait is not None:
                self._wait.reschedule(0)  # at once

    async def _close(self) -> None:
        """Sends: websocket.close."""
        await self._send({"type": "websocket.close", "code": CODE, "reason": REASON})

    async def end(self) -> None:
        """The app has returned: wait until the close is sent, for at most 2 s."""
        self._is_over = True
        if self._closing is not None:
            try:
                await asyncio.wait([self._closing], timeout=_CLOSE_TIMEOUT)
            finally:
                self._closing.cancel()  # nor is an error of it logged: the server has closed the connection itself
