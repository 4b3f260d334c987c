"""FastAPI's own event streams and JSON lines: endpoints that yield models, as its documents have them."""

from collections.abc import AsyncIterable

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from fastapi.sse import EventSourceResponse
from pydantic import BaseModel

from benchmarks.apps import sources

app = FastAPI()


class Row(BaseModel):
    number: int
    text: str


class Number(BaseModel):
    number: int


@app.get("/sse/{count}", response_class=EventSourceResponse)
async def sse(count: int) -> AsyncIterable[Row]:
    async for row in sources.rows(count):
        yield Row.model_validate(row)


@app.get("/ndjson/{count}")
async def ndjson(count: int) -> AsyncIterable[Row]:
    async for row in sources.rows(count):
        yield Row.model_validate(row)


@app.get("/idle", response_class=EventSourceResponse)
async def idle() -> AsyncIterable[Number]:
    async for row in sources.silence():
        yield Number.model_validate(row)


@app.get("/tasks")
async def tasks() -> PlainTextResponse:
    return PlainTextResponse(sources.tasks())
