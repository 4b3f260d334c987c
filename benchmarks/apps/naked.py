"""The endpoints by hand: one message a chunk, and nothing else done for the client."""

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
    else:
        source = sources.ready(sources.FEW)
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    async for chunk in source:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
