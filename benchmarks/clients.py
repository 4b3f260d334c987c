"""Three readers: one that understands, one that only drains, and one of many connections.

The two that are timed look for nothing but the end of a response, so that they take less than the servers: they read
what the kernel has in one call and compare its last seven bytes. No chunk of ours can end like the last one does.
"""

import http.client
import selectors
import socket
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


def read(port: int, path: str) -> Answer:
    """Return the whole answer to GET *path*."""
    connection = http.client.HTTPConnection(HOST, port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return Answer(response.status, response.getheader("content-type"), response.read())
    finally:
        connection.close()


def drain(port: int, path: str) -> float:
    """Return the seconds from GET *path* to the last byte of the answer."""
    buffer = bytearray(1 << 20)
    with socket.create_connection((HOST, port), timeout=PATIENCE) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = perf_counter()
        connection.sendall(_request(path))
        size = connection.recv_into(buffer)
        _check(bytes(buffer[: len(OK)]), path)
        tail = bytes(buffer[max(0, size - len(END)) : size])
        while tail != END:
            size = connection.recv_into(buffer)
            if not size:
                raise Unexpected(f"GET {path}: the server ended the connection inside the body")
            tail = (tail + bytes(buffer[max(0, size - len(END)) : size]))[-len(END) :]
        return perf_counter() - began


def download(port: int, path: str) -> Taken:
    """Return how long GET *path* takes, and its MiB: an answer with a Content-Length, read and forgotten."""
    buffer = bytearray(1 << 20)
    with socket.create_connection((HOST, port), timeout=PATIENCE) as connection:
        began = perf_counter()
        connection.sendall(_request(path))
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(4096)
        _check(head, path)
        head, _, first = head.partition(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        left = size - len(first)
        while left:
            got = connection.recv_into(buffer)
            if not got:
                raise Unexpected(f"GET {path}: the server ended the connection inside the body")
            left -= got
        return Taken(perf_counter() - began, size >> 20)


def load(port: int, path: str, connections: int, seconds: float) -> Taken:
    """GET *path* for so long over so many *connections*, each with one request under way.

    A server may end a connection between two responses (hypercorn does, after 1000): it is opened anew.
    """
    request = _request(path)
    began = perf_counter()
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            _open(selector, port, request)
        try:
            count = _count(selector, port, path, request, seconds)
            return Taken(perf_counter() - began, count)
        finally:
            for key in list(selector.get_map().values()):
                selector.unregister(key.fileobj)
                _socket(key).close()


def _count(selector: selectors.BaseSelector, port: int, path: str, request: bytes, seconds: float) -> int:
    """Ask again whenever a response has come, for so long; return how many came."""
    count = 0
    end = perf_counter() + seconds
    while (now := perf_counter()) < end:
        ready = selector.select(PATIENCE)
        if not ready:
            raise Unexpected(f"GET {path}: the server gave no answer in {perf_counter() - now:.0f} s")
        for key, _ in ready:
            connection = _socket(key)
            tail: bytearray = key.data
            try:
                data = connection.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                if tail:
                    raise Unexpected(f"GET {path}: the server ended the connection inside a response")
                selector.unregister(connection)
                connection.close()
                _open(selector, port, request)
                continue
            if not tail:
                _check(data, path)
            tail += data[-len(END) :]
            if tail.endswith(END):
                count += 1
                tail.clear()
                try:
                    connection.sendall(request)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the next recv() says so, too
            else:
                del tail[: -len(END)]
    return count


def _socket(key: selectors.SelectorKey) -> socket.socket:
    assert isinstance(key.fileobj, socket.socket)
    return key.fileobj


def _open(selector: selectors.BaseSelector, port: int, request: bytes) -> None:
    connection = socket.create_connection((HOST, port), timeout=PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(request)
    selector.register(connection, selectors.EVENT_READ, bytearray())


def _request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: {HOST}\r\nuser-agent: benchmarks\r\naccept: */*\r\n\r\n".encode()


def _check(data: bytes, path: str) -> None:
    if not data.startswith(OK):
        raise Unexpected(f"GET {path}: the answer must begin {OK.decode()}, not {data[:40]!r}")
