"""The event streams with Starlette and sse-starlette, as its documents have them."""

from collections.abc import AsyncIterator
from typing import cast

from sse_starlette import EventSourceResponse, JSONServerSentEvent, ServerSentEvent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from benchmarks.apps import sources
from benchmarks.apps.fanout import Topic, queued
from rawasgi.asgi import App


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


def fanout() -> App:
    """One topic, many followers; each encodes the event for itself."""

    def follower(topic: Topic) -> App:
        return cast(App, EventSourceResponse(each(topic.follow())))

    return queued(follower, bytes)


async def each(events: AsyncIterator[bytes]) -> AsyncIterator[ServerSentEvent]:
    async for event in events:
        yield ServerSentEvent(event.decode(), id=f"00000000-00000000-{event.decode()}", sep="\n")
