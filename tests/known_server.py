"""A ``receive`` and a ``send`` that count as those of a server listed in ``rawasgi/servers.py``."""

import pytest

from rawasgi.asgi import App, Receive, Received, Scope, Send, Sent
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


def known(app: App) -> App:
    """*app* called by what counts as a server: its receive() is advanced by hand, and no task is needed."""

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        server = KnownServer(receive, send)
        await app(scope, server.receive, server.send)

    return called


def foreign(app: App) -> App:
    return app


both = pytest.mark.parametrize("by", [known, foreign])
