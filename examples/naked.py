"""Nine streams in bare ASGI, every message by hand, nothing imported from rawasgi: what a framework does for you.

``uvicorn examples.naked:app``. Read app() first, then a row, then stream(), which is where the traps are. What is still
missing here, and what rawasgi adds: a clean 500 when a source fails before its first item, one message for a burst of
items, HEAD, Range, answers in the format the client can read when a stream fails, and draining at shutdown.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

from examples.sources import files, numbers, text

# What a scope or a message holds depends on its type: rawasgi.asgi says it all as types, these three lines say nothing.
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
T = TypeVar("T")

SEND_LIMIT = 30.0  # a reader that takes nothing for so long is gone: no server finds that out by itself
CLEANUP_LIMIT = 5.0
FAIR_SHARE = 0.005
CHUNK_BYTES = 64 * 1024
TEXT = b"text/plain; charset=utf-8"


class ClientGone(Exception):
    """Nobody reads any more."""


async def app(scope: Message, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await http(scope, receive, send)
    elif scope["type"] == "websocket":
        await websocket(scope, receive, send)
    elif scope["type"] == "lifespan":
        await lifespan(receive, send)
    else:
        # The spec wants an exception here: returning would look like success.
        raise ValueError(f"scope type must be http, websocket or lifespan, not {scope['type']!r}")


async def lifespan(receive: Receive, send: Send) -> None:
    """Nothing to start and nothing to stop; but both must be answered, or the server waits."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return


async def http(scope: Message, receive: Receive, send: Send) -> None:
    # uvicorn leaves the root path at the start of the path, hypercorn takes it away.
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    if path.startswith("/json/"):
        row: Callable[[Receive, Send], Awaitable[None]] | None = json_row(path.removeprefix("/json/"))
    else:
        row = ROWS.get(path)
    if row is None:
        await refuse(send, 404, b"Not Found")
    elif scope["method"] != "GET":
        await refuse(send, 405, b"Method Not Allowed", (b"allow", b"GET"))
    else:
        await row(receive, send)


async def refuse(send: Send, status: int, reason: bytes, *headers: tuple[bytes, bytes]) -> None:
    length = b"%d" % len(reason)
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", length), *headers],
        }
    )
    await send({"type": "http.response.body", "body": reason})


async def stream(receive: Receive, send: Send, source: AsyncGenerator[T, None], encode: Callable[[T], bytes]) -> None:
    """Send *source* as the body of a response that was started, and stop at once when the client leaves.

    Sends: http.response.body*, the last one with more_body False, unless the client left. Closes: *source*, before this
    returns. Raises: what *source* raises; a body that ends well would tell the client that this was all.
    """
    sender = asyncio.create_task(send_all(send, source, encode))
    listener = asyncio.create_task(wait_until_gone(receive))
    try:
        await asyncio.wait([sender, listener], return_when=asyncio.FIRST_COMPLETED)
    finally:
        sender.cancel()
        listener.cancel()
        # The source is closed in the task that ran it. Bounded: a cleanup that hangs must not keep the request.
        await asyncio.wait([sender, listener], timeout=CLEANUP_LIMIT)
    for task in (sender, listener):
        if task.done() and not task.cancelled():
            task.result()


async def send_all(send: Send, source: AsyncGenerator[T, None], encode: Callable[[T], bytes]) -> None:
    async def send_body(body: bytes, more_body: bool) -> None:
        try:
            async with asyncio.timeout(SEND_LIMIT):
                await send({"type": "http.response.body", "body": body, "more_body": more_body})
        except OSError as error:  # spec 2.4, which no server does for HTTP yet; and TimeoutError is an OSError
            raise ClientGone from error

    # Leaving an ``async for`` does not close its generator: only the garbage collector would, some time.
    async with aclosing(source):
        try:
            await send_body(b"", True)  # granian and daphne hold the headers back until a body message
            given_way = time.monotonic()
            async for item in source:
                await send_body(encode(item), True)
                # On uvicorn and hypercorn neither send() nor a source that is ready gives way to other requests.
                if time.monotonic() - given_way > FAIR_SHARE:
                    await asyncio.sleep(0)
                    given_way = time.monotonic()
            await send_body(b"", False)
        except ClientGone:
            pass


