"""Hypercorn over HTTP/3, with a certificate of its own, and a client of it."""

import asyncio
import datetime
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from serving import PATIENCE, Server

Asked = Sequence[tuple[str, Sequence[tuple[str, str]]]]


@dataclass
class Answer:
    """What came of one request: each block of headers (hints, the answer's, trailers), and the body."""

    headers: list[list[tuple[bytes, bytes]]] = field(default_factory=list)
    body: bytes = b""
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Client(QuicConnectionProtocol):
    """One connection."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]  # aioquic's to give
        self._http = H3Connection(self._quic)
        self._answers: dict[int, Answer] = {}

    async def fetch(self, path: str, headers: Sequence[tuple[str, str]]) -> Answer:
        stream = self._quic.get_next_available_stream_id()
        answer = self._answers[stream] = Answer()
        pseudo = [(":method", "GET"), (":scheme", "https"), (":authority", "house"), (":path", path)]
        raw = [(name.encode(), value.encode()) for name, value in (*pseudo, *headers)]
        self._http.send_headers(stream, raw, end_stream=True)
        self.transmit()
        await answer.over.wait()
        return answer

    def quic_event_received(self, event: QuicEvent) -> None:
        for found in self._http.handle_event(event):
            if not isinstance(found, HeadersReceived | DataReceived):
                continue
            answer = self._answers[found.stream_id]
            if isinstance(found, HeadersReceived):
                answer.headers.append(found.headers)
            else:
                answer.body += found.data
            if found.stream_ended:
                answer.over.set()


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a key and a certificate of 127.0.0.1 that nobody has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "house")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    paths = folder / "key.pem", folder / "cert.pem"
    encoding = serialization.Encoding.PEM
    paths[0].write_bytes(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    paths[1].write_bytes(made.public_bytes(encoding))
    return paths


def asked(folder: Path, requests: Asked) -> list[Answer]:
    """Start the server, ask for all of *requests* in one connection, and stop it."""
    key, cert = certificate(folder)
    options = ["--quic-bind=127.0.0.1:{port}", f"--keyfile={key}", f"--certfile={cert}"]
    server = Server("hypercorn", "house:app", folder / "hypercorn.log", *options)

    async def script() -> list[Answer]:
        how = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, verify_mode=ssl.CERT_NONE)
        async with (
            asyncio.timeout(PATIENCE),
            connect("127.0.0.1", server.port, configuration=how, create_protocol=Client) as client,
        ):
            assert isinstance(client, Client)
            return [await client.fetch(path, headers) for path, headers in requests]

    try:
        return asyncio.run(script())
    finally:
        server.stop()
