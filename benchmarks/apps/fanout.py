"""One topic, many followers: with a journal, and by hand with a queue for each."""

import asyncio
from time import monotonic

from rawasgi import respond
from rawasgi.asgi import Receive, Scope, Send
from rawasgi.formats.sse import Event
from rawasgi.journal import MemoryJournal
from rawasgi.request import Request
from rawasgi.response import Response
from rawasgi.routing import Router

raw = Router()
journal = MemoryJournal("fanout")


@raw.get("/follow")
async def follow(request: Request) -> Response:
    return respond.sse(journal.follow(request.last_event_id))


@raw.post("/append")
async def append(request: Request) -> str:
    """Append the body; return when that began."""
    text = (await request.body()).decode()
    began = monotonic()
    await journal.append(Event(text))
    return repr(began)


queues: set[asyncio.Queue[bytes]] = set()
newest = b""


async def naked(scope: Scope, receive: Receive, send: Send) -> None:
    """The same, message by message; a client that leaves is not noticed."""
    global newest
    if scope["type"] != "http":
        raise RuntimeError(f"this app answers http, not {scope['type']}")
    if scope["path"] == "/append":
        message = await receive()
        assert message["type"] == "http.request"
        began = monotonic()
        newest = b"data: %b\nid: 00000000-00000000-%b\n\n" % ((message["body"],) * 2)
        for queue in queues:
            queue.put_nowait(newest)
        answer = repr(began).encode()
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(answer))]}
        )
        await send({"type": "http.response.body", "body": answer, "more_body": False})
        return
    headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": newest, "more_body": True})
    queue = asyncio.Queue[bytes]()
    queues.add(queue)
    while True:
        await send({"type": "http.response.body", "body": await queue.get(), "more_body": True})
