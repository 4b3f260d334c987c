"""The endpoints with Litestar, as its documents have them."""

from collections.abc import AsyncIterator

from litestar import Litestar, MediaType, get
from litestar.config.compression import CompressionConfig
from litestar.params import FromPath
from litestar.response import File, ServerSentEvent, Stream

from benchmarks.apps import sources

TEXT, LINES = "text/plain", "application/x-ndjson"


@get("/burst/{count:int}")
async def burst(count: FromPath[int]) -> Stream:
    return Stream(sources.ready(count), media_type=TEXT)


@get("/chunks/{size:int}/{count:int}")
async def chunks(size: FromPath[int], count: FromPath[int]) -> Stream:
    return Stream(sources.sized(size, count), media_type=TEXT)


@get("/paced/{count:int}")
async def paced(count: FromPath[int]) -> Stream:
    return Stream(sources.paced(count), media_type=TEXT)


@get("/short")
async def short() -> Stream:
    return Stream(sources.ready(sources.FEW), media_type=TEXT)


@get("/file/{mebibytes:str}")
async def file(mebibytes: FromPath[str]) -> File:
    return File(sources.file(mebibytes), media_type="application/octet-stream")


async def texts(count: int) -> AsyncIterator[str]:
    async for row in sources.rows(count):
        yield sources.dumps(row)


@get("/sse/{count:int}")
async def sse(count: FromPath[int]) -> ServerSentEvent:
    return ServerSentEvent(texts(count))


@get("/ndjson/{count:int}")
async def ndjson(count: FromPath[int]) -> Stream:
    return Stream(sources.lines(count), media_type=LINES)


@get("/blocking/{count:int}")
async def blocking(count: FromPath[int]) -> Stream:
    return Stream(sources.blocking(count), media_type=TEXT)


@get("/blocked")
async def blocked() -> Stream:
    return Stream(sources.blocked(), media_type=TEXT)


@get("/thread", media_type=MediaType.TEXT, sync_to_thread=True)
def thread() -> str:
    return sources.work()


@get("/plain")
async def plain() -> sources.Row:
    return dict(sources.PLAIN)


@get("/hot")
async def hot() -> Stream:
    return Stream(sources.hot(), media_type=TEXT)


@get("/ticks/{milliseconds:int}")
async def ticks(milliseconds: FromPath[int]) -> Stream:
    return Stream(sources.ticks(milliseconds), media_type=TEXT)


@get("/idle")
async def idle() -> Stream:
    return Stream(sources.beating(), media_type="text/event-stream")


@get("/tasks", media_type=MediaType.TEXT)
async def tasks() -> str:
    return sources.tasks()


app = Litestar(
    [burst, chunks, paced, short, file, sse, ndjson, blocking, blocked, thread, plain, hot, ticks, idle, tasks],
    openapi_config=None,
)


@get("/chat/{ticket:int}")
async def chat(ticket: FromPath[int]) -> Stream:
    return Stream(sources.chat(ticket), media_type="text/event-stream")


def compressed() -> Litestar:
    """The chat and the silent stream, in br or gzip."""
    return Litestar([chat, idle], openapi_config=None, compression_config=CompressionConfig(backend="brotli"))


def routed(count: int) -> Litestar:
    """So many routes."""

    async def item(item: FromPath[str]) -> object:
        return item

    paths = [f"/area{number}/items/{{item:str}}" for number in range(count)]
    return Litestar([get(path, media_type=MediaType.TEXT)(item) for path in paths], openapi_config=None)
