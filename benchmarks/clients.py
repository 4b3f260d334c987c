"""Readers of one response: one that understands, one that only drains, one that counts.

Those that are timed look for nothing but the end of a response, so that they take less than the servers: they read
what the kernel has in one call and compare its last seven bytes. No chunk of ours can end like the last one does.
"""

import http.client
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter

HOST = "127.0.0.1"
END = b"\r\n0\r\n\r\n"  # of a chunked body (RFC 9112, 7.1)
OK = b"HTTP/1.1 200"
PATIENCE = 60.0


class Unexpected(Exception):
    """A server did not answer as it should: there is nothing to measure."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What must be the same whoever answers."""

    status: int
    media_type: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Taken:
    """How long it took, and for how many chunks or responses."""

    seconds: float
    count: int


def read(port: int, path: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Return the whole answer to GET *path*."""
    connection = http.client.HTTPConnection(HOST, port, timeout=PATIENCE)
    try:
        connection.request("GET", path, headers=dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, response.getheader("content-type"), response.read())
    finally:
        connection.close()


def drain(port: int, path: str) -> float:
    """Return the seconds from GET *path* to the last byte of the answer, which is chunked or has a Content-Length."""
    buffer = bytearray(1 << 20)
    with socket.create_connection((HOST, port), timeout=PATIENCE) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = perf_counter()
        connection.sendall(request(path))
        head = b""
        while b"\r\n\r\n" not in head:
            head += bytes(buffer[: _more(connection, buffer, path)])
        check(head, path)
        head, _, first = head.partition(b"\r\n\r\n")
        size = length(head)
        if size is None:
            tail = first[-len(END) :]
            while tail != END:
                got = _more(connection, buffer, path)
                tail = (tail + bytes(buffer[max(0, got - len(END)) : got]))[-len(END) :]
        else:
            left = size - len(first)
            while left > 0:
                left -= _more(connection, buffer, path)
        return perf_counter() - began


def _more(connection: socket.socket, buffer: bytearray, path: str) -> int:
    got = connection.recv_into(buffer)
    if not got:
        raise Unexpected(f"GET {path}: the server ended the connection inside the answer")
    return got


def length(head: bytes) -> int | None:
    """Return the Content-Length in *head*, None if there is none."""
    _, found, value = head.lower().partition(b"\r\ncontent-length:")
    return int(value.split(b"\r\n")[0]) if found else None


def request(path: str, **headers: str) -> bytes:
    """Return the bytes of GET *path*; an underscore in a field's name is a hyphen there."""
    fields = {"host": HOST, "user-agent": "benchmarks", "accept": "*/*", **headers}
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items()]
    return f"GET {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode()


def check(data: bytes, path: str) -> None:
    """Raises: Unexpected unless *data* begins a 200."""
    if not data.startswith(OK):
        raise Unexpected(f"GET {path}: the answer must begin {OK.decode()}, not {data[:40]!r}")
