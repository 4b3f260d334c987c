"""A client of HTTP/2 that hides nothing: hints, pushes and trailers as they come."""

import asyncio
from collections import defaultdict
from ssl import SSLContext
from typing import Self, TypeVar

from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    Event,
    InformationalResponseReceived,
    PushedStreamReceived,
    ResponseReceived,
    StreamEnded,
    TrailersReceived,
)
from h2.settings import SettingCodes, Settings
from serving import PATIENCE

Pairs = list[tuple[bytes, bytes]]
E = TypeVar("E", bound=Event)


class H2:
    """One connection, cleartext and by prior knowledge (RFC 9113, 3.3), or by *tls*, which asks for *path*."""

    def __init__(
        self, port: int, path: str, te: bool = True, pushes: bool = True, tls: SSLContext | None = None
    ) -> None:
        self.port = port
        self.path = path
        self.te = te
        self.seen: list[str] = []  # the kinds of events
        self.hints: list[Pairs] = []
        self.headers: dict[int, Pairs] = {}  # by stream; the request's is 1
        self.bodies: dict[int, bytes] = defaultdict(bytes)
        self.trailers: Pairs = []
        self.tls = tls
        self.pushed: dict[bytes, int] = {}  # the streams of paths
        self._open: set[int] = set()
        self._connection = H2Connection()
        if not pushes:
            self._connection.local_settings = Settings(initial_values={SettingCodes.ENABLE_PUSH: 0})

    async def __aenter__(self) -> Self:
        host = None if self.tls is None else "localhost"
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.tls, server_hostname=host
        )
        self._connection.initiate_connection()
        self.ask(self.path)
        return self

    def ask(self, path: str) -> None:
        """Ask for *path* on the next stream."""
        asked = {
            ":method": "GET",
            ":scheme": "https" if self.tls else "http",
            ":authority": "localhost" if self.tls else "house",
            ":path": path,
        }
        asked.update({"te": "trailers"} if self.te else {})  # HTTP/2 has no other: RFC 9113, 8.2.2
        stream = self._connection.get_next_available_stream_id()
        self._open.add(stream)
        self._connection.send_headers(stream, list(asked.items()), end_stream=True)

    async def __aexit__(self, *error: object) -> None:
        self._writer.close()

    async def began(self) -> None:
        """Read until each answer has begun."""
        async with asyncio.timeout(PATIENCE):
            while self.bodies.keys() < self._open:
                await self._events()

    async def ended(self) -> None:
        """Read until the answer and all that was pushed with it are over."""
        async with asyncio.timeout(PATIENCE):
            while self._open:
                await self._events()

    async def until(self, kind: type[E]) -> E:
        """Read until an event of *kind* has come."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for event in await self._events():
                    if isinstance(event, kind):
                        return event

    def ping(self) -> None:
        self._connection.ping(b"12345678")

    async def _events(self) -> list[Event]:
        self._writer.write(self._connection.data_to_send())
        data = await self._reader.read(65536)
        assert data, f"closed after {self.seen}"
        events = self._connection.receive_data(data)
        for event in events:
            self._take(event)
        return events

    def _take(self, event: Event) -> None:
        if isinstance(event, InformationalResponseReceived):
            self.hints.append(list(event.headers))
        elif isinstance(event, PushedStreamReceived):
            stream = event.pushed_stream_id
            assert stream is not None
            self.pushed[dict(event.headers or ())[b":path"]] = stream
            self._open.add(stream)
        elif isinstance(event, ResponseReceived):
            self.headers[event.stream_id] = list(event.headers)
        elif isinstance(event, DataReceived):
            self.bodies[event.stream_id] += event.data
            self._connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, TrailersReceived):
            self.trailers = list(event.headers)
        elif isinstance(event, StreamEnded):
            self._open.discard(event.stream_id)
        else:
            return
        self.seen.append(type(event).__name__)
