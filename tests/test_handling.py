"""A function of a request, as an app: what it returns, and what becomes of its errors."""

import asyncio
import functools
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress

import clock
import pytest

from rawasgi import Router, respond
from rawasgi.asgi import Receive, Scope, Send
from rawasgi.dev.client import Result, connect, fetch, websocket
from rawasgi.errors import AppError, Disconnected, HTTPError
from rawasgi.handling import Function, handler
from rawasgi.request import Request
from rawasgi.response import Response
from rawasgi.streams import DeadlineExceeded, TooManyThreads, begun, timeout

SECRET = "secret of /srv/app.py"


def answer(function: Function, method: str = "GET") -> Result:
    return clock.run(fetch(handler(function), method=method))


def returning(value: object) -> Callable[[Request], Awaitable[object]]:
    async def function(request: Request) -> object:
        return value

    return function


def raising(error: BaseException) -> Callable[[Request], Awaitable[object]]:
    async def function(request: Request) -> object:
        raise error

    return function


def streaming(error: BaseException | None, *items: str, wait: float | None = None) -> Function:
    """A generator that waits *wait*, yields *items* and raises *error*."""

    async def function(request: Request) -> AsyncIterator[object]:
        if wait is not None:
            await asyncio.sleep(wait)
        for item in items:
            yield item
        if error is not None:
            raise error

    return function


def outcome(function: Function) -> tuple[int | None, bytes, BaseException | None]:
    """What came of *function*: the status, the body, and what was raised to the server."""

    async def script() -> tuple[int | None, bytes, BaseException | None]:
        async with connect(handler(function)) as client:
            with suppress(Exception):  # it is client.exception
                await client.finished()
            started = any(message.message["type"] == "http.response.start" for message in client.messages)
            return client.status if started else None, client.body, client.exception

    return clock.run(script())


# Functions


def blocking(request: Request) -> str:
    return "never"


def lazy(request: Request) -> object:
    yield "never"


class Callable_:
    async def __call__(self, request: Request) -> str:
        return "never"


@pytest.mark.parametrize("function", [blocking, lazy, Callable_(), lambda request: returning("x")(request), str, None])
def test_a_handler_must_be_async(function: Function) -> None:
    with pytest.raises(TypeError, match=r"async function or an async generator.*asyncio.to_thread\(\)") as caught:
        handler(function)
    assert repr(function) in str(caught.value)


class Service:
    async def answer(self, request: Request, word: str = "method") -> str:
        return word


def test_a_handler_may_be_a_method_or_partial() -> None:
    assert answer(Service().answer).text == "method"
    assert answer(functools.partial(Service().answer, word="partial")).text == "partial"


# What it returns


@pytest.mark.parametrize(
    ("value", "status", "media_type", "body"),
    [
        ("你", 200, "text/plain; charset=utf-8", "你".encode()),
        ("", 200, "text/plain; charset=utf-8", b""),
        (b"\x00", 200, "application/octet-stream", b"\x00"),
        ({"a": 1}, 200, "application/json", b'{"a":1}'),
        ([], 200, "application/json", b"[]"),
        (None, 204, None, b""),
        (respond.text("made", 201), 201, "text/plain; charset=utf-8", b"made"),
    ],
)
def test_what_is_returned_is_the_answer(value: object, status: int, media_type: str | None, body: bytes) -> None:
    result = answer(returning(value))
    assert (result.status, result.header("content-type"), result.body) == (status, media_type, body)


@pytest.mark.parametrize("value", [1, True, (1, 2), {1}, object(), bytearray(b"x"), 1.5])
def test_what_is_no_answer_is_500_and_a_type_error_for_the_log(value: object) -> None:
    status, body, error = outcome(returning(value))
    assert (status, body) == (500, b"Internal Server Error")
    assert isinstance(error, TypeError)
    assert str(error).startswith("a handler must return a Response, str, bytes, dict, list or None, not ")


def test_any_app_may_be_returned_and_reads_on_where_the_handler_stopped() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        assert message == {"type": "http.request", "body": b"rest", "more_body": False}
        await send({"type": "http.response.start", "status": 202, "headers": []})
        await send({"type": "http.response.body", "body": b"other"})

    async def function(request: Request) -> object:
        async with aclosing(request.stream()) as chunks:
            assert await anext(chunks) == b"first"
        return app

    async def script() -> None:
        async with connect(handler(function), "POST", body=[b"first", b"rest"]) as client:
            await client.finished()
        assert (client.status, client.body) == (202, b"other")

    clock.run(script())


