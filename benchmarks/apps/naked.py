"""The endpoints by hand: one message a chunk, and nothing else done for the client."""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import asdict
from typing import Any

from benchmarks.apps import sources
from benchmarks.apps.fanout import by_hand, queued
from rawasgi.asgi import App, Receive, Scope, Send

TEXT, EVENTS, LINES = b"text/plain; charset=utf-8", b"text/event-stream; charset=utf-8", b"application/x-ndjson"
STREAMS: dict[str, tuple[bytes, Callable[..., AsyncIterator[bytes]]]] = {
    "burst": (TEXT, lambda count: sources.ready(int(count))),
    "chunks": (TEXT, lambda size, count: sources.sized(int(size), int(count))),
    "paced": (TEXT, lambda count: sources.paced(int(count))),
    "short": (TEXT, lambda: sources.ready(sources.FEW)),
    "sse": (EVENTS, lambda count: sources.events(int(count))),
    "ndjson": (LINES, lambda count: sources.lines(int(count))),
    "blocking": (TEXT, lambda count: threaded(sources.blocking(int(count)))),
    "blocked": (TEXT, lambda: threaded(sources.blocked())),
    "hot": (TEXT, sources.hot),
    "ticks": (TEXT, lambda milliseconds: sources.ticks(int(milliseconds))),
    "idle": (EVENTS, sources.beating),
}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the paths of STREAMS, and the few below. No lifespan: a server goes on without."""
    if scope["type"] != "http":
        raise RuntimeError(f"this app answers http, not {scope['type']}")
    _, name, *rest = scope["path"].split("/")
    if name in STREAMS:
        media_type, source = STREAMS[name]
        await stream(media_type, source(*rest), send)
    elif name == "file":
        await file(rest[0], send)
    elif name == "plain":
        body = json.dumps(sources.PLAIN, ensure_ascii=False, separators=(",", ":")).encode()
        await whole(b"application/json", body, send)
    elif name == "thread":
        await whole(TEXT, (await asyncio.to_thread(sources.work)).encode(), send)
    else:
        await whole(TEXT, sources.tasks().encode(), send)


async def stream(media_type: bytes, source: AsyncIterator[bytes], send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", media_type)]})
    async for chunk in source:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def whole(media_type: bytes, body: bytes, send: Send) -> None:
    headers = [(b"content-type", media_type), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def threaded(source: Iterator[bytes]) -> AsyncIterator[bytes]:
    """One call of a thread an item, as it is mostly written."""
    while (chunk := await asyncio.to_thread(next, source, None)) is not None:
        yield chunk


async def file(name: str, send: Send) -> None:
    """Send a file as it is mostly written: blocks of 64 KiB, read by a thread."""
    with sources.file(name).open("rb") as opened:
        length = str(int(name) << 20).encode()
        headers = [(b"content-type", b"application/octet-stream"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while block := await asyncio.to_thread(opened.read, 65536):
            await send({"type": "http.response.body", "body": block, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def compressed(wbits: int = 15, level: int = 8) -> App:
    """The chat and the silent stream in gzip, each event flushed. By zlib's defaults, if nothing else is said."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"this app answers http, not {scope['type']}")
        _, name, *rest = scope["path"].split("/")
        source = sources.chat(int(rest[0])) if name == "chat" else sources.beating()
        headers = [(b"content-type", EVENTS)]
        coder = None
        if any(name == b"accept-encoding" and b"gzip" in value for name, value in scope["headers"]):
            coder = zlib.compressobj(wbits=16 + wbits, memLevel=level)
            headers.append((b"content-encoding", b"gzip"))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for event in source:
            body = event if coder is None else coder.compress(event) + coder.flush(zlib.Z_SYNC_FLUSH)
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"" if coder is None else coder.flush(), "more_body": False})

    return app


def routed(count: int) -> App:
    """So many routes: one look into a dict."""
    areas = {f"area{number}" for number in range(count)}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"this app answers http, not {scope['type']}")
        _, area, _, item = scope["path"].split("/")
        if area not in areas:
            raise LookupError(area)
        await whole(TEXT, item.encode(), send)

    return app


def fanout() -> App:
    """One topic, many followers."""
    return queued(by_hand)


def items() -> App:
    """What people have, as events and as lines: each encoded as it is mostly written."""
    from benchmarks.apps.items import SOURCES, text_of  # it needs pydantic

    encoders: dict[str, Callable[[Any], str]] = {
        "model": lambda item: str(item.model_dump_json()),
        "dataclass": lambda item: json.dumps(asdict(item), default=text_of),
        "dict": lambda item: json.dumps(item, default=text_of),
    }

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"this app answers http, not {scope['type']}")
        _, form, kind, count = scope["path"].split("/")
        encode = encoders[kind]
        before, after, media_type = ("data: ", "\n\n", EVENTS) if form == "events" else ("", "\n", LINES)

        async def encoded() -> AsyncIterator[bytes]:
            async for item in SOURCES[kind](int(count)):
                yield f"{before}{encode(item)}{after}".encode()

        await stream(media_type, encoded(), send)

    return app
