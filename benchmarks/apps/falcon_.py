"""The endpoints with Falcon, as its documents have them. It streams async iterables only."""

import asyncio
from collections.abc import AsyncIterator

from falcon.asgi import App, Request, Response, SSEvent

from benchmarks.apps import sources

TEXT, LINES = "text/plain; charset=utf-8", "application/x-ndjson"


class Burst:
    async def on_get(self, request: Request, response: Response, count: int) -> None:
        response.content_type = TEXT
        response.stream = sources.ready(count)


class Chunks:
    async def on_get(self, request: Request, response: Response, size: int, count: int) -> None:
        response.content_type = TEXT
        response.stream = sources.sized(size, count)


class Paced:
    async def on_get(self, request: Request, response: Response, count: int) -> None:
        response.content_type = TEXT
        response.stream = sources.paced(count)


class Short:
    async def on_get(self, request: Request, response: Response) -> None:
        response.content_type = TEXT
        response.stream = sources.ready(sources.FEW)


class Events:
    async def on_get(self, request: Request, response: Response, count: int) -> None:
        async def events() -> AsyncIterator[SSEvent]:
            async for row in sources.rows(count):
                yield SSEvent(json=row)

        response.sse = events()


class Lines:
    async def on_get(self, request: Request, response: Response, count: int) -> None:
        response.content_type = LINES
        response.stream = sources.lines(count)


class Plain:
    async def on_get(self, request: Request, response: Response) -> None:
        response.media = sources.PLAIN


class Hot:
    async def on_get(self, request: Request, response: Response) -> None:
        response.content_type = TEXT
        response.stream = sources.hot()


class Ticks:
    async def on_get(self, request: Request, response: Response, milliseconds: int) -> None:
        response.content_type = TEXT
        response.stream = sources.ticks(milliseconds)


class Idle:
    async def on_get(self, request: Request, response: Response) -> None:
        async def events() -> AsyncIterator[SSEvent | None]:
            yield SSEvent(json={"number": 0})
            while True:
                await asyncio.sleep(sources.BEAT)
                yield None  # a ping

        response.sse = events()


class Tasks:
    async def on_get(self, request: Request, response: Response) -> None:
        response.content_type = TEXT
        response.text = sources.tasks()


sources.FILES.mkdir(exist_ok=True)
app = App()
app.add_static_route("/file", str(sources.FILES))
app.add_route("/burst/{count:int}", Burst())
app.add_route("/chunks/{size:int}/{count:int}", Chunks())
app.add_route("/paced/{count:int}", Paced())
app.add_route("/short", Short())
app.add_route("/sse/{count:int}", Events())
app.add_route("/ndjson/{count:int}", Lines())
app.add_route("/plain", Plain())
app.add_route("/hot", Hot())
app.add_route("/ticks/{milliseconds:int}", Ticks())
app.add_route("/idle", Idle())
app.add_route("/tasks", Tasks())


class Item:
    async def on_get(self, request: Request, response: Response, item: str) -> None:
        response.content_type = TEXT
        response.text = item


def routed(count: int) -> App:
    """So many routes."""
    result = App()
    for number in range(count):
        result.add_route(f"/area{number}/items/{{item}}", Item())
    return result
