"""Routes in routers, mounts, sub-apps and hosts, with middleware around them: FastAPI in rawasgi, and the reverse."""

from collections.abc import AsyncIterator, Iterator

from fastapi import APIRouter, FastAPI
from fastapi.responses import StreamingResponse
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request as StarletteRequest
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Host, Mount, Route
from starlette.routing import Router as StarletteRouter
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket as StarletteWebSocket

from rawasgi import Request, Router, WebSocket
from rawasgi.shutdown import Drain

ours = Router()


@ours.get("/feed/{count:int}")
async def feed(request: Request) -> AsyncIterator[str]:
    yield "fed"
    yield "again"


@ours.websocket("/talk")
async def talk(websocket: WebSocket) -> None:
    await websocket.accept()


inner = APIRouter(prefix="/inner")


@inner.get("/{item_id}")
async def one(item_id: int) -> StreamingResponse:
    return StreamingResponse(iter([b"a", b"b"]))


@inner.websocket("/ws")
async def ws(websocket: StarletteWebSocket) -> None:
    await websocket.accept()


outer = APIRouter(prefix="/outer")
outer.include_router(inner)
outer.mount("/ours", GZipMiddleware(ours))

tenants = FastAPI(openapi_url=None)


@tenants.post("/chat")
def chat(question: str) -> Iterator[dict[str, str]]:
    yield {"answer": question}


async def plain(request: StarletteRequest) -> Response:
    return PlainTextResponse("plain")


class Things(HTTPEndpoint):
    async def get(self, request: StarletteRequest) -> Response:
        return PlainTextResponse("things")

    async def post(self, request: StarletteRequest) -> Response:
        return PlainTextResponse("made")


class Bare:
    """An ASGI app as an endpoint."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("bare")(scope, receive, send)


deep = [Mount("/deep", routes=[Route("/rest/{rest:path}", plain)])]
host = Host("api.example.org", app=StarletteRouter(routes=[Route("/by-host", plain)]))
starlette = Starlette(
    routes=[Route("/x", plain, methods=["GET", "POST"]), Route("/things", Things), Route("/bare", Bare()), *deep, host]
)

app = FastAPI(openapi_url=None)
app.include_router(outer, prefix="/v1")
app.mount("/static", StaticFiles(directory="."))
app.mount("/tenants/{tenant}", tenants)
app.mount("/starlette", starlette)

around = Router()
around.mount("/fast", app)
drained = Drain()(GZipMiddleware(around))