async def wait_until_gone(receive: Receive) -> None:
    """Read whatever comes until http.disconnect, and nothing after it: hypercorn and daphne then block for ever.

    The disconnect comes only after the whole request body, so that it must be read, although nobody wants it.
    """
    while (await receive())["type"] != "http.disconnect":
        pass


async def home(receive: Receive, send: Send) -> None:
    """Row 1: a whole answer."""
    body = json.dumps("OK").encode()
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def predict(receive: Receive, send: Send) -> None:
    """Row 2: a blocking call, in a thread, then a stream."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", TEXT)]})
    await stream(receive, send, text.predicted(), str.encode)


async def events(receive: Receive, send: Send) -> None:
    """Row 3: server-sent events. An event ends with an empty line."""
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-type", b"text/event-stream; charset=utf-8"),
                (b"cache-control", b"no-cache"),
                (b"x-accel-buffering", b"no"),
            ],
        }
    )
    await stream(receive, send, numbers.numbers(), lambda number: b"data: %d\n\n" % number)


async def download(receive: Receive, send: Send) -> None:
    """Row 20: a file, whole. With a content-length the client notices when some of it is missing."""
    path = await asyncio.to_thread(files.sample)
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-type", b"application/octet-stream"),
                (b"content-length", b"%d" % path.stat().st_size),
                (b"content-disposition", b'attachment; filename="sample.dat"'),
            ],
        }
    )
    await stream(receive, send, chunks(path), bytes)


async def chunks(path: Path) -> AsyncGenerator[bytes, None]:
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield chunk
    finally:
        file.close()


async def simple(receive: Receive, send: Send) -> None:
    """Row 23: ten lines of text."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", TEXT)]})
    await stream(receive, send, text.simple(), str.encode)


def json_row(count: str) -> Callable[[Receive, Send], Awaitable[None]]:
    """Row 25: one JSON object a line, as many as the path says."""

    async def row(receive: Receive, send: Send) -> None:
        if not (count.isascii() and count.isdigit() and len(count) <= 5 and int(count) <= 10_000):
            await refuse(send, 422, b"count must be a whole number from 0 to 10000")
            return
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"application/x-ndjson")],
            }
        )
        await stream(
            receive,
            send,
            text.objects(int(count)),
            lambda item: json.dumps(item, ensure_ascii=False).encode() + b"\n",
        )

    return row


async def disconnect(receive: Receive, send: Send) -> None:
    """Row 27: leave, and see the source stop at once."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", TEXT)]})
    await stream(receive, send, text.disconnectable(), str.encode)


async def asynchronous(receive: Receive, send: Send) -> None:
    """Row 29: five lines."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", TEXT)]})
    await stream(receive, send, text.asynchronous(), str.encode)


async def websocket(scope: Message, receive: Receive, send: Send) -> None:
    """Row 41: an echo."""
    await receive()  # websocket.connect: before it nothing may be sent
    if scope["path"].removeprefix(scope.get("root_path", "")) != "/ws":
        await send({"type": "websocket.close", "code": 1000})  # before an accept, the server makes a 403 of it
        return
    await send({"type": "websocket.accept"})
    try:
        while (message := await receive())["type"] != "websocket.disconnect":
            # Of the two keys one is None, or is not there.
            if message.get("text") is not None:
                await send({"type": "websocket.send", "text": message["text"]})
            else:
                await send({"type": "websocket.send", "bytes": message["bytes"]})
    except OSError:
        pass  # since spec 2.4 a send to a client that left raises; it is no error


ROWS: dict[str, Callable[[Receive, Send], Awaitable[None]]] = {
    "/infer/home": home,
    "/infer/predict": predict,
    "/stream": events,
    "/download/sample": download,
    "/simple": simple,
    "/disconnect": disconnect,
    "/async": asynchronous,
}
