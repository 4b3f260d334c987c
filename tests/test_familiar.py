"""Starlette's names: what a user of the documents had before the import was changed, and what is better now."""

import asyncio
import functools
import inspect
import operator
import threading
from array import array
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime

import pytest
import starlette.responses
from clock import now, outside, run

from rawasgi import familiar
from rawasgi.asgi import App
from rawasgi.dev.client import Result, connect, fetch, websocket
from rawasgi.errors import AppError, HTTPError
from rawasgi.familiar import (
    BackgroundTask,
    BackgroundTasks,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from rawasgi.request import Request
from rawasgi.routing import Router


def got(app: App, **options: str) -> Result:
    return run(fetch(app, **options))  # type: ignore[arg-type]  # the method


async def words(*items: str, pause: float = 1) -> AsyncIterator[str]:
    for item in items:
        yield item
        await asyncio.sleep(pause)


async def sent(app: App) -> list[bytes]:
    """The bodies, a message each."""
    async with connect(app) as client:
        with outside():
            await client.finished()
    return [bytes(each.message["body"]) for each in client.messages if "body" in each.message and each[0] == "send"]  # type: ignore[call-overload]  # bytes


# Signatures


def parameters(function: Callable[..., object]) -> list[tuple[str, object]]:
    return [(each.name, each.default) for each in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize(
    "name",
    [
        "Response",
        "PlainTextResponse",
        "HTMLResponse",
        "JSONResponse",
        "RedirectResponse",
        "StreamingResponse",
        "Response.set_cookie",
        "Response.delete_cookie",
        "Response.render",
    ],
)
def test_parameters_and_defaults_are_starlettes(name: str) -> None:
    theirs, ours = operator.attrgetter(name)(starlette.responses), operator.attrgetter(name)(familiar)
    names = [name for name, _ in parameters(theirs)]
    assert [name for name, _ in parameters(ours)] == names
    optional = [(name, default) for name, default in parameters(theirs) if default is not inspect.Parameter.empty]
    assert parameters(ours)[-len(optional) or len(names) :] == optional


# Responses


def test_a_response_is_text_or_bytes_with_its_type_and_length() -> None:
    answer = got(Response("你好", media_type="text/plain"))
    assert (answer.status, answer.text) == (200, "你好")
    assert answer.headers == [(b"content-length", b"6"), (b"content-type", b"text/plain; charset=utf-8")]
    assert got(Response(b"\xff", media_type="image/png")).headers[1] == (b"content-type", b"image/png")
    assert got(Response()).headers == [(b"content-length", b"0")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (bytearray(b"abc"), b"abc"),
        (memoryview(b"abc"), b"abc"),
        (memoryview(array("H", [1, 2])), array("H", [1, 2]).tobytes()),
        (memoryview(b"abcdef")[::2], b"ace"),
    ],
)
def test_all_that_is_bytes_is_sent_byte_by_byte(content: object, expected: bytes) -> None:
    answer = got(Response(content))
    assert (answer.body, answer.header("content-length")) == (expected, str(len(expected)))
    streamed = run(fetch(StreamingResponse(anything(content))))
    assert streamed.body == expected


async def anything(*items: object) -> AsyncIterator[object]:
    for item in items:
        yield item


def test_what_is_neither_text_nor_bytes_is_refused() -> None:
    with pytest.raises(TypeError, match="must be str, bytes, bytearray or memoryview, not 1"):
        Response(1)
    with pytest.raises(TypeError, match="must be str, bytes, bytearray or memoryview, not None"):
        got(StreamingResponse(anything(None)))


def test_each_kind_has_its_type() -> None:
    assert got(PlainTextResponse("a")).header("content-type") == "text/plain; charset=utf-8"
    assert got(HTMLResponse("<p>")).header("content-type") == "text/html; charset=utf-8"
    assert got(HTMLResponse("<p>", media_type="text/xml")).header("content-type") == "text/xml; charset=utf-8"
    assert got(PlainTextResponse("a", media_type="text/csv; CHARSET=gbk")).header("content-type") == (
        "text/csv; CHARSET=gbk"
    )


def test_json_is_as_small_as_it_goes_and_has_no_nan() -> None:
    answer = got(JSONResponse({"名": [1, None]}, status_code=201))
    assert (answer.status, answer.text) == (201, '{"名":[1,null]}')
    assert answer.header("content-type") == "application/json"
    assert got(JSONResponse(None)).body == b"null"
    with pytest.raises(ValueError, match="not JSON compliant"):
        JSONResponse(float("nan"))


def test_a_redirect_is_percent_encoded_where_it_must_be() -> None:
    answer = got(RedirectResponse("/你 好?q=%20&x=[1]", headers={"x-a": "1"}))
    assert (answer.status, answer.header("location")) == (307, "/%E4%BD%A0%20%E5%A5%BD?q=%20&x=[1]")
    assert (answer.header("content-length"), answer.header("x-a")) == ("0", "1")
    assert got(RedirectResponse("/", 303)).status == 303
    assert got(RedirectResponse("/\r\nset-cookie: a=b")).header("location") == "/%0D%0Aset-cookie:%20a=b"


def test_a_subclass_says_its_type_charset_and_rendering() -> None:
    class Gbk(PlainTextResponse):
        charset = "gbk"

    class Upper(Response):
        media_type = "text/x-upper"

        def render(self, content: object) -> bytes:
            return str(content).upper().encode()

    assert got(Gbk("你好")).body == "你好".encode("gbk")
    assert got(Upper("abc")).body == b"ABC"

    class GbkStream(StreamingResponse):
        charset = "gbk"
        media_type = "text/plain"

    answer = run(fetch(GbkStream(words("你", "好"))))
    assert (answer.body, answer.header("content-type")) == ("你好".encode("gbk"), "text/plain; charset=gbk")


def test_an_answer_without_a_body_has_no_length() -> None:
    assert got(Response(status_code=204)).headers == []
    assert got(Response(status_code=304)).headers == []
    with pytest.raises(ValueError, match="must be empty with status 204"):
        got(Response("no", status_code=204))
    with pytest.raises(ValueError, match="must be 200 to 599, not 123"):
        got(Response(status_code=123))


def test_head_gets_the_same_headers_and_no_body() -> None:
    assert got(PlainTextResponse("abc"), method="HEAD").headers == got(PlainTextResponse("abc")).headers
    assert got(PlainTextResponse("abc"), method="HEAD").body == b""


def test_a_response_answers_http_and_websockets_only() -> None:
    with pytest.raises(AppError, match="answers http, not lifespan"):
        run(Response()({"type": "lifespan", "asgi": {"version": "3.0"}}, None, None))  # type: ignore[arg-type]


# Headers


def test_status_and_headers_may_be_changed_until_it_is_sent() -> None:
    response = PlainTextResponse("a", headers={"X-One": "1"})
    response.status_code = 418
    response.headers["X-Two"] = "2"
    response.headers["x-ONE"] = "3"
    response.headers.append("x-two", "4")
    response.raw_headers.append((b"X-Raw", b"5"))
    del response.headers["Content-Type"]
    answer = got(response)
    assert answer.status == 418
    assert answer.headers == [
        (b"x-one", b"3"),
        (b"content-length", b"1"),
        (b"x-two", b"2"),
        (b"x-two", b"4"),
        (b"x-raw", b"5"),
    ]


def test_headers_are_read_like_a_dict() -> None:
    headers = Response("a", headers={"X-One": "1"}, media_type="text/plain").headers
    headers.append("x-one", "2")
    assert (headers["X-ONE"], headers.get("x-none"), headers.getlist("X-One")) == ("1", None, ["1", "2"])
    assert (list(headers), len(headers)) == (["x-one", "content-length", "content-type"], 3)
    assert ("X-One" in headers, "x-none" in headers) == (True, False)
    assert headers.setdefault("x-one", "9") == "1"
    assert headers.setdefault("x-new", "9") == "9"
    headers.update({"x-new": "8"})
    assert headers.pop("x-new") == "8"
    assert repr(headers).startswith("MutableHeaders([(b'x-one', b'1'), ")
    with pytest.raises(KeyError, match="x-none"):
        headers["x-none"]
    with pytest.raises(KeyError, match="x-none"):
        del headers["x-none"]


def test_what_could_end_a_header_is_refused_wherever_it_comes_from() -> None:
    forged = "1\r\nset-cookie: a=b"
    with pytest.raises(ValueError, match="must be one line"):
        Response(headers={"x-a": forged})
    response = Response()
    with pytest.raises(ValueError, match="must be one line"):
        response.headers["x-a"] = forged
    with pytest.raises(ValueError, match="must be one line"):
        response.headers.append("x-a", forged)
    with pytest.raises(ValueError, match="must be one line"):
        Response(media_type=forged)
    response.raw_headers.append((b"x-a", forged.encode()))
    with pytest.raises(ValueError, match="must be one line"):
        got(response)


def test_a_length_and_a_type_that_were_given_stay() -> None:
    answer = got(Response("abc", headers={"Content-Length": "3", "content-type": "x/y"}, media_type="text/plain"))
    assert answer.headers == [(b"content-length", b"3"), (b"content-type", b"x/y")]


# Cookies


def cookie(response: Response) -> str:
    value = got(response).header("set-cookie")
    assert value is not None
    return value


def test_a_cookie_is_set_as_starlette_sets_it() -> None:
    response = Response()
    response.set_cookie("name", "value")
    assert cookie(response) == "name=value; Path=/; SameSite=lax"
    response = Response()
    when = datetime(2037, 1, 22, 12, 0, 10, tzinfo=UTC)
    response.set_cookie("n", "v w", 10, when, "/a", "example.com", True, True, "none", True)
    assert cookie(response) == (
        'n="v w"; Domain=example.com; expires=Thu, 22 Jan 2037 12:00:10 GMT; HttpOnly; Max-Age=10; Path=/a; '
        "SameSite=none; Secure; Partitioned"
    )
    response = Response()
    response.set_cookie("n", path=None, samesite=None, expires="Thu, 22 Jan 2037 12:00:10 GMT")
    assert cookie(response) == 'n=""; expires=Thu, 22 Jan 2037 12:00:10 GMT'


def test_several_cookies_are_several_headers() -> None:
    response = Response()
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    assert [each.split(";")[0] for each in response.headers.getlist("set-cookie")] == ["a=1", "b=2"]


def test_a_cookie_is_forgotten_where_it_was_set() -> None:
    response = Response()
    response.delete_cookie("name", "/a", "example.com", secure=True, httponly=True, samesite=None)
    said = cookie(response)
    assert said.startswith('name=""; Domain=example.com; expires=')
    assert said.endswith("GMT; HttpOnly; Max-Age=0; Path=/a; Secure")


@pytest.mark.parametrize("path", ["/; Domain=evil.example", "/\r\nx-a: 1"])
def test_what_could_end_an_attribute_of_a_cookie_is_refused(path: str) -> None:
    response = Response()
    with pytest.raises(ValueError, match=r"must not hold a semicolon|must be one line|[Cc]ontrol characters"):
        response.set_cookie("name", "value", path=path)
    assert "set-cookie" not in response.headers


def test_a_samesite_that_no_browser_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="must be lax, strict, none or None, not 'tight'"):
        Response().set_cookie("name", samesite="tight")  # type: ignore[arg-type]
    response = Response()
    response.set_cookie("name", "value", samesite="strict")
    assert cookie(response) == "name=value; Path=/; SameSite=strict"


