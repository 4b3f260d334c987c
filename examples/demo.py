"""Both apps in one server: rawasgi at /, the FastAPI twin below /fastapi, and a page of all rows.

``uvicorn examples.demo:app``. An app is a function, so that one app of two is a function too.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from examples import raw
from examples.listing import listing
from examples.raw.routes import router as raw_rows
from examples.twin import app as twin
from rawasgi.asgi import App, Receive, Scope, Send
from rawasgi.lifespans import lifespan
from rawasgi.paths import own_path
from rawasgi.request import Request
from rawasgi.response import Response
from rawasgi.routing import Router
from rawasgi.shutdown import Drain

drain = Drain()  # on Ctrl-C each stream says good-bye, FastAPI's too
front = Router()
front.mount("/fastapi", cast(App, twin))  # FastAPI takes any mapping for a scope, where we say which


@front.get("/")
async def rows(request: Request) -> Response:
    """All rows, in both apps."""
    return listing(request, {"rawasgi": "", "FastAPI": "/fastapi"})


async def both(scope: Scope, receive: Receive, send: Send) -> None:
    """Hand / and what is below /fastapi to the front, everything else to rawasgi's rows."""
    path = "" if scope["type"] == "lifespan" else own_path(scope)
    in_front = path == "/" or f"{path}/".startswith("/fastapi/")
    await (front if in_front else raw_rows)(scope, receive, send)


@asynccontextmanager
async def living() -> AsyncIterator[None]:
    """The lives of both. A mounted app gets no lifespan of its own: the server speaks only to the outermost."""
    async with drain.on_signals(), raw.living(), twin.router.lifespan_context(twin):
        yield


app = lifespan(drain(both), living)
