"""Streams as their documentation has them, in FastAPI and Litestar: what the checker finds here is theirs, not ours."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse
from litestar import Litestar, get
from litestar.response import ServerSentEvent, Stream


async def rows() -> AsyncIterator[str]:
    try:
        for number in range(5):
            yield f"{number}\n"
            await asyncio.sleep(0.01)
    finally:
        await asyncio.sleep(0.005)  # as a connection that goes back to its pool


def blocking_rows() -> Iterator[str]:
    for number in range(5):
        yield f"{number}\n"
        time.sleep(0.01)


async def hot() -> AsyncIterator[str]:
    while True:
        yield "x" * 100


fastapi = FastAPI()


@fastapi.api_route("/stream", methods=["GET", "HEAD"])
async def fastapi_stream() -> StreamingResponse:
    return StreamingResponse(rows())


@fastapi.get("/blocking")
async def fastapi_blocking() -> StreamingResponse:
    return StreamingResponse(blocking_rows())


@fastapi.get("/sse", response_class=EventSourceResponse)
async def fastapi_sse() -> AsyncIterator[dict[str, int]]:
    for number in range(5):
        yield {"number": number}
        await asyncio.sleep(0.01)


@fastapi.get("/hot")
async def fastapi_hot() -> StreamingResponse:
    return StreamingResponse(hot())


@get("/stream")
async def litestar_stream() -> Stream:
    return Stream(rows())


@get("/blocking")
async def litestar_blocking() -> Stream:
    return Stream(blocking_rows())


@get("/sse")
async def litestar_sse() -> ServerSentEvent:
    return ServerSentEvent(rows())


litestar = Litestar([litestar_stream, litestar_blocking, litestar_sse])