# Streams


def test_a_stream_leaves_as_it_comes() -> None:
    async def main() -> list[tuple[float, bytes]]:
        seen = []
        async with connect(StreamingResponse(words("你", "好"), media_type="text/plain")) as client:
            async for chunk in client:
                seen.append((now(), chunk))
            assert client.headers == [(b"content-type", b"text/plain; charset=utf-8")]
        return seen

    assert run(main()) == [(0.0, "你".encode()), (1.0, "好".encode())]


@pytest.mark.usefixtures("no_time_passes_by_itself")
def test_items_that_are_ready_together_leave_in_one_message_unless_join_is_false() -> None:
    class OneByOne(StreamingResponse):
        join = False

    assert run(sent(StreamingResponse(anything("a", b"b", "c")))) == [b"abc"]
    assert run(sent(OneByOne(anything("a", b"b", "c")))) == [b"a", b"b", b"c", b""]


def test_a_plain_iterable_runs_in_one_thread_of_its_own_and_is_closed_there() -> None:
    threads: list[int] = []

    def rows() -> Iterator[str]:
        try:
            for number in range(3):
                threads.append(threading.get_ident())
                yield f"{number} "
        finally:
            threads.append(threading.get_ident())

    assert b"".join(run(sent(StreamingResponse(rows())))) == b"0 1 2 "
    assert len(threads) == 4
    assert len(set(threads)) == 1
    assert threading.get_ident() not in threads
    assert b"".join(run(sent(StreamingResponse(["a", b"b"])))) == b"ab"


