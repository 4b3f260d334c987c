"""The endpoints with Starlette, as its documents have them."""

from typing import cast

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from benchmarks.apps import sources
from benchmarks.apps.fanout import Topic, queued
from rawasgi.asgi import App

TEXT, EVENTS, LINES = "text/plain", "text/event-stream", "application/x-ndjson"


async def burst(request: Request) -> Response:
    return StreamingResponse(sources.ready(request.path_params["count"]), media_type=TEXT)


async def chunks(request: Request) -> Response:
    return StreamingResponse(sources.sized(request.path_params["size"], request.path_params["count"]), media_type=TEXT)


async def paced(request: Request) -> Response:
    return StreamingResponse(sources.paced(request.path_params["count"]), media_type=TEXT)


async def short(request: Request) -> Response:
    return StreamingResponse(sources.ready(sources.FEW), media_type=TEXT)


async def file(request: Request) -> Response:
    return FileResponse(sources.file(request.path_params["mebibytes"]), media_type="application/octet-stream")


async def sse(request: Request) -> Response:
    return StreamingResponse(sources.events(request.path_params["count"]), media_type=EVENTS)


async def ndjson(request: Request) -> Response:
    return StreamingResponse(sources.lines(request.path_params["count"]), media_type=LINES)


async def blocking(request: Request) -> Response:
    return StreamingResponse(sources.blocking(request.path_params["count"]), media_type=TEXT)


async def blocked(request: Request) -> Response:
    return StreamingResponse(sources.blocked(), media_type=TEXT)


def thread(request: Request) -> Response:
    return PlainTextResponse(sources.work())


async def plain(request: Request) -> Response:
    return JSONResponse(sources.PLAIN)


async def hot(request: Request) -> Response:
    return StreamingResponse(sources.hot(), media_type=TEXT)


async def ticks(request: Request) -> Response:
    return StreamingResponse(sources.ticks(request.path_params["milliseconds"]), media_type=TEXT)


async def idle(request: Request) -> Response:
    return StreamingResponse(sources.beating(), media_type=EVENTS)


async def tasks(request: Request) -> Response:
    return PlainTextResponse(sources.tasks())


app = Starlette(
    routes=[
        Route("/burst/{count:int}", burst),
        Route("/chunks/{size:int}/{count:int}", chunks),
        Route("/paced/{count:int}", paced),
        Route("/short", short),
        Route("/file/{mebibytes}", file),
        Route("/sse/{count:int}", sse),
        Route("/ndjson/{count:int}", ndjson),
        Route("/blocking/{count:int}", blocking),
        Route("/blocked", blocked),
        Route("/thread", thread),
        Route("/plain", plain),
        Route("/hot", hot),
        Route("/ticks/{milliseconds:int}", ticks),
        Route("/idle", idle),
        Route("/tasks", tasks),
    ]
)


async def chat(request: Request) -> Response:
    return StreamingResponse(sources.chat(request.path_params["ticket"]), media_type=EVENTS)


def compressed() -> Starlette:
    """The chat and the silent stream, in gzip if Starlette will."""
    routes = [Route("/chat/{ticket:int}", chat), Route("/idle", idle)]
    return Starlette(routes=routes, middleware=[Middleware(GZipMiddleware)])


async def item(request: Request) -> Response:
    return PlainTextResponse(request.path_params["item"])


def routed(count: int) -> Starlette:
    """So many routes."""
    return Starlette(routes=[Route(f"/area{number}/items/{{item}}", item) for number in range(count)])


def fanout() -> App:
    """One topic, many followers."""

    def follower(topic: Topic) -> App:
        return cast(App, StreamingResponse(topic.follow(), media_type=EVENTS))

    return queued(follower)
