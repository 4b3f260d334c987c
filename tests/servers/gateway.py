"""A request and an answer of HTTP/2 or HTTP/3 as HTTP/1.1 has them, as a gateway hands them on: one test reads all."""

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

from clients import Client

Pairs = list[tuple[bytes, bytes]]
CANCEL_H2, CANCEL_H3 = 0x8, 0x10C  # RFC 9113, 7; RFC 9114, 8.1
# of the connection, which is another one here: RFC 9113, 8.2.2
HOP = ("connection", "upgrade", "sec-websocket-key", "content-length")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: its fields, what it has of its body, and whether that is all."""

    headers: Pairs
    body: bytes
    complete: bool

    @classmethod
    def of(cls, method: str, path: str, extra: str, body: bytes) -> Self:
        """*extra*: lines of a head of HTTP/1.1; an upgrade to a WebSocket is RFC 8441's CONNECT."""
        fields = dict(line.split(": ", 1) for line in extra.splitlines())
        protocol = fields.get("upgrade")
        length = int(fields.get("content-length", len(body)))
        asked = {":method": "CONNECT" if protocol else method, ":scheme": "https", ":authority": "localhost"}
        asked |= {":path": path, **({":protocol": protocol} if protocol else {})}
        asked |= {name: value for name, value in fields.items() if name not in HOP}
        asked |= {"content-length": f"{length}"} if length else {}
        pairs = [(name.encode(), value.encode()) for name, value in asked.items()]
        return cls(pairs, body, protocol is None and length == len(body))


class Gateway(Client, ABC):
    """One connection with one request, whose answer is read as HTTP/1.1.

    A body without a Content-Length comes in chunks: one of each DATA frame, and the last of the end of the stream, but
    none if the stream breaks off. While nobody reads, the server is given no more of a window.
    """

    version: bytes

    def __init__(self, asked: Asked) -> None:
        self.reader = asyncio.StreamReader(limit=1 << 16)
        self.reader.set_transport(self)  # type: ignore[arg-type]  # whose flow it holds up
        self.asked = asked
        self.paused = self.over = self.chunked = False

    def head(self, pairs: Pairs) -> None:
        fields = dict(pairs)
        status = fields.pop(b":status")
        if status.startswith(b"1"):
            return
        method = dict(self.asked.headers)[b":method"]
        bodiless = method == b"HEAD" or status in (b"204", b"304")
        self.chunked = not bodiless and method != b"CONNECT" and b"content-length" not in fields
        lines = [b"%s: %s\r\n" % pair for pair in pairs if pair[0] != b":status"]
        self.reader.feed_data(b"%s %s \r\n%s\r\n" % (self.version, status, b"".join(lines)))

    def piece(self, data: bytes) -> None:
        if data:
            self.reader.feed_data(b"%x\r\n%s\r\n" % (len(data), data) if self.chunked else data)

    def end(self, whole: bool) -> None:
        """The stream is over, and *whole* or broken off."""
        if not self.over:
            self.over = True
            if whole and self.chunked:
                self.reader.feed_data(b"0\r\n\r\n")
            self.reader.feed_eof()

    @abstractmethod
    def stop(self) -> None:
        """Stop the stream, by RST_STREAM or STOP_SENDING, and keep the connection; to leave is to close it, too."""

    # What the reader asks of its transport

    def pause_reading(self) -> None:
        self.paused = True

    @abstractmethod
    def resume_reading(self) -> None: ...

    @abstractmethod
    async def connect(self, port: int) -> None:
        """Connect, and ask."""
