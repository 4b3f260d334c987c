"""A ``receive`` and a ``send`` that count as those of a server listed in ``rawasgi/servers.py``."""

from rawasgi.asgi import Receive, Received, Send, Sent
from rawasgi.servers import SERVERS, server_of


class KnownServer:
    """*receive* and *send* as the methods of uvicorn's own class: they may be advanced by hand."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        assert server_of(self.receive) is SERVERS[0]

    async def receive(self) -> Received:
        return await self._receive()

    async def send(self, message: Sent) -> None:
        await self._send(message)


KnownServer.__module__, KnownServer.__qualname__ = SERVERS[0].calls[0].rsplit(".", 1)
