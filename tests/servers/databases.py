"""The app that the tests of a PostgreSQL are about: row 22 of both apps, and what they hold of its connections."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from examples import raw, twin
from examples.raw import document_002 as raw_rows
from examples.raw.routes import router as rows
from examples.twin import document_002 as twin_rows
from rawasgi import Request, Response, Router, lifespan, respond, streams

router = Router()
router.mount("/raw", rows)
router.mount("/fastapi", twin.app)
# The first thousand come, and then the server works for an hour.
ENDLESS = "SELECT id, name, CASE WHEN id > 1000 THEN pg_sleep(3600) END FROM rawasgi_rows_100000 ORDER BY id"


blocking = ConnectionPool(os.environ["DATABASE_URL"], min_size=20, max_size=20, open=False)


@asynccontextmanager
async def living() -> AsyncIterator[None]:
    async with raw.living(), twin.app.router.lifespan_context(twin.app):
        with blocking:
            yield


app = lifespan(router, living)


@router.get("/endless")
async def endless(request: Request) -> Response:
    return respond.ndjson(raw_rows.postgres.select(ENDLESS))


def blocking_rows() -> Iterator[dict[str, object]]:
    with blocking.connection() as connection, connection.cursor("rows", row_factory=dict_row) as cursor:
        yield from cursor.execute("SELECT id, name, amount FROM rawasgi_rows_100000 ORDER BY id")


@router.get("/thread/rows")
async def thread_rows(request: Request) -> Response:
    return respond.ndjson(streams.from_thread(blocking_rows()))


@router.get("/pools")
async def pools(request: Request) -> dict[str, object]:
    """What is free of each app's connections, of how many."""
    pools = {"raw": raw_rows.postgres.pool, "fastapi": twin_rows.postgres.pool, "thread": blocking}
    return {"peak_bytes": peak_bytes()} | {name: free(pool) for name, pool in pools.items()}


def free(pool: AsyncConnectionPool | ConnectionPool | None) -> list[int]:
    assert pool is not None
    found = pool.get_stats()
    return [found["pool_available"], found["pool_size"]]


def peak_bytes() -> int:
    """The most memory that this process ever had resident; 0 where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
