"""The endpoints with BlackSheep, as its documents have them. It streams async generators only."""

from collections.abc import AsyncIterable, Callable
from functools import partial

from blacksheep import Application, Response, Router, StreamedContent, get, json, text
from blacksheep.server.responses import file as send_file
from blacksheep.server.sse import ServerSentEvent, ServerSentEventsResponse

from benchmarks.apps import sources

TEXT, EVENTS, LINES = b"text/plain; charset=utf-8", b"text/event-stream", b"application/x-ndjson"

app = Application()


def stream(source: Callable[[], AsyncIterable[bytes]], content_type: bytes = TEXT) -> Response:
    return Response(200, content=StreamedContent(content_type, source))


@get("/burst/{count}")
async def burst(count: int) -> Response:
    return stream(partial(sources.ready, count))


@get("/chunks/{size}/{count}")
async def chunks(size: int, count: int) -> Response:
    return stream(partial(sources.sized, size, count))


@get("/paced/{count}")
async def paced(count: int) -> Response:
    return stream(partial(sources.paced, count))


@get("/short")
async def short() -> Response:
    return stream(partial(sources.ready, sources.FEW))


@get("/file/{mebibytes}")
async def file(mebibytes: str) -> Response:
    return send_file(str(sources.file(mebibytes)), "application/octet-stream")


@get("/sse/{count}")
async def sse(count: int) -> Response:
    async def events() -> AsyncIterable[ServerSentEvent]:
        async for row in sources.rows(count):
            yield ServerSentEvent(row)

    return ServerSentEventsResponse(events)


@get("/ndjson/{count}")
async def ndjson(count: int) -> Response:
    return stream(partial(sources.lines, count), LINES)


@get("/plain")
async def plain() -> Response:
    return json(sources.PLAIN)


@get("/hot")
async def hot() -> Response:
    return stream(sources.hot)


@get("/ticks/{milliseconds}")
async def ticks(milliseconds: int) -> Response:
    return stream(partial(sources.ticks, milliseconds))


@get("/idle")
async def idle() -> Response:
    return stream(sources.beating, EVENTS)


@get("/tasks")
async def tasks() -> Response:
    return text(sources.tasks())


async def answer(item: str) -> Response:
    return text(item)


def routed(count: int) -> Application:
    """So many routes."""
    result = Application(router=Router())
    for number in range(count):
        result.router.add_get(f"/area{number}/items/{{item}}", answer)
    return result
