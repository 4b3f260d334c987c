"""The event streams with Starlette and sse-starlette, as its documents have them."""

from collections.abc import AsyncIterator

from sse_starlette import EventSourceResponse, JSONServerSentEvent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from benchmarks.apps import sources


async def events(rows: AsyncIterator[sources.Row]) -> AsyncIterator[JSONServerSentEvent]:
    async for row in rows:
        yield JSONServerSentEvent(row)


async def sse(request: Request) -> EventSourceResponse:
    return EventSourceResponse(events(sources.rows(request.path_params["count"])))


async def idle(request: Request) -> EventSourceResponse:
    return EventSourceResponse(events(sources.silence()))  # 15 seconds are its default


async def tasks(request: Request) -> Response:
    return PlainTextResponse(sources.tasks())


app = Starlette(routes=[Route("/sse/{count:int}", sse), Route("/idle", idle), Route("/tasks", tasks)])
