"""A client of HTTP/2 with TLS; see gateway.py."""

import asyncio
import socket
import ssl
import struct

from gateway import CANCEL_H2, Asked, Gateway
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.settings import SettingCodes, Settings

TLS = ssl.create_default_context()
TLS.check_hostname, TLS.verify_mode = False, ssl.CERT_NONE
TLS.set_alpn_protocols(["h2"])


class OverH2(Gateway, asyncio.Protocol):
    version = b"HTTP/2"

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self._unsent = asked.body
        self._owed = 0  # bytes that came while nobody read
        self._h2 = H2Connection(H2Configuration(header_encoding=None))
        self._h2.local_settings = Settings(initial_values={SettingCodes.ENABLE_PUSH: 0})

    async def connect(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, "127.0.0.1", port, ssl=TLS, server_hostname="localhost")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._h2.initiate_connection()
        self._h2.send_headers(1, self.asked.headers, end_stream=self.asked.complete and not self.asked.body)
        self._send()

    def data_received(self, data: bytes) -> None:
        for event in self._h2.receive_data(data):
            self._take(event)
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        self.end(whole=False)

    def _take(self, event: Event) -> None:
        if isinstance(event, ResponseReceived):
            self.head(list(event.headers))
        elif isinstance(event, DataReceived):
            self._owed += event.flow_controlled_length
            self.piece(event.data)
            if not self.paused:
                self._acknowledge()
        elif isinstance(event, StreamEnded):
            self.end(whole=True)
        elif isinstance(event, StreamReset | ConnectionTerminated):
            self.end(whole=False)
        elif isinstance(event, WindowUpdated) and self._unsent:
            self._send()

    def _acknowledge(self) -> None:
        if self._owed and not self.over:
            self._h2.acknowledge_received_data(self._owed, 1)
            self._owed = 0

    def _send(self) -> None:
        while self._unsent and (window := self._h2.local_flow_control_window(1)):
            size = min(window, self._h2.max_outbound_frame_size)
            piece, self._unsent = self._unsent[:size], self._unsent[size:]
            self._h2.send_data(1, piece, end_stream=self.asked.complete and not self._unsent)
        self._transport.write(self._h2.data_to_send())

    def resume_reading(self) -> None:
        self.paused = False
        if not self._transport.is_closing():
            self._acknowledge()
            self._transport.write(self._h2.data_to_send())

    def send(self, data: bytes) -> None:
        self._unsent += data
        self._send()

    def stop(self) -> None:
        if not self.over:
            self.over = True
            self._h2.reset_stream(1, CANCEL_H2)
            self._transport.write(self._h2.data_to_send())

    def leave(self) -> None:
        if not self._transport.is_closing():
            self.stop()
            self._h2.close_connection()
            self._transport.write(self._h2.data_to_send())
            self._transport.abort()  # else it waits for the other side's end of TLS

    def reset(self) -> None:
        plug: socket.socket = self._transport.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
