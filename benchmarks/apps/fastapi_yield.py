"""FastAPI's own event streams and JSON lines: endpoints that yield models, as its documents have them."""

from collections.abc import AsyncIterable
from typing import Any

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


def items() -> FastAPI:
    """What people have, as events and as JSON lines, each endpoint with the type of its items, which is fastest."""
    from benchmarks.apps import items as made  # it needs pydantic

    result = FastAPI()

    async def models(count: int) -> AsyncIterable[made.Model]:
        async for item in made.models(count):
            yield item

    async def rows(count: int) -> AsyncIterable[made.Row]:
        async for item in made.rows(count):
            yield item

    async def dicts(count: int) -> AsyncIterable[dict[str, Any]]:
        async for item in made.dicts(count):
            yield item

    for kind, endpoint in {"model": models, "dataclass": rows, "dict": dicts}.items():
        result.get(f"/events/{kind}/{{count}}", response_class=EventSourceResponse)(endpoint)
        result.get(f"/lines/{kind}/{{count}}")(endpoint)
    return result
