"""The endpoints with rawasgi, as a user writes them."""

import asyncio

from benchmarks.apps import sources
from benchmarks.apps.fanout import journaled
from rawasgi import files, respond, streams
from rawasgi.asgi import App
from rawasgi.compression import compress
from rawasgi.request import Request
from rawasgi.response import Response
from rawasgi.routing import Router

app = Router()


@app.get("/burst/{count:int}")
async def burst(request: Request) -> Response:
    return respond.stream(sources.ready(request.param("count", int)))


@app.get("/chunks/{size:int}/{count:int}")
async def chunks(request: Request) -> Response:
    return respond.stream(sources.sized(request.param("size", int), request.param("count", int)))


@app.get("/paced/{count:int}")
async def paced(request: Request) -> Response:
    return respond.stream(sources.paced(request.param("count", int)))


@app.get("/short")
async def short(request: Request) -> Response:
    return respond.stream(sources.ready(sources.FEW))


@app.get("/file/{mebibytes}")
async def file(request: Request) -> App:
    return files.file(sources.file(request.param("mebibytes")))


@app.get("/sse/{count:int}")
async def sse(request: Request) -> Response:
    return respond.sse(sources.rows(request.param("count", int)))


@app.get("/ndjson/{count:int}")
async def ndjson(request: Request) -> Response:
    return respond.ndjson(sources.rows(request.param("count", int)))


@app.get("/blocking/{count:int}")
async def blocking(request: Request) -> Response:
    return respond.stream(streams.from_thread(sources.blocking(request.param("count", int))))


@app.get("/blocked")
async def blocked(request: Request) -> Response:
    return respond.stream(streams.from_thread(sources.blocked()))


@app.get("/thread")
async def thread(request: Request) -> str:
    return await asyncio.to_thread(sources.work)


@app.get("/plain")
async def plain(request: Request) -> Response:
    return respond.json(sources.PLAIN)


@app.get("/hot")
async def hot(request: Request) -> Response:
    return respond.stream(sources.hot())


@app.get("/ticks/{milliseconds:int}")
async def ticks(request: Request) -> Response:
    return respond.stream(sources.ticks(request.param("milliseconds", int)))


@app.get("/idle")
async def idle(request: Request) -> Response:
    return respond.sse(sources.silence())


@app.get("/tasks")
async def tasks(request: Request) -> str:
    return sources.tasks()


async def chat(request: Request) -> Response:
    return respond.stream(sources.chat(request.param("ticket", int)), "text/event-stream")


def compressed() -> App:
    """The chat and the silent stream, in whatever coding the client takes."""
    router = Router()
    router.get("/chat/{ticket:int}")(chat)
    router.get("/idle")(idle)
    return compress(router)


async def item(request: Request) -> str:
    return request.param("item", str)


def routed(count: int) -> App:
    """So many routes."""
    router = Router()
    for number in range(count):
        router.get(f"/area{number}/items/{{item}}")(item)
    return router


def fanout() -> App:
    """One topic, many followers."""
    return journaled()


def items() -> App:
    """What people have, as events and as lines."""
    from benchmarks.apps.items import SOURCES  # it needs pydantic

    router = Router()

    @router.get("/events/{kind}/{count:int}")
    async def events(request: Request) -> Response:
        return respond.sse(SOURCES[request.param("kind")](request.param("count", int)))

    @router.get("/lines/{kind}/{count:int}")
    async def lines(request: Request) -> Response:
        return respond.ndjson(SOURCES[request.param("kind")](request.param("count", int)))

    return router
