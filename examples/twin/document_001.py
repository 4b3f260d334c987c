"""Rows 3 to 17: StreamingResponse and server-sent events."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.background import BackgroundTask

from examples.sources import langchain, logs, numbers, progress
from examples.twin.events import MEDIA_TYPE, UNBUFFERED, connection, failure, frame, frames, respond, told
from examples.twin.wrappers import batched, gzipped, heartbeat, limited, wants_gzip

router = APIRouter()


def cleanup() -> None:
    print("清理资源", flush=True)


@router.get("/stream")
async def stream() -> StreamingResponse:
    return respond(frames(numbers.numbers()))


@router.get("/stream-full")
async def stream_full() -> StreamingResponse:
    return StreamingResponse(
        content=frames(numbers.numbers()),
        status_code=200,
        headers={"Cache-Control": "no-cache", "X-Custom-Header": "value"},
        media_type=MEDIA_TYPE,
        background=BackgroundTask(cleanup),
    )


@router.get("/normal")
async def normal() -> dict[str, list[int]]:
    return {"data": await numbers.collected()}


@router.get("/stream-headers")
async def stream_headers(request: Request) -> StreamingResponse:
    headers = {**UNBUFFERED, **connection(request.scope["http_version"]), "Access-Control-Allow-Origin": "*"}
    return respond(frames(numbers.numbers()), headers)


@router.get("/stream-background")
async def stream_background() -> StreamingResponse:
    return respond(frames(numbers.numbers()), background=BackgroundTask(cleanup))


@router.get("/conditional-stream")
async def conditional_stream(stream: bool = False) -> Response:
    if stream:
        return respond(frames(numbers.numbers()))
    return JSONResponse({"data": await numbers.collected()})


@router.get("/stream-error")
async def stream_error() -> StreamingResponse:
    async def generate() -> AsyncGenerator[str, None]:
        try:
            async with aclosing(frames(numbers.failing())) as events:
                async for event in events:
                    yield event
        except RuntimeError as error:
            yield frame({"error": str(error), "code": "GENERATION_ERROR"}, "error")

    return respond(generate())


@router.get("/stream-robust")
async def stream_robust(fail: Literal["validation", "system", "none"] = "validation") -> StreamingResponse:
    async def generate() -> AsyncGenerator[str, None]:
        try:
            async with aclosing(frames(numbers.robust(fail))) as events:
                async for event in events:
                    yield event
        except ValueError as error:
            yield frame({"error": str(error), "code": "VALIDATION_ERROR", "recoverable": True}, "error")
        except Exception as error:
            yield failure(error)

    return respond(generate())


@router.get("/stream-timeout")
async def stream_timeout(
    slow: Annotated[float, Query(ge=0, le=60)] = 0.0, limit: Annotated[float, Query(gt=0, le=60)] = 1.0
) -> StreamingResponse:
    async def generate() -> AsyncGenerator[str, None]:
        try:
            async with aclosing(frames(limited(numbers.slow_numbers(slow), limit))) as events:
                async for event in events:
                    yield event
        except TimeoutError:
            yield frame("Timeout", "error")

    return respond(generate())


@router.get("/stream-buffered")
async def stream_buffered(
    count: Annotated[int, Query(ge=0, le=10_000)] = 100, pause: Annotated[float, Query(ge=0, le=60)] = 0.01
) -> StreamingResponse:
    return respond(frames(batched(numbers.messages(count, pause), max_items=10, max_age=1.0)))


@router.get("/stream-heartbeat")
async def stream_heartbeat(
    count: Annotated[int, Query(ge=0, le=10_000)] = 100, every: Annotated[float, Query(ge=0.01, le=3600)] = 30.0
) -> StreamingResponse:
    return respond(heartbeat(frames(numbers.halting(count)), every, ": heartbeat\n\n"))


@router.get("/stream-compressed")
async def stream_compressed(request: Request) -> StreamingResponse:
    events = frames(numbers.blocks())
    headers = {**UNBUFFERED, "Vary": "Accept-Encoding"}
    # A header that is given twice means the two joined by a comma.
    if wants_gzip(",".join(request.headers.getlist("accept-encoding"))):
        headers["Content-Encoding"] = "gzip"
        return StreamingResponse(gzipped(events), media_type=MEDIA_TYPE, headers=headers)
    return respond(events, headers)


@router.post("/chat-stream")
async def chat_stream(request: Request, message: Annotated[str, Query(max_length=10_000)]) -> StreamingResponse:
    # By the server's own address, not by the Host header, which is the client's to choose.
    host, port = request.scope.get("server") or ("", None)
    own_url = f"{request.url.scheme}://{f'[{host}]' if ':' in host else host}:{port}/v1" if port else None
    return respond(told(frames(langchain.chat(message, own_url))))


@router.get("/progress")
async def progress_stream() -> StreamingResponse:
    return respond(frames(progress.progress()))


@router.get("/logs")
async def logs_stream(lines: Annotated[int | None, Query(ge=1, le=10_000)] = None) -> StreamingResponse:
    async def generate() -> AsyncGenerator[str, None]:
        try:
            async with aclosing(frames(logs.followed(lines))) as events:
                async for event in events:
                    yield event
        except FileNotFoundError:
            yield frame("Log file not found", "error")

    return respond(generate())