@pytest.mark.parametrize("error", [HTTPError(404, "no"), TypeError(SECRET)])
def test_an_app_that_is_returned_answers_for_itself(error: Exception) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    assert outcome(returning(app)) == (None, b"", error)


def test_a_generator_becomes_a_stream_of_its_kind() -> None:
    function = streaming(None, "a", "b")
    assert clock.run(fetch(handler(function))).text == "ab"
    assert clock.run(fetch(handler(function, respond.sse))).text == "data: a\n\ndata: b\n\n"
    assert clock.run(fetch(handler(function, respond.ndjson))).text == '"a"\n"b"\n'
    csv = functools.partial(respond.stream, media_type="text/csv")
    assert clock.run(fetch(handler(function, csv))).header("content-type") == "text/csv"


async def text(_: Request) -> str:
    return "a"


class Kind:
    def __repr__(self) -> str:
        return "<a kind>"

    def __call__(self, source: AsyncIterator[object]) -> Response:
        raise AssertionError


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (respond.sse, "sse"),
        (respond.stream, "stream"),
        (Kind(), "<a kind>"),
        (functools.partial(respond.sse, heartbeat=1), None),
    ],
)
def test_a_function_that_returns_has_no_kind(kind: Callable[..., Response], name: str | None) -> None:
    name = re.escape(repr(kind) if name is None else name)
    message = (
        f"a handler with a kind, {name}, must yield its items, and text returns:"
        rf" yield them, or leave the kind out and return {name}\(\.\.\.\)"
    )
    router = Router()
    with pytest.raises(TypeError, match=message):
        handler(text, kind)
    for method in (router.get, router.post, router.put, router.patch, router.delete):
        with pytest.raises(TypeError, match=message):
            method("/a", kind)(text)
    router.get("/a")(text)  # what was refused is not registered
    assert clock.run(fetch(router, "/a")).text == "a"


def test_head_never_starts_a_generator() -> None:
    started = []

    async def function(request: Request) -> AsyncIterator[str]:
        started.append(request)
        yield "a"

    result = answer(function, method="HEAD")
    assert (result.status, result.body, result.header("content-type")) == (200, b"", "text/plain; charset=utf-8")
    assert started == []


def test_a_handler_answers_only_http() -> None:
    async def script() -> None:
        async with websocket(handler(returning("x"))) as client:
            with pytest.raises(AppError, match=r"answers http, not websocket.*Router.websocket\(\)"):
                await client.accepted()

    clock.run(script())


# HTTPError


def test_an_http_error_is_the_answer() -> None:
    result = answer(raising(HTTPError(402, "pay", headers=((b"x-price", b"1"),))))
    assert (result.status, result.text, result.header("x-price")) == (402, "pay", "1")
    assert result.header("content-type") == "text/plain; charset=utf-8"
    problem = {"title": "Unprocessable Content", "status": 422, "detail": "no", "errors": [1]}
    result = answer(raising(HTTPError(422, "no", headers=((b"x-price", b"1"),), detail=[1])))
    assert (result.status, result.json(), result.header("x-price")) == (422, problem, "1")


@pytest.mark.parametrize("wait", [None, 0.0, 0.49])
def test_an_http_error_of_a_generator_is_the_answer_before_its_first_item(wait: float | None) -> None:
    assert outcome(streaming(HTTPError(404, "no such item"), wait=wait)) == (404, b"no such item", None)


@pytest.mark.parametrize("items", [(), ("first",)])
def test_an_http_error_after_the_start_is_raised(items: tuple[str, ...]) -> None:
    error = HTTPError(404, "too late")
    assert outcome(streaming(error, *items, wait=1)) == (200, "".join(items).encode(), error)


@pytest.mark.parametrize("error", [HTTPError(400, headers=((b"a", b"\r\n"),)), HTTPError(400, detail=b"bytes")])
def test_an_http_error_that_cannot_be_sent_is_500_and_raised(error: HTTPError) -> None:
    status, body, raised = outcome(raising(error))
    assert (status, body) == (500, b"Internal Server Error")
    assert isinstance(raised, ValueError | TypeError)
    assert raised.__context__ is error


# Other errors


