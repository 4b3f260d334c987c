"""The endpoints with FastAPI, as its documents have them."""

from fastapi import FastAPI
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import FileResponse, PlainTextResponse, StreamingResponse

from benchmarks.apps import sources

TEXT, EVENTS, LINES = "text/plain", "text/event-stream", "application/x-ndjson"

app = FastAPI()


@app.get("/burst/{count}")
async def burst(count: int) -> StreamingResponse:
    return StreamingResponse(sources.ready(count), media_type=TEXT)


@app.get("/chunks/{size}/{count}")
async def chunks(size: int, count: int) -> StreamingResponse:
    return StreamingResponse(sources.sized(size, count), media_type=TEXT)


@app.get("/paced/{count}")
async def paced(count: int) -> StreamingResponse:
    return StreamingResponse(sources.paced(count), media_type=TEXT)


@app.get("/short")
async def short() -> StreamingResponse:
    return StreamingResponse(sources.ready(sources.FEW), media_type=TEXT)


@app.get("/file/{mebibytes}")
async def file(mebibytes: str) -> FileResponse:
    return FileResponse(sources.file(mebibytes), media_type="application/octet-stream")


@app.get("/sse/{count}")
async def sse(count: int) -> StreamingResponse:
    return StreamingResponse(sources.events(count), media_type=EVENTS)


@app.get("/ndjson/{count}")
async def ndjson(count: int) -> StreamingResponse:
    return StreamingResponse(sources.lines(count), media_type=LINES)


@app.get("/blocking/{count}")
async def blocking(count: int) -> StreamingResponse:
    return StreamingResponse(sources.blocking(count), media_type=TEXT)


@app.get("/blocked")
async def blocked() -> StreamingResponse:
    return StreamingResponse(sources.blocked(), media_type=TEXT)


@app.get("/thread")
def thread() -> PlainTextResponse:
    return PlainTextResponse(sources.work())


@app.get("/plain")
async def plain() -> sources.Row:
    return dict(sources.PLAIN)


@app.get("/hot")
async def hot() -> StreamingResponse:
    return StreamingResponse(sources.hot(), media_type=TEXT)


@app.get("/ticks/{milliseconds}")
async def ticks(milliseconds: int) -> StreamingResponse:
    return StreamingResponse(sources.ticks(milliseconds), media_type=TEXT)


@app.get("/idle")
async def idle() -> StreamingResponse:
    return StreamingResponse(sources.beating(), media_type=EVENTS)


@app.get("/tasks")
async def tasks() -> PlainTextResponse:
    return PlainTextResponse(sources.tasks())


async def chat(ticket: int) -> StreamingResponse:
    return StreamingResponse(sources.chat(ticket), media_type=EVENTS)


def compressed() -> FastAPI:
    """The chat and the silent stream, in gzip if FastAPI will."""
    result = FastAPI()
    result.add_middleware(GZipMiddleware)
    result.get("/chat/{ticket}")(chat)
    result.get("/idle")(idle)
    return result


async def item(item: str) -> PlainTextResponse:
    return PlainTextResponse(item)


def routed(count: int) -> FastAPI:
    """So many routes."""
    result = FastAPI()
    for number in range(count):
        result.get(f"/area{number}/items/{{item}}")(item)
    return result
