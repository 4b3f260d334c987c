"""A client of HTTP/3 that hides nothing, and a certificate for the server it asks."""

import asyncio
import datetime
import ssl
from collections.abc import Iterable
from pathlib import Path

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived, PushPromiseReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from serving import PATIENCE


class _Protocol(QuicConnectionProtocol):
    """The events of one connection, in ``events``."""

    http: H3Connection | None = None

    def begin(self) -> H3Connection:
        self.events: asyncio.Queue[H3Event] = asyncio.Queue()
        self.http = H3Connection(self._quic)
        return self.http

    def quic_event_received(self, event: QuicEvent) -> None:
        for each in (self.http or self.begin()).handle_event(event):
            self.events.put_nowait(each)


async def ask(port: int, path: str, after: Iterable[type[H3Event]] = ()) -> list[H3Event]:
    """Ask for *path*, with ``te: trailers``; return what came until the answer and all of its pushes ended."""
    configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, verify_mode=ssl.CERT_NONE)
    async with (
        asyncio.timeout(PATIENCE),
        connect("127.0.0.1", port, configuration=configuration, create_protocol=_Protocol) as protocol,
    ):
        assert isinstance(protocol, _Protocol)
        http = protocol.http or protocol.begin()
        stream = protocol._quic.get_next_available_stream_id()
        asked = {":method": "GET", ":scheme": "https", ":authority": "localhost", ":path": path, "te": "trailers"}
        pairs = [(name.encode(), value.encode()) for name, value in asked.items()]
        http.send_headers(stream, pairs, end_stream=True)
        protocol.transmit()
        events: list[H3Event] = []
        while ends(events) <= sum(isinstance(event, PushPromiseReceived) for event in events):
            events.append(await protocol.events.get())
        return events


def ends(events: list[H3Event]) -> int:
    return sum(isinstance(event, DataReceived | HeadersReceived) and event.stream_ended for event in events)


def certify(folder: Path) -> tuple[Path, Path]:
    """Write a certificate that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    today = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths
