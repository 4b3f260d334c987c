"""Formats, codings and files with FastAPI: StreamingResponse has no formats, so each is written by hand."""

import csv
import io
import json
import logging
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import StreamingResponse
from fastapi.staticfiles import StaticFiles

from examples.sources import frames, readings
from examples.twin.events import UNBUFFERED
from examples.twin.events import frame as framed
from examples.twin.wrappers import gzipped, wants_gzip

EXAMPLES = Path(__file__).parent.parent
JSON = dict[str, object]
Count = Annotated[int, Query(ge=0, le=10_000)]
BOUNDARY = "1f3a9c5e7b2d4086"
VARY = {"Vary": "Accept"}
log = logging.getLogger("examples.twin")
router = APIRouter()
files = StaticFiles(directory=EXAMPLES, html=True)


def frame(item: JSON | str, event: str | None = None) -> str:
    return framed(item if isinstance(item, str) else json.dumps(item), event)


def event(kind: str, item: JSON) -> str:
    return frame(item, None if kind == "item" else kind)


async def told(source: AsyncGenerator[JSON, None]) -> AsyncGenerator[tuple[str, JSON], None]:
    """Each reading, then how it ended: the client gets an id of the error, the log the rest. Closes: *source*."""
    count = 0
    try:
        async with aclosing(source):
            async for reading in source:
                yield "item", reading
                count += 1
    except OSError as error:
        error_id = secrets.token_hex(8)
        log.error("stream failed, id %s", error_id, exc_info=error)
        yield "error", {"error": {"code": "internal", "message": "the stream failed", "id": error_id}}
    else:
        yield "done", {"done": {"items": count}}


def measured(
    count: int, fail: bool, write: Callable[[str, JSON], str], media_type: str, around: tuple[str, str] = ("", "")
) -> StreamingResponse:
    async def text() -> AsyncGenerator[str, None]:
        yield around[0]
        async with aclosing(told(readings.readings(count, fail))) as items:
            async for kind, item in items:
                yield write(kind, item)
        yield around[1]

    return StreamingResponse(text(), media_type=media_type, headers={"X-Accel-Buffering": "no"})


@router.get("/formats/array")
async def array(count: Count = 5, fail: bool = False) -> StreamingResponse:
    comma = ""

    def element(kind: str, item: JSON) -> str:
        nonlocal comma
        if kind == "done":
            return ""
        text, comma = comma + json.dumps(item), ",\n"
        return text

    return measured(count, fail, element, "application/json", ("[", "]"))


@router.get("/formats/json-seq")
async def json_seq(count: Count = 5, fail: bool = False) -> StreamingResponse:
    return measured(count, fail, lambda _, item: f"\x1e{json.dumps(item)}\n", "application/json-seq")


@router.get("/formats/csv")
async def rows(count: Count = 5, fail: bool = False) -> StreamingResponse:
    def row(kind: str, item: JSON) -> str:
        line = io.StringIO()
        inner = item.get(kind)
        fields = [f"#{kind}", *inner.values()] if isinstance(inner, dict) else list(item.values())
        csv.writer(line).writerow(fields)
        return line.getvalue()

    return measured(count, fail, row, "text/csv", ("id,celsius,room\r\n", ""))


async def parted(count: int, subtype: str) -> StreamingResponse:
    async def parts() -> AsyncGenerator[bytes, None]:
        yield f"--{BOUNDARY}".encode()
        async with aclosing(frames.frames(count)) as pictures:
            async for picture in pictures:
                head = f"\r\ncontent-type: image/png\r\ncontent-length: {len(picture)}\r\n\r\n"
                yield head.encode() + picture + f"\r\n--{BOUNDARY}".encode()
        yield b"--\r\n"

    return StreamingResponse(
        parts(), media_type=f"multipart/{subtype}; boundary={BOUNDARY}", headers={"X-Accel-Buffering": "no"}
    )


@router.get("/formats/parts")
async def mixed(count: Count = 5) -> StreamingResponse:
    return await parted(count, "mixed")


@router.get("/formats/frames")
async def replaced(count: Count = 20) -> StreamingResponse:
    return await parted(count, "x-mixed-replace")


@router.get("/formats/ui")
async def ui(text: Annotated[str, Query(max_length=10_000)] = "你好，世界！") -> StreamingResponse:
    async def parts() -> AsyncGenerator[str, None]:
        async with aclosing(readings.message(text)) as items:
            async for part in items:
                yield frame(part)
        yield frame("[DONE]")

    headers = {**UNBUFFERED, "x-vercel-ai-ui-message-stream": "v1"}
    return StreamingResponse(parts(), media_type="text/event-stream", headers=headers)


@router.get("/formats/negotiated")
async def negotiated(request: Request, count: Count = 5, fail: bool = False) -> StreamingResponse:
    # FastAPI knows nothing of Accept; this reads no weights.
    accept = request.headers.get("accept", "*/*")
    if "text/event-stream" in accept or "*/*" in accept:
        response = measured(count, fail, event, "text/event-stream")
        response.headers["Cache-Control"] = "no-cache"
    elif "application/x-ndjson" in accept:
        response = measured(count, fail, lambda _, item: json.dumps(item) + "\n", "application/x-ndjson")
    elif "application/json" in accept:
        response = await array(count, fail)
    else:
        raise HTTPException(406, "there is text/event-stream, application/x-ndjson, application/json here", VARY)
    response.headers["Vary"] = "Accept"
    return response


@router.get("/formats/compressed")
async def compressed(request: Request, count: Count = 5, fail: bool = False) -> StreamingResponse:
    # GZipMiddleware would hold the headers back until the first chunk, and has no zstd.
    response = measured(count, fail, lambda _, item: json.dumps(item) + "\n", "application/x-ndjson")
    response.headers["Vary"] = "Accept-Encoding"
    if wants_gzip(request.headers.get("accept-encoding", "")):
        response.headers["Content-Encoding"] = "gzip"
        response.body_iterator = gzipped(response.body_iterator)  # type: ignore[arg-type]
    return response


@router.post("/formats/upload")
async def upload(request: Request) -> dict[str, int]:
    """FastAPI gives a compressed body as it came: these are the bytes on the wire."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
    return {"bytes": size}
