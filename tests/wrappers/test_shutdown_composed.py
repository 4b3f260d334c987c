"""Drain around apps of other frameworks, middleware and trailers: a final event or a visible cut, never less."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import clock
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from rawasgi import respond
from rawasgi.asgi import App, Receive, Scope, Send
from rawasgi.dev.client import HTTPClient, connect
from rawasgi.formats.endings import CutOff
from rawasgi.shutdown import Drain
from rawasgi.trailers import content_digest, trailers

TRAILERS = {"scope": {"extensions": {"http.response.trailers": {}}}, "headers": {"te": "trailers"}}


async def chunks(first: str) -> AsyncIterator[str]:
    yield first
    await asyncio.Event().wait()


def streaming(media_type: str, first: str) -> App:
    """A FastAPI app with a function middleware around a stream of *media_type*."""
    app = FastAPI()

    @app.middleware("http")
    async def middleware(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        return await call_next(request)

    @app.get("/")
    async def endpoint() -> StreamingResponse:
        return StreamingResponse(chunks(first), media_type=media_type)

    return app


def drained(app: App, **options: object) -> HTTPClient:
    """The client of *app* after Drain has begun in mid-stream. Raises: what *app* raises."""

    async def script() -> HTTPClient:
        drain = Drain()
        async with connect(drain(app), **options) as client:  # type: ignore[arg-type]
            await client.started()
            await asyncio.sleep(0.5)
            drain.begin()
            await client.finished()
        assert drain.open == 0
        return client

    return clock.run(script())


def test_the_end_that_a_middleware_writes_is_replaced_by_the_final_event() -> None:
    body = drained(streaming("text/event-stream", "data: a\n\n")).body
    assert body.startswith(b"data: a\n\nevent: close\ndata: ")
    assert body.count(b"event: close") == 1


def test_the_end_that_a_middleware_writes_is_cut_without_a_final_event() -> None:
    with pytest.raises(CutOff, match="application/octet-stream"):
        drained(streaming("application/octet-stream", "half"))


def ending(media_type: bytes, first: bytes, last: bytes, trailers: bool = False) -> App:
    """An app that receives the disconnect, then ends the body with *last*, and goes on sending."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        headers = [(b"content-type", media_type)]
        await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": trailers})
        await send({"type": "http.response.body", "body": first, "more_body": True})
        await receive()
        await send({"type": "http.response.body", "body": last})
        await send({"type": "http.response.body", "body": b"too late", "more_body": True})
        await send({"type": "http.response.trailers", "headers": [(b"of", b"half a body")]})

    return app


async def is_disconnected(receive: Receive) -> bool:
    """Whether the app receives a disconnect within a second."""
    try:
        async with asyncio.timeout(1):
            return (await receive())["type"] == "http.disconnect"
    except TimeoutError:
        return False


def test_what_the_last_message_of_an_app_has_comes_before_the_final_event() -> None:
    client = drained(ending(b"application/x-ndjson", b"1\n", b"2\n", trailers=True), **TRAILERS)
    first, second, final = client.body.splitlines()
    assert (first, second) == (b"1", b"2")
    assert b"shutdown" in final
    assert [message["type"] for _, message in client.messages[-2:]] == ["http.response.body", "http.response.trailers"]
    assert client.trailers == []


def test_the_final_event_of_an_array_follows_what_the_last_message_began() -> None:
    assert json.loads(drained(ending(b"application/json", b"", b"[1")).body)[0] == 1


def test_an_app_that_swallows_the_cut_is_cut_all_the_same() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with pytest.raises(CutOff):
            await ending(b"image/png", b"1", b"2")(scope, receive, send)

    with pytest.raises(CutOff):
        drained(app)


def test_an_end_that_comes_before_the_app_saw_the_disconnect_is_its_own() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"image/png")]})
        await send({"type": "http.response.body", "body": b"1", "more_body": True})
        await asyncio.sleep(1)
        await send({"type": "http.response.body", "body": b"2"})

    assert drained(app).body == b"12"


@pytest.mark.parametrize(("method", "status"), [("GET", 204), ("GET", 304), ("HEAD", 200)])
def test_a_response_without_a_body_has_no_final_event(method: str, status: int) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.sleep(1)
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        assert not await is_disconnected(receive)
        await send({"type": "http.response.body"})

    async def script() -> list[object]:
        drain = Drain()
        async with connect(drain(app), method) as client:
            await asyncio.sleep(0.5)
            drain.begin()
            await client.finished()
        return [message.get("body", b"") for _, message in client.messages if message["type"] == "http.response.body"]

    assert clock.run(script()) == [b""]


def test_announced_trailers_are_sent_without_the_fields_of_half_a_body() -> None:
    client = drained(trailers(respond.sse(chunks("a")), content_digest), **TRAILERS)
    assert b"event: close" in client.body
    assert [message["type"] for _, message in client.messages[-2:]] == ["http.response.body", "http.response.trailers"]
    assert client.trailers == []


def test_trailers_around_drain_have_the_final_event_in_their_digest() -> None:
    async def script() -> HTTPClient:
        drain = Drain()
        async with connect(trailers(drain(respond.sse(chunks("a"))), content_digest), **TRAILERS) as client:  # type: ignore[arg-type]
            await client.chunk()
            drain.begin()
            await client.finished()
        return client

    assert [name for name, _ in clock.run(script()).trailers] == [b"content-digest"]


@pytest.mark.parametrize("own", [True, False], ids=["its own trailers", "no trailers"])
def test_an_app_that_ended_its_body_may_still_send_its_trailers(own: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": True})
        await send({"type": "http.response.body", "body": b"1", "more_body": True})
        await asyncio.sleep(1)
        await send({"type": "http.response.body", "body": b"2"})
        if own:
            await send({"type": "http.response.trailers", "headers": [(b"a", b"1")], "more_trailers": True})
            await send({"type": "http.response.trailers", "headers": [(b"b", b"2")]})

    client = drained(app, **TRAILERS)
    assert client.body == b"12"
    assert client.trailers == ([(b"a", b"1"), (b"b", b"2")] if own else [])
    assert client.messages[-1][1]["type"] == "http.response.trailers"


def test_an_app_that_ended_its_body_receives_no_disconnect_before_its_trailers() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": True})
        await send({"type": "http.response.body", "body": b"1"})
        assert not await is_disconnected(receive)
        await send({"type": "http.response.trailers", "headers": [(b"a", b"1")]})

    assert drained(app, **TRAILERS).trailers == [(b"a", b"1")]


def test_a_client_that_disconnected_before_needs_no_final_event() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"image/png")]})
        await receive()
        await asyncio.sleep(1)

    async def script() -> None:
        drain = Drain()
        async with connect(drain(app)) as client:
            await asyncio.sleep(0.5)
            await client.leave()
            await asyncio.sleep(0.1)
            drain.begin()
            await client.finished()

    clock.run(script())
