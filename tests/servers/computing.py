"""Handlers that compute a response, in three places; /state returns what became of each."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

from fastapi import FastAPI

from rawasgi import HTTPError, Request, Response, Router, respond
from rawasgi.shutdown import Drain
from rawasgi.streams import begun

started: Counter[str] = Counter()
cancelled: Counter[str] = Counter()
cleaned: Counter[str] = Counter()
computing = Router()
fastapi = FastAPI()
fastapi.mount("/", cast(Any, computing))


@fastapi.middleware("http")
async def passing(request: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
    return await call_next(request)


@asynccontextmanager
async def working(path: str) -> AsyncIterator[None]:
    started[path] += 1
    try:
        yield
    except asyncio.CancelledError:
        cancelled[path] += 1
        raise
    finally:
        await asyncio.sleep(0.01)
        cleaned[path] += 1


@computing.get("/compute")
async def compute(request: Request) -> str:
    async with working(request.path):
        await asyncio.Event().wait()
    return "never"


@computing.post("/posted")
async def posted(request: Request) -> str:
    body = await request.body()
    async with working(request.path):
        await asyncio.sleep(0.01)
        if body == b"answer":
            return body.decode()
        await asyncio.Event().wait()
    return "never"


@computing.get("/begun")
async def waiting(request: Request) -> object:
    async def source() -> AsyncIterator[str]:
        async with working(request.path):
            await asyncio.Event().wait()
            yield "never"

    return await begun(source())


@computing.get("/silent", respond.sse)
async def silent(request: Request) -> AsyncIterator[str]:
    """Its client may disconnect before the response has started."""
    async with working(request.path):
        await asyncio.Event().wait()
        yield "never"


@computing.get("/nested", max_start_delay=0)
async def nested(request: Request) -> AsyncIterator[str]:
    """Its innermost generator is at its yield when the client disconnects."""

    async def inner() -> AsyncIterator[str]:
        async with working(request.path):
            while True:
                yield "row\n"

    async def outer() -> AsyncIterator[str]:
        async for row in inner():
            yield row
            await asyncio.sleep(3600)

    async for row in outer():
        yield row


@computing.get("/late/{kind}")
async def late(request: Request) -> Response:
    """An error after a wait, and before the first item."""

    async def source() -> AsyncIterator[Any]:
        await asyncio.sleep(0.01)
        raise HTTPError(429, "slow down", headers=((b"retry-after", b"7"),))
        yield {}

    make: Callable[[AsyncIterator[Any]], Response] = getattr(respond, request.param("kind"))
    return make(source())


@computing.post("/refused")
async def refused(request: Request) -> None:
    await asyncio.sleep(0.01)
    raise HTTPError(401, "no")


app = Router()
app.mount("/plain", computing)
app.mount("/fastapi", cast(Any, fastapi))
app.mount("/drained", Drain()(computing))


@app.get("/state")
async def state(request: Request) -> dict[str, dict[str, int]]:
    return {"started": started, "cancelled": cancelled, "cleaned": cleaned}
