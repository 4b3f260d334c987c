"""The app that the tests of a PostgreSQL are about: row 22 of both apps, and what they hold of its connections."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from examples import raw, twin
from examples.raw import document_002 as raw_rows
from examples.raw.routes import router as rows
from examples.sources.postgres import Postgres
from examples.twin import document_002 as twin_rows
from rawasgi import Request, Response, Router, lifespan, respond
from rawasgi.asgi import App

router = Router()
router.mount("/raw", rows)
router.mount("/fastapi", cast(App, twin.app))
# The first thousand come, and then the server works for an hour.
ENDLESS = "SELECT id, name, CASE WHEN id > 1000 THEN pg_sleep(3600) END FROM rawasgi_rows_100000 ORDER BY id"


@asynccontextmanager
async def living() -> AsyncIterator[None]:
    async with raw.living(), twin.app.router.lifespan_context(twin.app):
        yield


app = lifespan(router, living)


@router.get("/endless")
async def endless(request: Request) -> Response:
    return respond.ndjson(raw_rows.postgres.select(ENDLESS))


@router.get("/pools")
async def pools(request: Request) -> dict[str, object]:
    """What is free of each app's connections, of how many."""
    return {"raw": free(raw_rows.postgres), "fastapi": free(twin_rows.postgres), "peak_bytes": peak_bytes()}


def free(database: Postgres) -> list[int]:
    assert database.pool is not None
    found = database.pool.get_stats()
    return [found["pool_available"], found["pool_size"]]


def peak_bytes() -> int:
    """The most memory that this process ever had resident; 0 where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
