"""FastAPI inside of Drain and of a lifespan: each lifespan notes in a file that its shutdown is over."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from stopping import released

from rawasgi import lifespan
from rawasgi.asgi import App
from rawasgi.shutdown import Drain


@asynccontextmanager
async def inner(_: FastAPI) -> AsyncIterator[dict[str, str]]:
    yield {"inner": "inner"}
    released()


@asynccontextmanager
async def outer() -> AsyncIterator[dict[str, str]]:
    async with drain.on_signals():
        yield {"outer": "outer"}
        released()


site = FastAPI(lifespan=inner)
drain = Drain()
app = lifespan(drain(cast(App, site)), outer)


@site.middleware("http")
async def middleware(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    return await call_next(request)


async def source(media_type: str, state: str) -> AsyncIterator[str]:
    yield f"data: {state}0\n\n" if media_type == "text/event-stream" else f"{state}0\n"
    await asyncio.Event().wait()


@site.get("/{kind}/{subtype}")
async def stream(request: Request, kind: str, subtype: str) -> StreamingResponse:
    media_type = f"{kind}/{subtype}"
    state = f"{request.state.outer} {request.state.inner} "
    return StreamingResponse(source(media_type, state), media_type=media_type)
