"""Both apps in one server: rawasgi at /, the FastAPI twin below /fastapi, nine rows by hand below /naked, and a page.

``uvicorn examples.demo:app``. An app is a function, so that one app of three is a function too, and so is one that the
page looks into: ``watched(app)``.
"""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

from starlette.middleware.gzip import GZipMiddleware

from examples import naked, raw
from examples.lab.checks import Checks
from examples.lab.serving import lab, page
from examples.lab.watching import Watching, watched
from examples.listing import listing, wants_page
from examples.raw.routes import router as raw_rows
from examples.twin import app as twin
from rawasgi.asgi import App, Receive, Scope, Send
from rawasgi.compression import compress
from rawasgi.lifespans import lifespan
from rawasgi.paths import route_path
from rawasgi.request import Request
from rawasgi.routing import Router
from rawasgi.shutdown import Drain

drain = Drain()  # on Ctrl-C each stream says good-bye, FastAPI's too
watching = Watching()
rows = watched(raw_rows, "rawasgi", watching, compress(raw_rows))
front = Router()
front.mount("/fastapi", watched(twin, "FastAPI", watching, GZipMiddleware(twin)))
front.mount("/naked", watched(naked.app, "naked", watching))
behind = lab(watching, Checks())


@front.get("/")
async def all_rows(request: Request) -> App:
    """All rows: the page for browsers, else a list."""
    return page() if wants_page(request) else listing(request, {"rawasgi": "", "FastAPI": "/fastapi"})


def both(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
    """Hand /, /fastapi and /naked to the front, what is below /lab to the page, everything else to rawasgi's rows."""
    path = "" if scope["type"] == "lifespan" else route_path(scope)
    app = front if path == "/" else PREFIXES.get(path.split("/", 2)[1] if "/" in path else "", rows)
    return app(scope, receive, send)


PREFIXES: dict[str, App] = {"fastapi": front, "naked": front, "lab": behind}


@asynccontextmanager
async def living() -> AsyncIterator[None]:
    """The lives of both. A mounted app gets no lifespan of its own: the server speaks only to the outermost."""
    async with drain.on_signals(), watching, raw.living(), twin.router.lifespan_context(twin):
        yield


app = lifespan(drain(both), living)
