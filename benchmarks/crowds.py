"""Many streams at once, held open by one process: to see what they cost, or when what comes comes."""

import resource
import selectors
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from time import perf_counter

from benchmarks.clients import HOST, PATIENCE, Unexpected, check, request


def allow_many() -> None:
    """Let this process, and the servers that it starts, have as many open files as the system gives."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextmanager
def held(port: int, path: str, count: int) -> Iterator[list[socket.socket]]:
    """Hold *count* streams of *path* while the block runs; each has answered with its head."""
    asking = request(path)
    with ExitStack() as stack:
        streams = []
        for _ in range(count):
            stream = stack.enter_context(socket.create_connection((HOST, port), timeout=PATIENCE))
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream.sendall(asking)
            streams.append(stream)
        for stream in streams:
            check(stream.recv(65536), path)
        yield streams


def gaps(streams: list[socket.socket], seconds: float) -> list[float]:
    """Return the seconds between what comes and what comes next, of all *streams*, for so long."""
    result = []
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            stream.setblocking(False)
            selector.register(stream, selectors.EVENT_READ, [0.0])
        end = perf_counter() + seconds
        while perf_counter() < end:
            for key, _ in selector.select(seconds):
                assert isinstance(key.fileobj, socket.socket)
                if not key.fileobj.recv(65536):
                    raise Unexpected("a stream of the crowd ended")
                now = perf_counter()
                if key.data[0]:
                    result.append(now - key.data[0])
                key.data[0] = now
    if not result:
        raise Unexpected(f"a crowd of {len(streams)} streams was silent for {seconds:g} s")
    return result


def percentile(figures: list[float], percent: float) -> float:
    """Return the figure below which so many per cent of *figures* are."""
    return sorted(figures)[min(len(figures) - 1, int(len(figures) * percent / 100))]
