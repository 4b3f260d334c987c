"""A reader of many connections, each with one request under way: how many responses come in a time?"""

import selectors
import socket
from time import perf_counter

from benchmarks.clients import END, HOST, PATIENCE, Taken, Unexpected, check, length, request


def load(port: int, path: str, connections: int, seconds: float) -> Taken:
    """GET *path* for so long over so many *connections*, each with one request under way.

    A response ends as a chunked one does, or, if the first has a Content-Length, when it is as long as that one. A
    server may end a connection between two responses (hypercorn does, after 1000): it is opened anew.
    """
    asking = request(path)
    size = _size(port, path, asking)
    began = perf_counter()
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            _open(selector, port, asking)
        try:
            count = _count(selector, port, path, asking, seconds, size)
            return Taken(perf_counter() - began, count)
        finally:
            for key in list(selector.get_map().values()):
                selector.unregister(key.fileobj)
                _socket(key).close()


def _size(port: int, path: str, asking: bytes) -> int | None:
    """Return how many bytes a response has, with its head; None if it is chunked."""
    with socket.create_connection((HOST, port), timeout=PATIENCE) as connection:
        connection.sendall(asking)
        got = b""
        while b"\r\n\r\n" not in got:
            data = connection.recv(65536)
            if not data:
                raise Unexpected(f"GET {path}: the server ended the connection inside a response")
            got += data
        check(got, path)
        head = got.partition(b"\r\n\r\n")[0]
        size = length(head)
        return None if size is None else len(head) + 4 + size


def _count(
    selector: selectors.BaseSelector, port: int, path: str, asking: bytes, seconds: float, size: int | None
) -> int:
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
                _open(selector, port, asking)
                continue
            if not tail:
                check(data, path)
            tail += data[-len(END) :] if size is None else data
            if tail.endswith(END) if size is None else len(tail) == size:
                count += 1
                tail.clear()
                try:
                    connection.sendall(asking)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the next recv() says so, too
            elif size is None:
                del tail[: -len(END)]
    return count


def _socket(key: selectors.SelectorKey) -> socket.socket:
    assert isinstance(key.fileobj, socket.socket)
    return key.fileobj


def _open(selector: selectors.BaseSelector, port: int, asking: bytes) -> None:
    connection = socket.create_connection((HOST, port), timeout=PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(asking)
    selector.register(connection, selectors.EVENT_READ, bytearray())
