"""In other frameworks: a response in a Starlette route, an app in FastAPI and in Django, and middleware around us."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

import clock
import pytest
from fastapi import FastAPI
from serving import PATIENCE, Server, need
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request as TheirRequest
from starlette.responses import Response as TheirResponse
from starlette.routing import Mount, Route

from rawasgi import HTTPError, Request, Response, Router, respond
from rawasgi.asgi import App
from rawasgi.dev.client import connect, fetch

released: list[str] = []
router = Router()


async def endless(name: str) -> AsyncIterator[str]:
    try:
        yield "first"
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.01)  # a release that takes its time
        released.append(name)


@router.get("/events")
async def events(request: Request) -> Response:
    return respond.sse(endless("ours"))


@router.get("/place")
async def place(request: Request) -> list[str]:
    return [request.scope.get("root_path", ""), request.path]


@router.get("/visits")
async def visits(request: Request) -> str:
    session = cast(dict[str, dict[str, int]], request.scope)["session"]
    session["visits"] = session.get("visits", 0) + 1
    return f"{session['visits']}"


@router.get("/missing")
async def missing(request: Request) -> None:
    raise HTTPError(410, "it was here")


async def route(request: TheirRequest) -> Response:
    return respond.sse(endless("theirs"))


# FastAPI and Starlette take any mapping for a scope, where we say which.
ANY = cast(Any, router)
STARLETTE = Starlette(routes=[Route("/events", route), Mount("/ours", ANY)])
FASTAPI = FastAPI()
FASTAPI.mount("/ours", ANY)


@FASTAPI.get("/own")
async def own() -> str:
    return "FastAPI"


class Ours(TheirResponse):
    """FastAPI sends what is a Starlette response, and makes JSON of all else: so ours must look like one."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self._response = cast(Any, response)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._response(scope, receive, send)


@FASTAPI.get("/events")
async def fastapi_events() -> Ours:
    return Ours(respond.sse(endless("theirs")))


def around(middleware: Callable[..., object], **how: object) -> App:
    return cast(App, middleware(router, **how))


AROUND = {
    "cors": around(CORSMiddleware, allow_origins=["https://a.example"]),
    "sessions": around(SessionMiddleware, secret_key="for a test"),
    "trusted hosts": around(TrustedHostMiddleware, allowed_hosts=["a.example"]),
}
ORIGIN = [("origin", "https://a.example"), ("host", "a.example")]
STREAMS = [
    pytest.param(STARLETTE, "/events", id="a response in a route of Starlette"),
    pytest.param(STARLETTE, "/ours/events", id="in Starlette"),
    pytest.param(FASTAPI, "/events", id="a response in a route of FastAPI, in a class of Starlette's"),
    pytest.param(FASTAPI, "/ours/events", id="in FastAPI"),
    *(pytest.param(app, "/events", id=f"in {name}") for name, app in AROUND.items()),
]


@pytest.mark.parametrize(("app", "path"), STREAMS)
def test_each_item_comes_at_once_and_who_leaves_ends_the_source(app: App, path: str) -> None:
    released.clear()

    async def script() -> None:
        async with connect(app, "GET", path, headers=ORIGIN) as client:
            assert await client.until("\n\n") == b"data: first\n\n"
            assert await client.until("\n\n") == b": \n\n"  # the heartbeat
            await client.leave()
            await client.finished()
            assert len(released) == 1

    clock.run(script())


def test_a_mounted_app_knows_its_place_and_the_others_keep_theirs() -> None:
    async def script() -> None:
        for app in (STARLETTE, FASTAPI):
            assert (await fetch(app, "/ours/place")).json() == ["/ours", "/ours/place"]
            assert (await fetch(app, "/ours/missing")).status == 410
            assert (await fetch(app, "/ours/nowhere")).status == 404
        assert (await fetch(FASTAPI, "/own")).json() == "FastAPI"

    clock.run(script())


def test_cors_says_its_word_on_streams_and_on_errors_and_answers_preflights() -> None:
    app = AROUND["cors"]

    async def script() -> None:
        for path in ("/place", "/missing", "/nowhere"):
            answer = await fetch(app, path, headers=ORIGIN)
            assert answer.header("access-control-allow-origin") == "https://a.example"
            assert answer.header("vary") == ("Origin" if path == "/place" else "Accept, Origin")
        async with connect(app, "GET", "/events", headers=ORIGIN) as client:
            await client.until("\n\n")
            assert client.header("access-control-allow-origin") == "https://a.example"
        asked = [*ORIGIN, ("access-control-request-method", "GET")]
        assert (await fetch(app, "/events", method="OPTIONS", headers=asked)).status == 200

    clock.run(script())


def test_a_session_is_kept_in_its_cookie() -> None:
    app = AROUND["sessions"]

    async def script() -> None:
        first = await fetch(app, "/visits")
        cookie = (first.header("set-cookie") or "").partition(";")[0]
        second = await fetch(app, "/visits", headers=[("cookie", cookie)])
        assert (first.text, second.text) == ("1", "2")

    clock.run(script())


def test_a_host_that_is_not_trusted_gets_nothing() -> None:
    app = AROUND["trusted hosts"]

    async def script() -> None:
        assert (await fetch(app, "/place", headers=[("host", "b.example")])).status == 400
        assert (await fetch(app, "/place", headers=[("host", "a.example")])).status == 200

    clock.run(script())


# Django, on a real server: it has threads of its own


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    need("django")
    started = Server("uvicorn", "inside:app", tmp_path_factory.mktemp("inside") / "log")
    try:
        yield started
    finally:
        started.stop()


def test_django_has_us_inside_and_we_have_django(server: Server) -> None:
    async def script() -> None:
        client = await server.open("/ours/events/2")
        await client.until(b"data: 1\n\n")
        assert b"Django at /place, released: 0" in await server.get("/place")
        assert b"Django at /ours/theirs/place" in await server.get("/ours/theirs/place")
        assert b"of our lifespan" in await server.get("/ours/state")
        assert b" 404 " in await server.get("/nowhere")
        client.leave()
        async with asyncio.timeout(PATIENCE):
            while b"released: 1" not in await server.get("/"):
                await asyncio.sleep(0.01)

    asyncio.run(script())
