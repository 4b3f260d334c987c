"""The responses for FastAPI apps: FastAPI treats them as its own, and they are sent as ours are."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import fastapi.sse
import pytest
import sse_starlette
import starlette.responses
from clock import outside, run
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient
from starlette.background import BackgroundTask
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.websockets import WebSocket

from rawasgi.dev.client import connect, fetch
from rawasgi.familiar import fastapi as ours


def parameters(function: Callable[..., object]) -> list[tuple[str, object]]:
    return [(each.name, each.default) for each in inspect.signature(function).parameters.values()]


async def words(*items: object) -> AsyncIterator[object]:
    for item in items:
        yield item
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("own", "theirs"),
    [
        (ours.StreamingResponse, starlette.responses.StreamingResponse),
        (ours.FileResponse, starlette.responses.FileResponse),
        (ours.EventSourceResponse, sse_starlette.EventSourceResponse),
    ],
)
def test_signatures_are_those_of_the_class_that_is_replaced(
    own: Callable[..., object], theirs: Callable[..., object]
) -> None:
    assert parameters(own) == parameters(theirs)


def test_fastapi_takes_them_for_its_own_classes() -> None:
    assert issubclass(ours.StreamingResponse, starlette.responses.StreamingResponse)
    assert issubclass(ours.FileResponse, starlette.responses.FileResponse)
    assert issubclass(ours.EventSourceResponse, fastapi.sse.EventSourceResponse)
    assert issubclass(ours.ServerSentEvent, fastapi.sse.ServerSentEvent)


def app_with(*routes: Callable[..., object], **options: Any) -> Any:
    app = FastAPI()
    for route in routes:
        app.add_api_route("/" + route.__name__, route, **options)
    return app


def test_background_tasks_cookies_headers_and_status_are_kept() -> None:
    done: list[str] = []

    async def stream(tasks: BackgroundTasks) -> Response:
        tasks.add_task(done.append, "work")
        response = ours.StreamingResponse(words("a", b"b"), media_type="text/plain", headers={"X-One": "1"})
        response.set_cookie("k", "v")
        response.headers["x-two"] = "2"
        response.status_code = 201
        return response

    result = run(fetch(app_with(stream, response_class=ours.StreamingResponse), "/stream"))
    assert (result.status, result.body, done) == (201, b"ab", ["work"])
    assert result.header("content-type") == "text/plain; charset=utf-8"
    assert (result.header("x-one"), result.header("x-two")) == ("1", "2")
    assert (result.header("set-cookie") or "").startswith("k=v")


def test_a_background_of_its_own_is_run_after_the_body() -> None:
    order: list[str] = []

    async def source() -> AsyncIterator[str]:
        yield "a"
        order.append("source")

    async def stream() -> Response:
        return ours.StreamingResponse(source(), background=BackgroundTask(order.append, "background"))

    run(fetch(app_with(stream), "/stream"))
    assert order == ["source", "background"]


def test_a_dependency_is_left_after_the_source_is_closed_when_the_client_disconnects() -> None:
    order: list[str] = []

    async def session() -> AsyncIterator[str]:
        yield "session"
        order.append("dependency")

    async def source() -> AsyncIterator[str]:
        try:
            yield "a"
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.01)
            order.append("source")

    async def stream(_: str = Depends(session)) -> Response:
        return ours.StreamingResponse(source(), background=BackgroundTask(order.append, "background"))

    async def main() -> None:
        async with connect(app_with(stream), "GET", "/stream") as client:
            assert await client.chunk() == b"a"
            await client.leave()
            with outside():
                await client.finished()

    run(main())
    assert order == ["source", "background", "dependency"]


def test_an_error_before_the_first_item_is_answered_by_the_exception_handlers_of_the_app() -> None:
    async def failing() -> AsyncIterator[str]:
        if inspect.isasyncgenfunction(failing):
            raise HTTPException(409, "not now")
        yield ""

    async def stream() -> Response:
        return ours.StreamingResponse(failing())

    assert run(fetch(app_with(stream), "/stream")).status == 409

    async def teapot(request: Request, error: Exception) -> Response:
        return PlainTextResponse("teapot", 418)

    app = app_with(stream)
    app.add_exception_handler(HTTPException, teapot)
    assert run(fetch(app, "/stream")).status == 418


def test_a_subclass_that_sends_by_itself_is_sent_by_starlette() -> None:
    class Own(ours.StreamingResponse):
        async def stream_response(self, send: Any) -> None:
            self.headers["x-own"] = "1"
            await super().stream_response(send)

    async def stream() -> Response:
        return Own(words("a", "b"))

    result = run(fetch(app_with(stream), "/stream"))
    assert (result.body, result.header("x-own")) == (b"ab", "1")


def test_media_type_charset_and_join_of_a_subclass() -> None:
    class Csv(ours.StreamingResponse):
        media_type = "text/csv"
        charset = "utf-16-le"
        join = False

    async def stream() -> Response:
        return Csv(iter(["a", "b"]))

    app = app_with(stream)
    result = run(fetch(app, "/stream"))
    assert (result.body, result.header("content-type")) == ("ab".encode("utf-16-le"), "text/csv; charset=utf-16-le")


def test_a_body_iterator_that_was_replaced_is_sent() -> None:
    async def stream() -> Response:
        response = ours.StreamingResponse(words("a", "b"))
        inner = response.body_iterator

        async def doubled() -> AsyncIterator[str]:
            async for item in inner:
                yield str(item) * 2

        response.body_iterator = doubled()
        return response

    assert run(fetch(app_with(stream), "/stream")).body == b"aabb"


def test_inside_an_http_middleware_and_the_test_client() -> None:
    async def stream() -> Response:
        return ours.StreamingResponse(words("a", "b"))

    async def mark(request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers["x-mark"] = "1"
        return response

    app = app_with(stream)
    app.add_middleware(BaseHTTPMiddleware, dispatch=mark)
    result = TestClient(app).get("/stream")
    assert (result.text, result.headers["x-mark"]) == ("ab", "1")


def test_a_websocket_is_denied_by_a_stream() -> None:
    app = FastAPI()

    @app.websocket("/ws")
    async def refuse(websocket: WebSocket) -> None:
        await websocket.send_denial_response(ours.StreamingResponse(words("no"), 403))

    from starlette.testclient import WebSocketDenialResponse

    with pytest.raises(WebSocketDenialResponse) as refused, TestClient(app).websocket_connect("/ws"):
        pass
    assert (refused.value.status_code, refused.value.text) == (403, "no")


# Files


def test_a_file_has_ranges_and_what_the_endpoint_set(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"0123456789")

    async def download() -> Response:
        response = ours.FileResponse(file, filename="b.txt", stat_result=file.stat())
        response.set_cookie("k", "v")
        return response

    result = run(fetch(app_with(download), "/download", headers=[("range", "bytes=2-4")]))
    assert (result.status, result.body) == (206, b"234")
    assert (result.header("set-cookie") or "").startswith("k=v")
    assert "b.txt" in (result.header("content-disposition") or "")


def test_a_missing_file_is_404(tmp_path: Path) -> None:
    async def download() -> Response:
        return ours.FileResponse(tmp_path / "none")

    assert run(fetch(app_with(download), "/download")).status == 404


# Events, as sse-starlette has them


def events(*items: object, **options: Any) -> bytes:
    async def stream() -> Response:
        return ours.EventSourceResponse(words(*items), **options)

    result = run(fetch(app_with(stream), "/stream"))
    assert (result.header("content-type") or "").startswith("text/event-stream")
    assert (result.header("cache-control"), result.header("x-accel-buffering")) == ("no-store", "no")
    return result.body


def test_items_are_what_sse_starlette_makes_of_them() -> None:
    own = ours.ServerSentEvent("text", event="e", id=1, sep="\n")
    theirs = sse_starlette.ServerSentEvent("text", event="e", id="1", sep="\n")
    assert events(own) == events(theirs) == theirs.encode()
    assert events("a") == b"data: a\r\n\r\n"
    assert events({"data": "a", "id": "1"}, sep="\n") == b"id: 1\ndata: a\n\n"


def test_a_ping_is_sent_in_silence_and_its_interval_can_be_set() -> None:
    def ping() -> ours.ServerSentEvent:
        return ours.ServerSentEvent(comment="still here", sep="\n")

    async def silent() -> AsyncIterator[str]:
        await asyncio.sleep(12)
        yield "a"

    async def stream() -> Response:
        response = ours.EventSourceResponse(silent(), ping_message_factory=ping)
        assert response.ping_interval == 15
        response.ping_interval = 5
        return response

    assert run(fetch(app_with(stream), "/stream")).body == b": still here\n\n" * 2 + b"data: a\r\n\r\n"


def test_an_event_that_fastapi_refuses_is_refused() -> None:
    with pytest.raises(ValueError, match="single line"):
        ours.ServerSentEvent("a", event="b\nc")


def test_what_sse_starlette_lets_an_app_set_is_used_as_it_is_sent() -> None:
    sent: list[bytes] = []

    async def sender() -> None:
        sent.append(b"sender")

    async def stream() -> Response:
        response = ours.EventSourceResponse(words("a"), ping=1)
        response.sep = "\n"
        response.data_sender_callable = sender
        assert response.active
        responses.append(response)
        return response

    responses: list[ours.EventSourceResponse] = []
    assert run(fetch(app_with(stream), "/stream")).body == b"data: a\n\n"
    assert (sent, responses[0].active) == ([b"sender"], False)
    with pytest.raises(NotImplementedError, match="compress"):
        responses[0].enable_compression()


def test_a_file_has_the_headers_of_starlette(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"0123456789")
    for name in ("report.csv", "名 1.unknown"):
        own = ours.FileResponse(file, filename=name, content_disposition_type="inline")
        theirs = starlette.responses.FileResponse(file, filename=name, content_disposition_type="inline")
        assert own.raw_headers == theirs.raw_headers
    assert ours.FileResponse(file, stat_result=file.stat()).headers["content-length"] == "10"


def test_a_file_whose_class_sets_other_headers_is_sent_by_starlette(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"0123456789")

    class Own(ours.FileResponse):
        def set_stat_headers(self, stat_result: Any) -> None:
            super().set_stat_headers(stat_result)
            self.headers["etag"] = '"own"'

    async def download() -> Response:
        return Own(file)

    async def main() -> Any:
        with outside():
            return await fetch(app_with(download), "/download", validated=False)

    result = run(main())
    assert (result.body, result.header("etag")) == (b"0123456789", '"own"')
