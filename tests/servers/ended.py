"""Streams that end in each way; /outcomes returns what ``on_end`` was called with, by the path.

/in/<scope>/<seconds> yields inside of a scope, with that pause between items; /closed returns what was closed there.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import anyio
from fastapi import FastAPI

from rawasgi import Request, Router, respond, streams
from rawasgi.asgi import Receive, Scope, Send
from rawasgi.background import on_end
from rawasgi.failures import told
from rawasgi.outcomes import Outcome

outcomes: defaultdict[str, list[str]] = defaultdict(list)
router = Router()
fastapi = FastAPI()


async def rows(error: Exception | None = None) -> AsyncIterator[str]:
    yield "first"
    await asyncio.sleep(0.01)
    if error is not None:
        raise error


async def endless() -> AsyncIterator[str]:
    while True:
        yield "row" * 10_000
        await asyncio.sleep(0.001)


SECRET = LookupError("a secret")
router.mount("/whole", respond.text("whole"))
router.mount("/missing", respond.text("missing", 404))
fastapi.mount("/", cast(Any, router))


@router.get("/complete", respond.sse)
async def complete(request: Request) -> AsyncIterator[str]:
    async with streams.owned(rows()) as items:
        async for item in items:
            yield item


@router.get("/reported")
async def reported(request: Request) -> object:
    return respond.sse(told(rows(SECRET)))


@router.get("/failed")
async def failed(request: Request) -> object:
    return respond.sse(rows(SECRET))


@router.get("/before")
async def before(request: Request) -> AsyncIterator[str]:
    raise SECRET
    yield "never"


@router.get("/left")
async def left(request: Request) -> object:
    return respond.sse(endless())


@router.get("/slow")
async def slow(request: Request) -> object:
    return respond.sse(endless(), send=0.5)


SCOPES: dict[str, Callable[[], Any]] = {
    "group": asyncio.TaskGroup,
    "anyio": anyio.create_task_group,
    "timeout": lambda: asyncio.timeout(1000),
}
closed: list[str] = []


@router.get("/in/{scope}/{pause}")
async def scoped(request: Request) -> AsyncIterator[bytes]:
    name, pause = request.param("scope", str), request.param("pause", float)
    task = asyncio.current_task()
    try:
        async with SCOPES[name]():
            while True:
                yield bytes(10 if pause else 1_000_000)
                if pause:
                    await asyncio.sleep(pause)
    finally:
        await asyncio.sleep(0.01)
        closed.append(f"{name} {'in its task' if asyncio.current_task() is task else 'elsewhere'}")


@router.get("/closed")
async def what_was_closed(request: Request) -> dict[str, list[str]]:
    return {"closed": closed}


@router.get("/outcomes")
async def ended(request: Request) -> dict[str, list[str]]:
    return outcomes


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    async def note(outcome: Outcome) -> None:
        if scope["type"] == "http":
            outcomes[scope["path"]].append(outcome.name)

    await on_end(cast(Any, fastapi), note)(scope, receive, send)
