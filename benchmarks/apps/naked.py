"""The endpoints by hand: one message a chunk, and nothing else done for the client."""

import asyncio

from benchmarks.apps import sources
from rawasgi.asgi import Receive, Scope, Send

HEADERS = [(b"content-type", b"text/plain; charset=utf-8")]


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer /burst/{count}, /paced/{count} and /short. No lifespan: a server goes on without."""
    if scope["type"] != "http":
        raise RuntimeError(f"this app answers http, not {scope['type']}")
    _, name, *rest = scope["path"].split("/")
    if name == "burst":
        source = sources.ready(int(rest[0]))
    elif name == "paced":
        source = sources.paced(int(rest[0]))
    elif name == "file":
        await file(rest[0], send)
        return
    else:
        source = sources.ready(sources.FEW)
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    async for chunk in source:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def file(name: str, send: Send) -> None:
    """Send a file as it is mostly written: blocks of 64 KiB, read by a thread."""
    with sources.file(name).open("rb") as opened:
        length = str(int(name) << 20).encode()
        headers = [(b"content-type", b"application/octet-stream"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while block := await asyncio.to_thread(opened.read, 65536):
            await send({"type": "http.response.body", "body": block, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