def test_a_source_that_was_wrapped_by_somebody_is_closed_all_the_same() -> None:
    closed = []

    async def source() -> AsyncIterator[str]:
        try:
            while True:
                yield "a"
                await asyncio.sleep(1)
        finally:
            closed.append("source")

    async def shouting(items: AsyncIterator[object]) -> AsyncIterator[str]:
        async for item in items:  # not owned: the source stays open when this is closed
            yield str(item).upper()

    async def leave() -> None:
        response = StreamingResponse(source())
        response.body_iterator = shouting(aiter(response.body_iterator))
        async with connect(response) as client:
            assert await client.chunk() == b"A"
        assert closed == ["source"]

    run(leave())


def test_an_iterable_that_makes_its_iterator_has_that_one_closed() -> None:
    closed = []

    class Rows:
        async def __aiter__(self) -> AsyncIterator[str]:
            try:
                while True:
                    yield "a"
                    await asyncio.sleep(1)
            finally:
                closed.append("iterator")

    async def leave() -> None:
        async with connect(StreamingResponse(Rows())) as client:
            await client.chunk()
        assert closed == ["iterator"]

    run(leave())


@pytest.mark.parametrize("plain", [True, False])
def test_head_starts_no_stream_and_closes_it(plain: bool) -> None:
    class Source:
        closed = 0

        def __iter__(self) -> Iterator[str]:
            raise AssertionError("it must not be started")

        def close(self) -> None:
            self.closed += 1

    class AsyncSource(Source):
        def __aiter__(self) -> AsyncIterator[str]:
            return self

        async def __anext__(self) -> str:
            raise AssertionError("it must not be started")

        async def aclose(self) -> None:
            self.close()

    source = Source() if plain else AsyncSource()
    assert got(StreamingResponse(source), method="HEAD").body == b""
    assert source.closed == 1


