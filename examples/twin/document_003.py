"""Rows 23 to 30: lines of text."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import StreamingResponse

from examples.sources import text
from examples.twin.events import connection, dumps

router = APIRouter()
Count = Annotated[int, Path(ge=0, le=10_000)]
Delay = Annotated[float, Query(ge=0, le=60)]


@router.get("/simple")
async def simple() -> StreamingResponse:
    return StreamingResponse(text.simple(), media_type="text/plain")


@router.get("/parameterized/{count}")
async def parameterized(count: Count, delay: Delay = 0.5) -> StreamingResponse:
    return StreamingResponse(text.parameterized(count, delay), media_type="text/plain")


@router.get("/json/{count}")
async def objects(count: Count) -> StreamingResponse:
    async def lines() -> AsyncGenerator[str, None]:
        async with aclosing(text.objects(count)) as found:
            async for item in found:
                yield dumps(item) + "\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


@router.get("/cleanup")
async def cleanup() -> StreamingResponse:
    return StreamingResponse(text.with_cleanup(), media_type="text/plain")


@router.get("/disconnect")
async def disconnect() -> StreamingResponse:
    return StreamingResponse(text.disconnectable(), media_type="text/plain")


@router.get("/sync")
async def sync() -> StreamingResponse:
    return StreamingResponse(text.blocking(), media_type="text/plain")


@router.get("/async")
async def asynchronous() -> StreamingResponse:
    return StreamingResponse(text.asynchronous(), media_type="text/plain")


@router.get("/headers")
async def headers(request: Request) -> StreamingResponse:
    return StreamingResponse(
        text.brief(),
        media_type="text/plain",
        headers={
            "X-Custom-Header": "CustomValue",
            "Cache-Control": "no-cache",
            **connection(request.scope["http_version"]),
        },
    )
