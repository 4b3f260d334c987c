"""One topic, many followers: with a journal, and with a queue for each, by hand and with Starlette."""

import asyncio
from collections.abc import AsyncIterator, Callable
from time import monotonic

from rawasgi import respond
from rawasgi.asgi import App, Receive, Scope, Send
from rawasgi.formats.sse import Event
from rawasgi.journal import MemoryJournal
from rawasgi.request import Request
from rawasgi.response import Response
from rawasgi.routing import Router


def journaled() -> App:
    """With rawasgi: each event is encoded once, and kept for who comes back."""
    app = Router()
    journal = MemoryJournal("fanout")

    @app.get("/follow")
    async def follow(request: Request) -> Response:
        return respond.sse(journal.follow(request.last_event_id))

    @app.post("/append")
    async def append(request: Request) -> str:
        """Append the body; return when that began."""
        text = (await request.body()).decode()
        began = monotonic()
        await journal.append(Event(text))
        return repr(began)

    return app


class Topic:
    """A queue a follower; the newest event comes first, so that a follower knows when it follows."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[bytes]] = set()
        self._newest = b""

    def append(self, data: bytes) -> float:
        """Give an event to all; return when that began."""
        began = monotonic()
        self._newest = data
        for queue in self._queues:
            queue.put_nowait(data)
        return began

    async def follow(self) -> AsyncIterator[bytes]:
        queue = asyncio.Queue[bytes]()
        self._queues.add(queue)
        try:
            yield self._newest
            while True:
                yield await queue.get()
        finally:
            self._queues.discard(queue)


def framed(data: bytes) -> bytes:
    return b"data: %b\nid: 00000000-00000000-%b\n\n" % (data, data)


def queued(follower: Callable[[Topic], App], frame: Callable[[bytes], bytes] = framed) -> App:
    """An app whose /follow is what *follower* makes of the topic; /append is by hand for all."""
    topic = Topic()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"this app answers http, not {scope['type']}")
        if scope["path"] != "/append":
            await follower(topic)(scope, receive, send)
            return
        message = await receive()
        assert message["type"] == "http.request"
        answer = repr(topic.append(frame(message["body"]))).encode()
        head = [(b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": answer, "more_body": False})

    return app


def by_hand(topic: Topic) -> App:
    """Message by message; a client that leaves is not noticed."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for event in topic.follow():
            await send({"type": "http.response.body", "body": event, "more_body": True})

    return app
