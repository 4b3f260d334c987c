"""The endpoints with Quart, as its documents have them."""

from collections.abc import AsyncIterator, Iterator

from quart import Quart, Response, send_file

from benchmarks.apps import sources

TEXT, EVENTS, LINES = "text/plain; charset=utf-8", "text/event-stream", "application/x-ndjson"

app = Quart(__name__)
app.json.ensure_ascii = False


def stream(source: AsyncIterator[bytes] | Iterator[bytes], content_type: str) -> Response:
    response = Response(source, content_type=content_type)
    response.timeout = None  # as its documents have it for events: 60 seconds are its default
    return response


@app.get("/burst/<int:count>")
async def burst(count: int) -> Response:
    return stream(sources.ready(count), TEXT)


@app.get("/chunks/<int:size>/<int:count>")
async def chunks(size: int, count: int) -> Response:
    return stream(sources.sized(size, count), TEXT)


@app.get("/paced/<int:count>")
async def paced(count: int) -> Response:
    return stream(sources.paced(count), TEXT)


@app.get("/short")
async def short() -> Response:
    return stream(sources.ready(sources.FEW), TEXT)


@app.get("/file/<mebibytes>")
async def file(mebibytes: str) -> Response:
    return await send_file(sources.file(mebibytes), mimetype="application/octet-stream")


@app.get("/sse/<int:count>")
async def sse(count: int) -> Response:
    return stream(sources.events(count), EVENTS)


@app.get("/ndjson/<int:count>")
async def ndjson(count: int) -> Response:
    return stream(sources.lines(count), LINES)


@app.get("/blocking/<int:count>")
async def blocking(count: int) -> Response:
    return stream(sources.blocking(count), TEXT)


@app.get("/blocked")
async def blocked() -> Response:
    return stream(sources.blocked(), TEXT)


@app.get("/thread")
def thread() -> Response:
    return Response(sources.work(), content_type=TEXT)


@app.get("/plain")
async def plain() -> sources.Row:
    return dict(sources.PLAIN)


@app.get("/hot")
async def hot() -> Response:
    return stream(sources.hot(), TEXT)


@app.get("/ticks/<int:milliseconds>")
async def ticks(milliseconds: int) -> Response:
    return stream(sources.ticks(milliseconds), TEXT)


@app.get("/idle")
async def idle() -> Response:
    return stream(sources.beating(), EVENTS)


@app.get("/tasks")
async def tasks() -> Response:
    return Response(sources.tasks(), content_type=TEXT)


async def answer(item: str) -> Response:
    return Response(item, content_type=TEXT)


def routed(count: int) -> Quart:
    """So many routes."""
    result = Quart(__name__)
    for number in range(count):
        result.add_url_rule(f"/area{number}/items/<item>", f"area{number}", answer)
    return result
