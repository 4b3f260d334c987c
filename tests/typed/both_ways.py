"""Apps of FastAPI, Starlette and rawasgi, mounted and wrapped in each other, without a cast and without an ignore.

``mypy --strict`` and ``pyright`` in its strict mode check this file, and test_both_ways.py runs it. Each app is served
under ``FRONT`` and ``API``: rawasgi's Router outermost, and FastAPI outermost.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request as StarletteRequest
from starlette.responses import PlainTextResponse
from starlette.responses import Response as StarletteResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp
from starlette.types import Receive as StarletteReceive
from starlette.types import Scope as StarletteScope
from starlette.types import Send as StarletteSend

import rawasgi
from rawasgi import familiar, respond
from rawasgi.app_types import AnyReceive, AnyScope, AnySend, App, as_app
from rawasgi.asgi import Receive, Scope, Send, Sent
from rawasgi.background import after
from rawasgi.compression import compress
from rawasgi.decompression import decompress
from rawasgi.familiar.fastapi import StreamingResponse
from rawasgi.lifespans import lifespan
from rawasgi.shutdown import Drain

Next = Callable[[StarletteRequest], Awaitable[StarletteResponse]]
drain = Drain()

# rawasgi's own: a Router, a function of precise types, a class, a middleware

router = rawasgi.Router()


@router.get("/items", respond.ndjson)
async def items(request: rawasgi.Request) -> AsyncIterator[dict[str, int]]:
    for number in range(request.query("count", int, default=2)):
        yield {"number": number}


@router.websocket("/echo")
async def echo(websocket: rawasgi.WebSocket) -> None:
    await websocket.accept()
    async for message in websocket:
        await websocket.send(message)


@as_app
async def precise(scope: Scope, receive: Receive, send: Send) -> None:
    """Write both messages by hand; a misspelled key would be an error."""
    if scope["type"] != "http":
        raise RuntimeError(scope["type"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-method", scope["method"].encode())]})
    await send({"type": "http.response.body", "body": b"by hand", "more_body": False})


class Greeting:
    """An app that is an object: AnyScope, AnyReceive and AnySend let every library take it."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def __call__(self, scope: AnyScope, receive: AnyReceive, send: AnySend) -> None:
        await respond.text(f"hello {self.name}")(scope, receive, send)


def tagged(app: App, tag: str = "rawasgi") -> App:
    """A middleware of precise types: it adds a header to each response of *app*."""

    async def with_tag(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_tag(message: Sent) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"x-tag", tag.encode())]
            await send(message)

        await app(scope, receive, send_with_tag)

    return with_tag


# Starlette's: an app, a pure middleware, a function for BaseHTTPMiddleware


async def page(request: StarletteRequest) -> StarletteResponse:
    return PlainTextResponse("a page")


class Timed:
    """A middleware in Starlette's types."""

    def __init__(self, app: ASGIApp, seconds: str = "0.1") -> None:
        self.app = app
        self.seconds = seconds

    async def __call__(self, scope: StarletteScope, receive: StarletteReceive, send: StarletteSend) -> None:
        scope["seconds"] = self.seconds
        await self.app(scope, receive, send)


async def pass_on(request: StarletteRequest, call_next: Next) -> StarletteResponse:
    return await call_next(request)


async def ours(request: StarletteRequest) -> familiar.StreamingResponse:
    """An endpoint of Starlette that returns a response of ours."""
    return familiar.StreamingResponse(words(), media_type="text/plain")


async def words() -> AsyncIterator[str]:
    for word in ("one", "two"):
        yield word


pages = Starlette(
    routes=[
        Route("/page", page),
        Route("/ours", ours),
        Mount("/router", app=router),
        Mount("/precise", app=precise),
        Mount("/greeting", app=Greeting("Starlette")),
        Mount("/response", app=respond.text("a response")),
        Mount("/familiar", app=familiar.PlainTextResponse("a familiar response")),
        Mount("/wrapped", app=compress(router), middleware=[Middleware(tagged, tag="mount")]),
    ],
    middleware=[
        Middleware(tagged, tag="Starlette"),
        Middleware(compress, minimum_bytes=100),
        Middleware(decompress, limit_bytes=1000),
        Middleware(drain),
        Middleware(Timed, seconds="0.2"),
    ],
)

# FastAPI outermost

API = FastAPI()
API.add_middleware(compress, minimum_bytes=100)
API.add_middleware(decompress)
API.add_middleware(drain)
API.add_middleware(tagged, tag="FastAPI")
API.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)
API.add_middleware(CORSMiddleware, allow_origins=["*"])
API.mount("/router", router)
API.mount("/precise", precise)
API.mount("/greeting", Greeting("FastAPI"))
API.mount("/response", respond.text("a response"))
API.mount("/wrapped", GZipMiddleware(CORSMiddleware(compress(drain(router)), allow_origins=["*"])))
API.mount("/dispatched", BaseHTTPMiddleware(router, dispatch=pass_on))


async def user(token: str = "nobody") -> AsyncIterator[str]:
    yield token.upper()


@API.get("/stream")
async def stream(name: Annotated[str, Depends(user)]) -> StreamingResponse:
    async def parts() -> AsyncIterator[str]:
        yield "hello "
        yield name

    return StreamingResponse(parts(), media_type="text/plain")


@API.get("/user")
async def greet(name: Annotated[str, Depends(user)]) -> dict[str, str]:
    return {"name": name}


@API.websocket("/echo")
async def echo_by_fastapi(websocket: WebSocket, name: Annotated[str, Depends(user)]) -> None:
    await websocket.accept()
    await websocket.send_text(f"{name}: {await websocket.receive_text()}")
    await websocket.close()


# rawasgi outermost


@asynccontextmanager
async def life() -> AsyncGenerator[None, None]:
    yield


async def work() -> None:
    """What is done after each exchange."""


front = rawasgi.Router()
front.mount("/fastapi", API)
front.mount("/starlette", pages)
front.mount("/base", BaseHTTPMiddleware(API, dispatch=pass_on))
front.mount("/gzip", GZipMiddleware(pages))
front.mount("/cors", CORSMiddleware(API, allow_origins=["*"]))
front.mount("/timed", Timed(router))
front.mount("/composed", compress(decompress(drain(after(tagged(API), work)))))
front.mount("/handler", rawasgi.handler(items, respond.sse))
front.route("GET", "/page", GZipMiddleware(PlainTextResponse("a response of Starlette's")))

FRONT: App = lifespan(drain(front), life)