@pytest.mark.parametrize("make", [raising, streaming])
@pytest.mark.parametrize("error", [ValueError(SECRET), AppError(SECRET), OSError(SECRET), Disconnected(SECRET)])
def test_an_error_before_the_start_is_500_that_says_nothing_and_is_raised(
    make: Callable[[BaseException], Function], error: Exception
) -> None:
    assert outcome(make(error)) == (500, b"Internal Server Error", error)
    assert SECRET not in str(answer_headers(make(error)))


def answer_headers(function: Function) -> list[tuple[bytes, bytes]]:
    async def script() -> list[tuple[bytes, bytes]]:
        async with connect(handler(function)) as client:
            with pytest.raises(Exception):  # noqa: B017  whichever it is
                await client.finished()
        return client.headers

    return clock.run(script())


@pytest.mark.parametrize("error", [ValueError(SECRET), OSError(SECRET), Disconnected(SECRET)])
def test_an_error_after_the_start_is_raised_and_the_body_has_no_end(error: Exception) -> None:
    async def script() -> None:
        async with connect(handler(streaming(error, "first", wait=1))) as client:
            with pytest.raises(type(error)) as caught:
                await client.finished()
            assert caught.value is error
        last = client.messages[-1].message
        assert (client.body, last["more_body"]) == (b"first", True)

    clock.run(script())


def test_a_disconnected_of_a_clean_up_is_no_error_once_the_client_has_left() -> None:
    async def function(request: Request) -> AsyncIterator[str]:
        try:
            yield "first"
            await asyncio.sleep(60)
        finally:
            raise Disconnected

    async def script() -> None:
        async with connect(handler(function)) as client:
            assert await client.chunk() == b"first"
            await client.leave()
            await client.finished()
        assert client.exception is None

    clock.run(script())


def test_a_group_of_errors_is_500() -> None:
    status, body, error = outcome(raising(ExceptionGroup("two", [HTTPError(404, "a"), ValueError(SECRET)])))
    assert (status, body) == (500, b"Internal Server Error")
    assert isinstance(error, ExceptionGroup)


@pytest.mark.parametrize("version", ["2.3", "2.4"])
def test_an_error_whose_client_has_left_is_raised_for_the_log(version: str) -> None:
    async def function(request: Request) -> object:
        await asyncio.sleep(2)
        raise ValueError(SECRET)

    async def script() -> None:
        async with connect(handler(function, cancel_on_disconnect=False), spec_version=version) as client:
            await client.leave()
            with pytest.raises(ValueError, match=SECRET):
                await client.finished()

    clock.run(script())


def test_too_many_threads_is_503_and_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    result = answer(streaming(TooManyThreads("too many\nthreads")))
    assert (result.status, result.header("retry-after"), result.text) == (503, "1", "Service Unavailable")
    assert [(record.name, record.levelname) for record in caplog.records] == [("rawasgi", "WARNING")]


def test_too_many_threads_after_the_start_is_raised() -> None:
    error = TooManyThreads("late")
    assert outcome(streaming(error, "first", wait=1)) == (200, b"first", error)


async def thinking(*pauses: float) -> AsyncIterator[str]:
    for pause in pauses:
        await asyncio.sleep(pause)
        yield "item"


def test_a_first_item_that_took_too_long_is_504_and_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def endpoint(request: Request) -> object:
        return respond.sse(await begun(timeout(thinking(61), 5, first=60)))

    caplog.set_level(logging.WARNING)
    assert outcome(endpoint) == (504, b"Gateway Timeout", None)
    assert [record.getMessage() for record in caplog.records] == ["no first item came for 60 s"]


def test_a_deadline_after_the_start_is_raised() -> None:
    async def endpoint(request: Request) -> object:
        return respond.stream(await begun(timeout(thinking(50, 6), 5, first=60)))

    status, body, error = outcome(endpoint)
    assert (status, body) == (200, b"item")
    assert isinstance(error, DeadlineExceeded)
    assert error.which == "idle"


def test_a_handler_that_is_cancelled_answers_nothing() -> None:
    async def script() -> None:
        async with connect(handler(streaming(None, wait=60))) as client:
            await client.started()
            await client.cancel()
        async with connect(handler(raising(asyncio.CancelledError()))) as client:
            await client.cancel()
        assert not any(message.direction == "send" for message in client.messages)

    clock.run(script())
