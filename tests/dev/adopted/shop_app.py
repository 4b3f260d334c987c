"""A FastAPI app with twelve routes that stream, as its documentation and that of sse-starlette write them."""

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Annotated

import fastapi.sse
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Header, HTTPException
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from pydantic import BaseModel, Field
from sse_starlette import EventSourceResponse, ServerSentEvent

PAUSE = 0.005  # seconds between items, and of a clean-up that awaits


class Item(BaseModel):
    number: int


class Prompt(BaseModel):
    text: str = Field(examples=["hello"])


async def rows(count: int = 6) -> AsyncIterator[str]:
    try:
        for number in range(count):
            yield f"{number}\n"
            await asyncio.sleep(PAUSE)
    finally:
        await asyncio.sleep(PAUSE)  # as a connection that goes back to its pool


def blocking_rows() -> Iterator[str]:
    for number in range(6):
        yield f"{number}\n"
        time.sleep(PAUSE)


async def connection() -> AsyncIterator[str]:
    try:
        yield "a connection"
    finally:
        await asyncio.sleep(PAUSE)


def user(authorization: Annotated[str | None, Header()] = None) -> str:
    if authorization != "secret":
        raise HTTPException(401)
    return "someone"


app = FastAPI()
router = APIRouter(prefix="/v1", dependencies=[Depends(connection)])


# 1: an async generator
@app.get("/export")
async def export() -> StreamingResponse:
    return StreamingResponse(rows(), media_type="text/plain")


# 2: a generator that blocks, in a thread
@app.get("/blocking")
def blocking() -> StreamingResponse:
    return StreamingResponse(blocking_rows())


# 3: with a dependency that yields, and a parameter in the path
@router.get("/orders/{order_id}/log")
async def order_log(order_id: int, source: Annotated[str, Depends(connection)], limit: int = 6) -> StreamingResponse:
    return StreamingResponse(rows(limit))


# 4: with a background task and a header
@app.get("/report")
async def report(tasks: BackgroundTasks):  # type: ignore[no-untyped-def]  # as most apps have it
    tasks.add_task(asyncio.sleep, 0)
    return StreamingResponse(rows(), headers={"content-disposition": "attachment; filename=report.csv"})


# 5: events of sse-starlette
@app.get("/events")
async def events() -> EventSourceResponse:
    async def source() -> AsyncIterator[ServerSentEvent]:
        try:
            for number in range(6):
                yield ServerSentEvent(str(number), id=str(number))
                await asyncio.sleep(PAUSE)
        finally:
            await asyncio.sleep(PAUSE)

    return EventSourceResponse(source(), ping=60)


# 6: events that FastAPI encodes
@app.get("/ticks", response_class=fastapi.sse.EventSourceResponse)
async def ticks() -> AsyncIterable[Item]:
    try:
        for number in range(6):
            yield Item(number=number)
            await asyncio.sleep(PAUSE)
    finally:
        await asyncio.sleep(PAUSE)


# 7: JSON Lines that FastAPI encodes
@router.get("/items")
async def items() -> AsyncIterable[Item]:
    for number in range(6):
        yield Item(number=number)
        await asyncio.sleep(PAUSE)


# 8: the same, from a generator that blocks
@router.get("/blocking-items")
def blocking_items() -> Iterable[Item]:
    for number in range(6):
        yield Item(number=number)
        time.sleep(PAUSE)


# 9: a file
@app.get("/file")
async def file() -> FileResponse:
    return FileResponse(Path(__file__))


# 10: a body that is asked for by POST, as a chat
@app.post("/chat")
async def chat(prompt: Prompt) -> StreamingResponse:
    return StreamingResponse(rows(len(prompt.text)))


# 11: for clients that are known
@app.get("/private")
async def private(name: Annotated[str, Depends(user)]) -> StreamingResponse:
    return StreamingResponse(rows())


# 12: by a function that nothing here shows to stream
def made() -> object:
    return globals()["Streaming" + "Response"](rows())


@app.get("/made")
async def dynamic():  # type: ignore[no-untyped-def]
    return made()


@app.get("/plain")
async def plain() -> dict[str, str]:
    return {"no": "stream"}


@app.get("/missing/{item_id}")
async def missing(item_id: str) -> JSONResponse:
    raise HTTPException(404)


app.include_router(router)
