"""Forms that are posted to a handler, and what it makes of them."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import clock

from rawasgi import Request
from rawasgi.dev.client import HTTPClient, connect
from rawasgi.forms import Form
from rawasgi.handling import handler

BOUNDARY = "multipart/form-data; boundary=b"
URLENCODED = "application/x-www-form-urlencoded"


def posted(
    function: Callable[[Request], Awaitable[object]], body: bytes | Iterable[bytes], content_type: str | None = BOUNDARY
) -> HTTPClient:
    """The client after POST of *body* to *function*."""

    async def script() -> HTTPClient:
        headers = {} if content_type is None else {"content-type": content_type}
        chunks = [body] if isinstance(body, bytes) else list(body) or [b""]
        async with connect(handler(function), "POST", body=chunks, headers=headers) as client:
            await client.finished()
        return client

    return clock.run(script())


Seen = list[tuple[str, str | None, str, bytes]]


def parts(body: bytes | Iterable[bytes], content_type: str = BOUNDARY, **limits: Any) -> tuple[Seen, HTTPClient]:
    """The parts of *body*, each read whole, and the client."""
    seen: Seen = []

    async def function(request: Request) -> None:
        async for part in request.parts(**limits):
            seen.append((part.name, part.filename, part.media_type, b""))
            async for piece in part:
                assert piece
                seen[-1] = (*seen[-1][:3], seen[-1][3] + piece)

    return seen, posted(function, body, content_type)


def form(body: bytes | Iterable[bytes], content_type: str | None = BOUNDARY, **limits: Any) -> Form | HTTPClient:
    """The form of *body*, or the client if it was refused."""
    found: list[Form] = []

    async def function(request: Request) -> None:
        found.append(await request.form(**limits))
        assert (await request.form(**limits)).fields == found[0].fields  # again each time

    client = posted(function, body, content_type)
    return found[0] if found else client


def part(disposition: str, body: bytes = b"", *more: bytes) -> bytes:
    head = b"".join(line + b"\r\n" for line in (f"Content-Disposition: {disposition}".encode(), *more))
    return b"--b\r\n" + head + b"\r\n" + body + b"\r\n"


END = b"--b--\r\n"
ONE = part("form-data; name=a", b"1")
