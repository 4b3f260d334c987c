"""Clients that behave as badly as real ones."""

import asyncio
import socket
import struct
import sys
from abc import ABC, abstractmethod

PATIENCE = 30.0  # seconds, for a machine that is busy with other things; no test waits for a time, only for an event


class Client(ABC):
    """One connection with one request, and an answer of HTTP/1.1, or as a gateway would make it."""

    reader: asyncio.StreamReader
    chunked = True  # so the body comes

    async def until(self, mark: bytes) -> bytes:
        async with asyncio.timeout(PATIENCE):
            data = b""
            while mark not in data:
                piece = await self.reader.read(65536)
                assert piece, f"closed before {mark!r}: {data!r}"
                data += piece
            return data

    async def body(self) -> bytes:
        """The next of the body, or nothing at its end."""
        return await (self.chunk() if self.chunked else self.reader.read(65536))

    async def chunk(self) -> bytes:
        """The next chunk of the body, or nothing at its end."""
        size = int(await self.reader.readline(), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def drain(self, at_least: int = sys.maxsize) -> None:
        """Read, and forget, *at_least* bytes, or all."""
        while at_least > 0 and (piece := await self.reader.read(1 << 20)):
            at_least -= len(piece)

    async def whole(self) -> bytes:
        """Read all that comes, and leave."""
        async with asyncio.timeout(PATIENCE):
            answer = await self.reader.read(-1)
        self.leave()
        return answer

    @abstractmethod
    def send(self, data: bytes) -> None:
        """Send more of the body."""

    @abstractmethod
    def leave(self) -> None:
        """Close the connection, politely."""

    @abstractmethod
    def reset(self) -> None:
        """Close the connection at once."""

    def pipeline(self) -> None:
        """Ask for more before the answer is there: the servers stop reading now."""
        self.send(b"GET /ping HTTP/1.1\r\nhost: house\r\n\r\n")


class Plain(Client):
    """HTTP/1 over TCP: one leaves by FIN, or RST if something was not read, and resets by RST."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    def leave(self) -> None:
        self._writer.close()

    def reset(self) -> None:
        plug: socket.socket = self._writer.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


async def asked(
    port: int, path: str, method: str = "GET", extra: str = "", body: bytes = b"", version: str = "1.1"
) -> Plain:
    client = Plain(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 16))
    length = f"content-length: {len(body)}\r\n" if body else ""
    client.send(f"{method} {path} HTTP/{version}\r\nhost: house\r\n{extra}{length}\r\n".encode() + body)
    return client
