"""Endpoints that yield: StreamRoute serves what FastAPI serves, and closes them at once."""

import asyncio
import inspect
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import fastapi.sse
import pytest
from clock import outside, run
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Header, Response
from fastapi.exceptions import ResponseValidationError
from fastapi.sse import EventSourceResponse, ServerSentEvent
from fastapi.testclient import TestClient
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from rawasgi.dev.client import connect, fetch
from rawasgi.familiar import fastapi as ours
from rawasgi.familiar.fastapi import StreamRoute

Log = list[str]


def asgi(app: FastAPI) -> Any:
    return app


class Item(BaseModel):
    name: str
    size: float = 1


@dataclass
class Plain:
    name: str


def app_of(log: Log, route_class: Any, event_source: Any, event: Any) -> Any:
    router = APIRouter(route_class=route_class)

    async def session(response: Response) -> AsyncIterator[str]:
        response.headers["x-session"] = "1"
        response.set_cookie("a", "b")
        log.append("session begins")
        yield "s"
        log.append("session ends")

    @router.get("/typed", response_class=event_source)
    async def typed(user: Annotated[str, Header()] = "", s: str = Depends(session)) -> AsyncIterable[Item]:
        yield Item(name="项")
        yield {"name": user, "size": 2}  # type: ignore[misc]

    @router.post("/events", response_class=event_source, status_code=201)
    def events(response: Response, tasks: BackgroundTasks, item: Item) -> Iterator[Any]:
        response.headers["x-own"] = "1"
        tasks.add_task(log.append, "task")
        yield event(data="text", event="e", id="1", retry=5)
        yield event(data=item)
        yield event(raw_data="two\nlines", comment="c")
        yield event(comment="only")
        yield {"nan": float("nan"), "list": [1, None, {"deep": float("inf")}], "plain": Plain("x"), "set": {1}}

    @router.get("/lines")
    async def lines() -> AsyncIterable[Item]:
        yield Item(name="a")
        yield {"name": "b"}  # type: ignore[misc]

    @router.get("/untyped")
    def untyped(response: Response) -> Any:
        response.status_code = 202
        yield {"name": "a"}
        yield Item(name="b")

    @router.get("/raw", response_class=StreamingResponse, status_code=206)
    async def raw() -> AsyncIterator[Any]:
        yield "a"
        yield b"b"

    class Csv(StreamingResponse):
        media_type = "text/csv"

    @router.get("/csv", response_class=Csv)
    def csv() -> Iterator[str]:
        yield "a,b"

    @router.get("/whole")
    async def whole() -> Item:
        return Item(name="whole")

    app = FastAPI()
    app.include_router(router, prefix="/api")
    return app


def both() -> tuple[tuple[Any, Log], tuple[Any, Log]]:
    theirs, own = Log(), Log()
    first = app_of(theirs, fastapi.routing.APIRoute, EventSourceResponse, ServerSentEvent)
    return (first, theirs), (app_of(own, StreamRoute, ours.EventSourceResponse, ours.ServerSentEvent), own)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "typed", None),
        ("POST", "events", {"name": "posted"}),
        ("POST", "events", {"bad": "body"}),
        ("GET", "lines", None),
        ("GET", "untyped", None),
        ("GET", "raw", None),
        ("GET", "csv", None),
        ("GET", "whole", None),
    ],
)
def test_the_response_is_the_one_of_fastapi(method: str, path: str, body: dict[str, str] | None) -> None:
    (theirs, their_log), (own, own_log) = both()
    expected = TestClient(theirs).request(method, f"/api/{path}", json=body, headers={"user": "u"})
    result = TestClient(own).request(method, f"/api/{path}", json=body, headers={"user": "u"})
    assert (result.status_code, result.text) == (expected.status_code, expected.text)
    assert result.headers.multi_items() == expected.headers.multi_items()
    assert own_log == their_log


def test_openapi_is_the_one_of_fastapi() -> None:
    (theirs, _), (own, _) = both()
    assert own.openapi() == theirs.openapi()


def test_text_is_utf_8_where_fastapi_escapes_it() -> None:
    app = FastAPI()
    app.router.route_class = StreamRoute

    @app.get("/lines")
    async def lines() -> Any:
        yield {"text": "你好 \ud83d"}

    assert TestClient(app).get("/lines").content == '{"text": "你好 \\ud83d"}\n'.encode()


def test_an_item_that_is_not_what_the_annotation_says_is_an_error() -> None:
    app = FastAPI()
    app.router.route_class = StreamRoute

    @app.get("/lines")
    async def lines() -> AsyncIterable[Item]:
        yield {"name": "a"}  # type: ignore[misc]
        yield {"size": "no number"}  # type: ignore[misc]

    with pytest.raises(ResponseValidationError):
        TestClient(app).get("/lines")


def test_a_comment_is_sent_in_silence_at_the_interval_of_the_route_or_of_fastapi(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Often(StreamRoute):
        ping_interval = 5.0

    async def events() -> AsyncIterator[int]:
        await asyncio.sleep(12)
        yield 1

    app = FastAPI()
    for route in (StreamRoute, Often):
        app.router.add_api_route(
            f"/{route.__name__}", events, response_class=EventSourceResponse, route_class_override=route
        )
    assert run(fetch(asgi(app), "/StreamRoute")).body == b"data: 1\n\n"
    assert run(fetch(asgi(app), "/Often")).body == b": ping\n\n: ping\n\ndata: 1\n\n"
    monkeypatch.setattr(fastapi.routing, "_PING_INTERVAL", 8)  # as FastAPI's own tests do
    assert run(fetch(asgi(app), "/StreamRoute")).body == b": ping\n\ndata: 1\n\n"


@pytest.mark.parametrize("response_class", [EventSourceResponse, StreamingResponse, None])
def test_the_endpoint_is_closed_before_its_dependencies_when_the_client_disconnects(response_class: Any) -> None:
    order: list[object] = []

    async def session() -> AsyncIterator[str]:
        yield "session"
        order.append("session ends")

    app = FastAPI()
    app.router.route_class = StreamRoute

    async def stream(_: str = Depends(session)) -> AsyncIterator[str]:
        task = asyncio.current_task()
        try:
            yield "a"
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.01)
            order.append(asyncio.current_task() is task)

    options: dict[str, Any] = {} if response_class is None else {"response_class": response_class}
    app.get("/stream", **options)(stream)

    async def main() -> None:
        async with connect(asgi(app), target="/stream") as client:
            await client.chunk()
            await client.leave()
            with outside():
                await client.finished()

    run(main())
    assert order == [True, "session ends"]


def test_the_app_and_the_routers_that_are_imported_here_have_such_routes() -> None:
    app, router = ours.FastAPI(title="t"), ours.APIRouter(prefix="/in")

    @app.get("/own")
    @router.get("/own")
    async def stream() -> AsyncIterator[str]:
        yield "你好"

    app.include_router(router)
    for path in ("/own", "/in/own"):
        assert TestClient(app).get(path).content == '"你好"\n'.encode()
    assert TestClient(app).get("/docs").status_code == 200


def test_a_router_keeps_the_class_of_routes_that_it_is_given_and_its_signature() -> None:
    class Own(fastapi.routing.APIRoute):
        pass

    assert ours.APIRouter(route_class=Own).route_class is Own
    assert ours.APIRouter().route_class is StreamRoute
    assert inspect.signature(ours.APIRouter) == inspect.signature(APIRouter)
    assert inspect.signature(ours.FastAPI) == inspect.signature(FastAPI)
