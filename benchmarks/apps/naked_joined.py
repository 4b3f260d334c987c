"""Naked, with what is ready in one message, and the header that keeps proxies from holding it back. No more."""

from benchmarks.apps import naked, sources
from rawasgi.asgi import Receive, Scope, Send


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one path; what another would get is the same."""
    if scope["type"] != "http":
        raise RuntimeError(f"this app answers http, not {scope['type']}")
    headers = [(b"content-type", naked.TEXT), (b"x-accel-buffering", b"no")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    chunks = [chunk async for chunk in sources.ready(sources.FEW)]
    await send({"type": "http.response.body", "body": b"".join(chunks), "more_body": False})