def test_a_response_on_a_websocket_denies_its_handshake() -> None:
    async def main(app: App) -> tuple[int, bytes]:
        async with websocket(app, extensions={"websocket.http.response": {}}) as client:
            await client.finished()
            return client.status, client.body

    assert run(main(JSONResponse({"no": 1}, 401))) == (401, b'{"no":1}')
    assert run(main(StreamingResponse(words("no", "no"), 403))) == (403, b"nono")


def test_an_error_before_the_first_item_is_still_the_handlers_to_answer() -> None:
    router = Router()

    @router.get("/missing")
    async def missing(request: Request) -> StreamingResponse:
        async def rows() -> AsyncIterator[str]:
            raise HTTPError(404, "no such file")
            yield ""

        return StreamingResponse(rows())

    answer = run(fetch(router, "/missing"))
    assert (answer.status, answer.text) == (404, "no such file")


# Background


def test_work_is_done_after_the_response_in_its_order() -> None:
    done: list[object] = []

    async def later(name: str, *, seconds: float) -> None:
        await asyncio.sleep(seconds)
        done.append((name, now()))

    def blocking(name: str) -> None:
        done.append((name, threading.current_thread() is threading.main_thread()))

    class Callable_:
        async def __call__(self, name: str) -> None:
            done.append(name)

    tasks = BackgroundTasks([BackgroundTask(later, "a", seconds=2)])
    tasks.add_task(blocking, "b")
    tasks.add_task(functools.partial(later, seconds=1), "c")
    tasks.add_task(Callable_(), "d")
    assert got(PlainTextResponse("x", background=tasks)).body == b"x"
    assert done == [("a", 2.0), ("b", False), ("c", 3.0), "d"]
    assert [task.is_async for task in tasks.tasks] == [True, False, True, True]


def test_a_task_that_fails_is_the_last_and_its_error_goes_on() -> None:
    done: list[str] = []

    def fail() -> None:
        raise LookupError("a task")

    tasks = BackgroundTasks()
    tasks.add_task(fail)
    tasks.add_task(done.append, "never")
    with pytest.raises(LookupError, match="a task"):
        got(Response(background=tasks))
    assert done == []


@pytest.mark.parametrize("spec_version", ["2.3", "2.4"])
def test_work_is_done_when_the_client_left(spec_version: str) -> None:
    done: list[str] = []

    async def forever() -> AsyncIterator[str]:
        try:
            while True:
                yield "a"
                await asyncio.sleep(1)
        finally:
            done.append("closed")

    async def leave() -> None:
        response = StreamingResponse(forever(), background=BackgroundTask(done.append, "background"))
        async with connect(response, spec_version=spec_version) as client:
            await client.chunk()
            await client.leave()
            with outside():
                await client.finished()

    run(leave())
    assert done == ["closed", "background"]


def test_work_is_not_done_when_the_stream_failed() -> None:
    done: list[str] = []

    async def broken() -> AsyncIterator[str]:
        yield "a"
        raise LookupError("a bug")

    with pytest.raises(LookupError, match="a bug"):
        got(StreamingResponse(broken(), background=BackgroundTask(done.append, "background")))
    assert done == []
