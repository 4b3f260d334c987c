"""What a server that runs sends, and when: each piece as it arrives."""

import time
from argparse import Namespace
from collections.abc import Generator, Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import urlsplit

from rawasgi.dev.tracing import FIRST_BYTES, Traced

PIECE_BYTES = 1 << 20


def is_url(name: str) -> bool:
    return name.startswith(("http://", "https://"))


def arrivals(url: str, options: Namespace) -> Iterator[Traced]:
    """Ask for *url* as *options* say; yield what arrives, each piece with its time, and at last how it ended.

    A chunk of HTTP/1.1 is a piece, or several if it is large. Raises: nothing: what goes wrong is how it ended.
    """
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    began = time.perf_counter()
    end = "complete"
    with closing(kind(parts.hostname or "", parts.port, timeout=options.seconds)) as connection:
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request(options.method, target, options.data.encode() or None, dict(options.header))
            yield Traced(0.0, ">", f"{options.method} {target}"[:60], size=len(options.data))
            since = time.perf_counter()
            response = connection.getresponse()
            now = time.perf_counter()
            detail = f"{response.status} {len(response.getheaders())} headers"
            yield Traced(now - began, "<", "status and headers", now - since, detail=detail)
            end = yield from _pieces(response, options, began)
        except TimeoutError:
            end = "client left"
        except (OSError, HTTPException) as error:
            end = f"{type(error).__name__}: {error}"
    yield Traced(time.perf_counter() - began, "=", end)


def _pieces(response: HTTPResponse, options: Namespace, began: float) -> Generator[Traced, None, str]:
    if options.stall:
        time.sleep(options.seconds)
        return "client left"
    count = 0
    while count != options.leave_after and time.perf_counter() - began < options.seconds:
        since = time.perf_counter()
        data = response.read1(PIECE_BYTES)
        if not data:
            return "complete"
        count += 1
        now = time.perf_counter()
        yield Traced(now - began, "<", "piece of the body", now - since, "", len(data), data[:FIRST_BYTES])
    return "client left"
