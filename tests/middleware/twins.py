"""The same app three times: a rawasgi Router, a Starlette app, and a Starlette app with the `familiar` responses.

The Starlette app is the yardstick: what a middleware makes of Starlette's own responses, rawasgi's must at least get.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any, cast

import telemetry
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route

from rawasgi import Request, Response, Router, familiar, files, respond
from rawasgi.asgi import App

Source = AsyncGenerator[str, None]
NDJSON = "application/x-ndjson"
FILE = Path(__file__)
LARGE = "a line of text\n" * 6000  # 90 kB: GZipMiddleware compresses 128 KiB and more in a thread

outer: ContextVar[str] = ContextVar("outer", default="unset")  # set by a middleware before it calls the app
received: ContextVar[str] = ContextVar("received", default="unset")  # set by a middleware in receive()

PAUSE = 1.0  # seconds

log: list[str] = []
opened: list[Source] = []


async def cleanup(name: str) -> None:
    log.append(f"{name} stopped")
    for _ in range(3):  # as giving a connection back to its pool does
        await asyncio.sleep(0)
    log.append(f"{name} closed")


def recorded(source: Source) -> Source:
    """Keep *source*, so that a test can close it where Starlette does not."""
    opened.append(source)
    return source


async def ready() -> Source:
    for number in range(5):
        yield f"{number}\n"


async def many() -> Source:
    """Items that are ready together, more than one message takes."""
    for number in range(100):
        yield f"{number}" * 500 + "\n"


async def paced() -> Source:
    for number in range(4):
        yield f"{number}\n"
        await asyncio.sleep(PAUSE)


async def idle() -> Source:
    try:
        yield "first\n"
        await asyncio.Event().wait()
    finally:
        await cleanup("idle")


async def silent() -> Source:
    """Nothing comes of it, not even a first item."""
    try:
        await asyncio.Event().wait()
        yield "never\n"
    finally:
        await cleanup("silent")


async def ticking() -> Source:
    try:
        while True:
            yield "tick\n"
            await asyncio.sleep(PAUSE)
    finally:
        await cleanup("ticking")


async def hot() -> Source:
    """Always ready: its client is disconnected while it waits for nothing."""
    try:
        while True:
            yield "x" * 16384
    finally:
        await cleanup("hot")


async def nothing() -> Source:
    for item in list[str]():
        yield item


async def fails() -> Source:
    yield "first\n"
    await asyncio.sleep(PAUSE)
    raise LookupError("mid-stream")


async def variables() -> Source:
    """The context variables as the source sees them, before and after it waits."""
    for _ in range(3):
        yield f"{outer.get()} {received.get()}\n"
        await asyncio.sleep(PAUSE)


async def traced() -> Source:
    """A span around it all, and one for each item."""
    with telemetry.tracer.start_as_current_span("source"):
        for number in range(2):
            with telemetry.tracer.start_as_current_span("item"):
                await asyncio.sleep(PAUSE)
            yield f"{number}\n"


async def echo(body: AsyncIterator[bytes]) -> Source:
    yield "started\n"
    async for chunk in body:
        if chunk:
            yield f"{chunk.decode()}\n"


async def length(body: bytes) -> Source:
    yield f"{len(body)}\n"
    await asyncio.sleep(PAUSE)
    yield "end\n"


SOURCES: dict[str, Callable[[], Source]] = {
    source.__name__: source
    for source in (ready, many, paced, idle, silent, ticking, hot, nothing, fails, variables, traced)
}

# rawasgi

router = Router()


def streamed(source: Callable[[], Source]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return respond.stream(recorded(source()), NDJSON)

    return endpoint


for name, source in SOURCES.items():
    router.get(f"/{name}")(streamed(source))


@router.get("/json")
async def json(request: Request) -> dict[str, int]:
    return {"a": 1}


@router.get("/large")
async def large(request: Request) -> str:
    return LARGE


@router.post("/length")
async def whole_length(request: Request) -> str:
    return f"{len(await request.body())}"


@router.post("/before")
async def before(request: Request) -> Response:
    return respond.stream(recorded(length(await request.body())), NDJSON)


@router.post("/during")
async def during(request: Request) -> Response:
    return respond.stream(recorded(echo(request.stream())), NDJSON)


@router.post("/late")
async def late(request: Request) -> AsyncIterator[str]:
    """Read the body when the answer has started."""
    yield "working\n"
    yield f"{await request.json()}\n"


@router.get("/error")
async def error(request: Request) -> Response:
    raise LookupError("before the start")


router.route("GET", "/file", files.file(FILE))

# Starlette, with its own responses or with `familiar` ones


def starlette(kit: Any) -> Starlette:
    def from_source(source: Callable[[], Source]) -> Callable[[StarletteRequest], Awaitable[Any]]:
        async def endpoint(request: StarletteRequest) -> Any:
            return kit.StreamingResponse(recorded(source()), media_type=NDJSON)

        return endpoint

    async def json(request: StarletteRequest) -> Any:
        return kit.JSONResponse({"a": 1})

    async def large(request: StarletteRequest) -> Any:
        return kit.PlainTextResponse(LARGE)

    async def whole_length(request: StarletteRequest) -> Any:
        return kit.PlainTextResponse(f"{len(await request.body())}")

    async def before(request: StarletteRequest) -> Any:
        return kit.StreamingResponse(recorded(length(await request.body())), media_type=NDJSON)

    async def during(request: StarletteRequest) -> Any:
        return kit.StreamingResponse(recorded(echo(request.stream())), media_type=NDJSON)

    async def error(request: StarletteRequest) -> Any:
        raise LookupError("before the start")

    async def file(request: StarletteRequest) -> Any:
        return kit.FileResponse(FILE)

    return Starlette(
        routes=[
            *(Route(f"/{name}", from_source(source)) for name, source in SOURCES.items()),
            *(Route(f"/{endpoint.__name__}", endpoint) for endpoint in (json, large, error, file)),
            Route("/length", whole_length, methods=["POST"]),
            Route("/before", before, methods=["POST"]),
            Route("/during", during, methods=["POST"]),
        ]
    )


class OwnKit:
    FileResponse, JSONResponse = FileResponse, JSONResponse
    PlainTextResponse, StreamingResponse = PlainTextResponse, StreamingResponse


def own_starlette() -> Starlette:
    return starlette(OwnKit)


def familiar_starlette() -> Starlette:
    return starlette(familiar)


def as_app(app: object) -> App:
    """Starlette types a scope as any mapping; ours say which."""
    return cast(App, app)
