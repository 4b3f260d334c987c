"""Rows 3 to 17: server-sent events."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Literal, cast, get_args

from examples.raw.events import rescue, sse, told
from examples.raw.parameters import own_url, prompt
from examples.raw.routes import router
from examples.sources import langchain, logs, numbers, progress
from examples.sources.items import Item
from rawasgi import respond, streams
from rawasgi.asgi import App
from rawasgi.background import after
from rawasgi.compression import compress
from rawasgi.formats.sse import Event
from rawasgi.request import Request
from rawasgi.response import Response

Fail = Literal["validation", "system", "none"]


@router.get("/stream", kind=respond.sse)
async def stream(_: Request) -> AsyncIterator[int]:
    """Row 3: a generator is a handler, its items are events. It took the numbers, so it closes them."""
    async with aclosing(numbers.numbers()) as items:
        async for number in items:
            yield number


@router.get("/stream-full")
async def stream_full(_: Request) -> App:
    """Row 4: a response is a value and an app; after() is an app around it. No response has a field for that."""
    fields = {"Cache-Control": "no-cache", "X-Custom-Header": "value"}
    return after(respond.sse(numbers.numbers(), status=200, headers=fields), cleanup)


async def cleanup() -> None:
    print("清理资源", flush=True)


@router.get("/normal")
async def normal(_: Request) -> dict[str, list[int]]:
    """Row 5: the same numbers, when all are there."""
    return {"data": await numbers.collected()}


@router.get("/stream-headers")
async def stream_headers(_: Request) -> Response:
    """Row 6: headers for caches, proxies and browsers. Connection is dropped where HTTP/2 forbids it."""
    fields = {"Connection": "keep-alive", "Access-Control-Allow-Origin": "*"}
    return respond.sse(numbers.numbers(), headers=fields)  # Cache-Control and X-Accel-Buffering are there by default


@router.get("/stream-background")
async def stream_background(_: Request) -> App:
    """Row 7: the cleanup comes after the last byte, and also when the client leaves before."""
    return after(respond.sse(numbers.numbers()), cleanup)


@router.get("/conditional-stream")
async def conditional_stream(request: Request) -> Response:
    """Row 8: a stream or not, as the client asks; a bad boolean is 422."""
    if request.query("stream", bool, default=False):
        return respond.sse(numbers.numbers())
    return respond.json({"data": await numbers.collected()})


@router.get("/stream-error", kind=sse)
async def stream_error(_: Request) -> AsyncIterator[object]:
    """Row 9: the status is sent already; an event tells of the failure, and the stream ends well after it."""
    try:
        async with aclosing(numbers.failing()) as items:
            async for number in items:
                yield number
    except RuntimeError as error:
        yield Item({"error": str(error), "code": "GENERATION_ERROR"}, "error")


@router.get("/stream-robust")
async def stream_robust(request: Request) -> Response:
    """Row 10: the same as a wrapper. What the client may know, it is told; of the rest it gets an id."""

    def invalid(error: Exception) -> Item:
        return Item({"error": str(error), "code": "VALIDATION_ERROR", "recoverable": True}, "error")

    fail: Fail = request.query("fail", failing, default="validation")
    return sse(told(rescue(numbers.robust(fail), ValueError, invalid)))


def failing(text: str) -> Fail:
    if text not in get_args(Fail):
        raise ValueError(text)
    return cast(Fail, text)


@router.get("/stream-timeout")
async def stream_timeout(request: Request) -> Response:
    """Row 11: a limit on the silence between two items."""
    slow = request.query("slow", float, 0.0, minimum=0.0, maximum=60.0)
    limit = request.query("limit", float, 1.0, minimum=0.001, maximum=60.0)
    items = streams.timeout(numbers.slow_numbers(slow), limit)
    return sse(rescue(items, TimeoutError, lambda _: Item("Timeout", "error")))


@router.get("/stream-buffered")
async def stream_buffered(request: Request) -> Response:
    """Row 12: ten at a time, or what came within a second."""
    count = request.query("count", int, 100, minimum=0, maximum=10_000)
    pause = request.query("pause", float, 0.01, minimum=0.0, maximum=60.0)
    return sse(streams.batch(numbers.messages(count, pause), max_items=10, max_age=1.0))


@router.get("/stream-heartbeat")
async def stream_heartbeat(request: Request) -> Response:
    """Row 13: a comment after each *every* seconds of silence. respond.sse has its own, wordless, each 15 s."""
    count = request.query("count", int, 100, minimum=0, maximum=10_000)
    every = request.query("every", float, 30.0, minimum=0.01, maximum=3600.0)
    beating = streams.heartbeat(numbers.halting(count), every, lambda: Event(comment="heartbeat"))
    return respond.sse(beating, heartbeat=None)


@router.get("/stream-compressed")
async def stream_compressed(_: Request) -> App:
    """Row 14: one stream in the coding that the client likes best, flushed at each event."""
    return compress(respond.sse(numbers.blocks()))


@router.post("/chat-stream")
async def chat_stream(request: Request) -> Response:
    """Row 15: LangChain against this app's own /v1, which is row 34."""
    return sse(told(langchain.chat(request.query("message", prompt), own_url(request))))


@router.get("/progress")
async def progress_stream(_: Request) -> Response:
    """Row 16: how far it is; the name of an event says what it is, its data how it stands."""
    return sse(progress.progress())


@router.get("/logs")
async def logs_stream(request: Request) -> Response:
    """Row 17: tail -f. Which file is ours to say, never the client's."""
    lines = request.query("lines", int, 0, minimum=1, maximum=10_000)
    followed = logs.followed(lines or None)
    return sse(rescue(followed, FileNotFoundError, lambda _: Item("Log file not found", "error")))
