"""Rows 18 to 22: logs, resumable events, a large file, a database cursor."""

import asyncio
from collections.abc import AsyncIterable, Callable
from functools import partial

from examples.raw import parameters
from examples.raw.events import event
from examples.raw.resuming import followed
from examples.raw.routes import router
from examples.sources import files as sources
from examples.sources import logs, progress
from examples.sources import rows as database
from examples.sources.postgres import Postgres
from rawasgi import files, respond, streams
from rawasgi.asgi import App
from rawasgi.request import Request
from rawasgi.response import Response


@router.get("/logs/stream")
async def stream_logs(_: Request) -> Response:
    """Row 18: text needs no format."""
    return respond.stream(logs.invented(), headers={"X-Stream-Id": "demo-log-stream", "Cache-Control": "no-cache"})


@router.get("/events")
async def events(request: Request) -> Response:
    """Row 19: a browser that lost us comes back with the last id it saw, and misses nothing: the run went on."""
    _, entries = await followed(request, "events", lambda: streams.map(progress.events(), event))
    return respond.sse(entries, headers={"Connection": "keep-alive"})


@router.get("/download/sample")
async def download_sample(_: Request) -> App:
    """Row 20: a file, whole, in part or not at all, as RFC 9110 has it; HEAD is GET without the body."""
    path = await asyncio.to_thread(sources.sample)
    return files.file(path, filename="sample.dat", media_type="application/octet-stream")


@router.get("/safe-stream")
async def safe_stream(_: Request) -> Response:
    """Row 21: nobody asks whether the client is there. When it leaves, the source is closed: within milliseconds."""
    return respond.sse(progress.safe())


TABLES: dict[str, Callable[[AsyncIterable[object]], Response]] = {
    "ndjson": respond.ndjson,
    "csv": partial(respond.csv, header=database.COLUMNS),
}
postgres = Postgres()


@router.get("/rows")
async def rows(request: Request) -> App:
    """Row 22: a cursor, read no further than is sent, and closed when the client leaves.

    SQLite blocks: its cursor lives in one thread, which opened it and closes it. PostgreSQL's stays on the server, and
    its connection goes back to the pool.
    """
    count = request.query("count", int, database.row_count(), minimum=0)
    table = request.query("format", parameters.one_of(*TABLES), "")
    found = postgres.rows(count) if postgres.is_open else streams.from_thread(database.rows(count))
    if table:
        return TABLES[table](found)
    return respond.negotiate(request, found, {"application/x-ndjson": TABLES["ndjson"], "text/csv": TABLES["csv"]})
