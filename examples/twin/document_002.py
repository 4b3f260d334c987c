"""Rows 18 to 22: logs, resumable events, a large file, a database cursor."""

import csv
import io
import os
from collections.abc import AsyncGenerator, Generator, Iterable
from contextlib import aclosing, closing
from typing import Annotated, Literal

from fastapi import APIRouter, Header, HTTPException, Query, Request
from fastapi.responses import FileResponse, Response, StreamingResponse

from examples.sources import files, logs, progress
from examples.sources.postgres import Postgres
from examples.sources.rows import COLUMNS, row_count
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


postgres = Postgres()


def line(row: dict[str, object]) -> str:
    return dumps(row) + "\n"


def record(fields: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(fields)
    return text.getvalue()


@router.get("/rows")
async def rows(
    request: Request,
    count: Annotated[int | None, Query(ge=0)] = None,
    format: Literal["ndjson", "csv"] | None = None,
) -> StreamingResponse:
    # FastAPI knows nothing of Accept; this reads no weights.
    accept = request.headers.get("accept", "*/*")
    as_lines = format == "ndjson" or (format is None and ("*/*" in accept or "application/x-ndjson" in accept))
    if not as_lines and format is None and "text/csv" not in accept:
        raise HTTPException(406, "there is application/x-ndjson, text/csv here", {"Vary": "Accept"})
    first = [] if as_lines else [record(COLUMNS)]

    def write(row: dict[str, object]) -> str:
        return line(row) if as_lines else record(row.values())

    async def of_postgres() -> AsyncGenerator[str, None]:
        for names in first:
            yield names
        async with aclosing(postgres.rows(row_count() if count is None else count)) as found:
            async for row in found:
                yield write(row)

    def of_sqlite() -> Generator[str, None, None]:
        yield from first
        with closing(cursor(count)) as found:
            for row in found:
                yield write(row)

    # Of SQLite, a thread hop a row; and when the client leaves, the cursor stays open until the garbage collector
    # comes by.
    return StreamingResponse(
        of_postgres() if postgres.is_open else of_sqlite(),
        media_type="application/x-ndjson" if as_lines else "text/csv",
        headers={"Vary": "Accept"} if format is None else {},
    )
