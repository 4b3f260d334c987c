"""Rows 18 to 22: logs, resumable events, a large file, a database cursor."""

import os
from collections.abc import Generator
from contextlib import closing
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import FileResponse, Response, StreamingResponse

from examples.sources import files, logs, progress
from examples.sources.rows import rows as cursor
from examples.twin.events import UNBUFFERED, connection, dumps, frames, respond

router = APIRouter()


@router.get("/logs/stream")
async def stream_logs() -> StreamingResponse:
    headers = {"X-Stream-Id": "demo-log-stream", "Cache-Control": "no-cache"}
    return StreamingResponse(logs.invented(), media_type="text/plain", headers=headers)


@router.get("/events")
async def events(request: Request, last_event_id: Annotated[str | None, Header()] = None) -> StreamingResponse:
    after = progress.resume_point(last_event_id)
    return respond(frames(progress.events(after)), {**UNBUFFERED, **connection(request.scope["http_version"])})


# Not async: FastAPI runs it in a thread, for the first call makes the file.
@router.api_route("/download/sample", methods=["GET", "HEAD"])
def download_sample(if_none_match: Annotated[str, Header()] = "") -> Response:
    path = files.sample()
    response = FileResponse(
        path, filename="sample.dat", media_type="application/octet-stream", stat_result=os.stat(path)
    )
    etag = response.headers["etag"]
    # FileResponse does Range and If-Range itself, but no 304 (Starlette PR 2955).
    if etag in [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")] or if_none_match.strip() == "*":
        return Response(status_code=304, headers={"ETag": etag, "Last-Modified": response.headers["last-modified"]})
    return response


@router.get("/safe-stream")
async def safe_stream() -> StreamingResponse:
    return respond(frames(progress.safe()))


@router.get("/rows")
async def rows(count: Annotated[int | None, Query(ge=0)] = None) -> StreamingResponse:
    def lines() -> Generator[str, None, None]:
        with closing(cursor(count)) as found:
            for row in found:
                yield dumps(row) + "\n"

    # A thread hop a row; and when the client leaves, the cursor stays open until the garbage collector comes by.
    return StreamingResponse(lines(), media_type="application/x-ndjson")
