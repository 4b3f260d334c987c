"""Many streams at once, held open by one process: to see what they cost, or when what comes comes."""

import resource
import selectors
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import perf_counter

from benchmarks.clients import HOST, PATIENCE, Unexpected, check, request

OTHERS = 500  # open files beside the streams
FROM_ONE = 10_000  # connections from one address
BIND_ADDRESS_NO_PORT = 24  # Linux: the port is chosen by connect(), for this server alone; Python names it from 3.12 on


def allow_many() -> None:
    """Let this process, and the servers that it starts, have as many open files as the system gives."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def needing(count: int) -> Callable[[], str | None]:
    """Return what tells why *count* streams cannot be held here, or None."""

    def missing() -> str | None:
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        wanted = count + OTHERS
        if most == resource.RLIM_INFINITY or most >= wanted:
            return None
        return f"{count:,} streams take {wanted:,} open files, and the system gives a process {most:,} (ulimit -Hn)"

    return missing


@contextmanager
def held(port: int, path: str, count: int, *, begun: bool = False, **headers: str) -> Iterator[list[socket.socket]]:
    """Hold *count* streams of *path* while the block runs; each has answered with its head.

    *begun*: and with its first chunk.
    """
    asking = request(path, **headers)
    with ExitStack() as stack:
        streams = []
        for number in range(count):
            stream = stack.enter_context(_connected(port, number))
            stream.sendall(asking)
            streams.append(stream)
        for stream in streams:
            got = stream.recv(65536)
            check(got, path)
            while begun and not got.partition(b"\r\n\r\n")[2]:
                more = stream.recv(65536)
                if not more:
                    raise Unexpected(f"GET {path}: the server ended the connection before its first chunk")
                got += more
        yield streams


def _connected(port: int, number: int) -> socket.socket:
    """Return the *number*-th connection. The 10,000th comes from another address: one has 28,000 ports or fewer."""
    stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        stream.settimeout(PATIENCE)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if number >= FROM_ONE and sys.platform == "linux":  # elsewhere 127.0.0.1 is the only one
            stream.setsockopt(socket.IPPROTO_IP, BIND_ADDRESS_NO_PORT, 1)
            stream.bind((f"127.0.0.{1 + number // FROM_ONE}", 0))
        stream.connect((HOST, port))
    except BaseException:
        stream.close()
        raise
    return stream


def forget(streams: list[socket.socket]) -> None:
    """Read what has come on *streams* so far: what waited here did not come late."""
    for stream in streams:
        stream.setblocking(False)
        try:
            while stream.recv(65536):
                pass
        except BlockingIOError:
            continue
        raise Unexpected("a stream of the crowd ended")


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
