"""A client of HTTP/3; see gateway.py."""

import asyncio
import ssl
from typing import Any

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, QuicEvent, StreamReset
from gateway import CANCEL_H3, Asked, Gateway


class Quic(QuicConnection):
    """A connection that gives no more of a window while its client does not read."""

    client: "OverH3"

    def _write_connection_limits(self, *arguments: Any, **named: Any) -> None:
        if not self.client.paused:
            super()._write_connection_limits(*arguments, **named)

    def _write_stream_limits(self, *arguments: Any, **named: Any) -> None:
        if not self.client.paused:
            super()._write_stream_limits(*arguments, **named)


class Protocol(QuicConnectionProtocol):
    client: "OverH3"

    def quic_event_received(self, event: QuicEvent) -> None:
        self.client.take(event)

    def quit(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.close()


class OverH3(Gateway):
    version = b"HTTP/3"

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        configuration = QuicConfiguration(
            is_client=True, alpn_protocols=H3_ALPN, verify_mode=ssl.CERT_NONE, server_name="localhost"
        )
        configuration.max_data = configuration.max_stream_data = 1 << 17  # no more than others buffer
        self._quic = Quic(configuration=configuration)
        self._quic.client = self
        self._http: H3Connection | None = None  # made at the first event: nothing of the server's streams may be missed
        self._stream: int | None = None

    async def connect(self, port: int) -> None:
        address = ("127.0.0.1", port)
        loop = asyncio.get_running_loop()
        _, self._protocol = await loop.create_datagram_endpoint(
            lambda: Protocol(self._quic), local_addr=("127.0.0.1", 0)
        )
        self._protocol.client = self
        self._protocol.connect(address)
        await self._protocol.wait_connected()
        assert self._http is not None
        self._stream = self._quic.get_next_available_stream_id()
        done = self.asked.complete and not self.asked.body
        self._http.send_headers(self._stream, self.asked.headers, end_stream=done)
        if self.asked.body:
            self._http.send_data(self._stream, self.asked.body, self.asked.complete)
        self._protocol.transmit()

    def take(self, event: QuicEvent) -> None:
        if self._http is None:
            self._http = H3Connection(self._quic)
        if isinstance(event, ConnectionTerminated | StreamReset):
            self.end(whole=False)
        for each in self._http.handle_event(event):
            self._take(each)

    def _take(self, event: H3Event) -> None:
        if isinstance(event, HeadersReceived):
            self.head(event.headers)
        elif isinstance(event, DataReceived):
            self.piece(event.data)
        if isinstance(event, HeadersReceived | DataReceived) and event.stream_ended:
            self.end(whole=True)

    def resume_reading(self) -> None:
        self.paused = False
        self._protocol.transmit()

    def send(self, data: bytes) -> None:
        assert self._http is not None
        assert self._stream is not None
        self._http.send_data(self._stream, data, False)
        self._protocol.transmit()

    def leave(self) -> None:
        self.stop()
        self.reset()

    def stop(self) -> None:
        if self._stream is not None and not self.over:
            self.over = True
            self._quic.stop_stream(self._stream, CANCEL_H3)
            self._quic.reset_stream(self._stream, CANCEL_H3)
            self._protocol.transmit()

    def reset(self) -> None:
        self._protocol.close(0x100)  # H3_NO_ERROR
        self._protocol.quit()
