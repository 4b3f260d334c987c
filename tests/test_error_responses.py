"""Error responses: their one shape, what a client may choose of it, and what an app may."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import clock
import pytest

from rawasgi import HTTPError, Request, Response, Router, WebSocket, files, respond, streams
from rawasgi.asgi import App
from rawasgi.dev.client import Result, connect, fetch, lifespan, websocket
from rawasgi.error_responses import ErrorFunction, error_response
from rawasgi.errors import AppError
from rawasgi.handling import handler

SECRET = "secret of /srv/app.py"
PROBLEM = "application/problem+json"


def ask(app: App, path: str = "/", method: str = "GET", accept: str | None = None, **headers: str) -> Result:
    pairs = {} if accept is None else {"accept": accept}
    return clock.run(fetch(app, path, method=method, headers={**pairs, **headers}))


def failing(error: Exception) -> App:
    async def function(request: Request) -> None:
        raise error

    return handler(function)


def outcome(app: App, path: str, raised: type[Exception]) -> Result:
    """The response that was sent before the app raised."""
    results: list[Result] = []

    async def script() -> None:
        async with connect(app, "GET", path) as client:
            with pytest.raises(raised):
                await client.finished()
        results.append(Result(client.status, client.headers, client.body, client.messages))

    clock.run(script())
    return results[0]


# Their shape


@pytest.mark.parametrize(
    ("status", "text"),
    [
        *((404, "Not Found"), (405, "Method Not Allowed"), (413, "Content Too Large"), (414, "URI Too Long")),
        *((416, "Range Not Satisfiable"), (418, "I'm a Teapot"), (422, "Unprocessable Content")),
        *((429, "Too Many Requests"), (500, "Internal Server Error"), (503, "Service Unavailable")),
        *((499, "Client Error"), (599, "Server Error")),
    ],
)
def test_an_error_without_a_text_has_the_phrase_of_its_status(status: int, text: str) -> None:
    answer = ask(failing(HTTPError(status)))
    assert (answer.status, answer.text.lower()) == (status, text.lower())
    assert answer.headers == [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(text)),
        (b"vary", b"Accept"),
    ]


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        *(
            (accept, "text/plain")
            for accept in (None, "", "*/*", "text/plain", "text/*", "text/event-stream", "x", ";;")
        ),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", "text/plain"),  # a browser
        ("text/plain, application/json;q=0.5", "text/plain"),
        ("text/plain;q=0.5, application/json;q=0.4", "text/plain"),
        *((accept, PROBLEM) for accept in (PROBLEM, "application/json", "application/*", "Application/JSON ; q=0.1")),
        ("application/json, text/plain, */*", PROBLEM),  # axios
        ("text/html, application/json;q=0.5", PROBLEM),
        ("text/plain;q=0.4, application/problem+json;q=0.5", PROBLEM),
    ],
)
def test_a_client_gets_problem_details_if_it_prefers_them(accept: str | None, media_type: str) -> None:
    answer = ask(failing(HTTPError(404, "no such item: 你")), accept=accept)
    assert (answer.status, answer.header("vary")) == (404, "Accept")
    if media_type == PROBLEM:
        assert answer.header("content-type") == PROBLEM
        assert answer.json() == {"title": "Not Found", "status": 404, "detail": "no such item: 你"}
    else:
        assert answer.header("content-type") == "text/plain; charset=utf-8"
        assert answer.text == "no such item: 你"


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, PROBLEM),
        ("*/*", PROBLEM),
        ("text/html", PROBLEM),
        ("text/plain", "text"),
        ("text/plain, */*;q=0.1", "text"),
    ],
)
def test_an_error_with_a_detail_is_problem_details_unless_text_is_preferred(
    accept: str | None, media_type: str
) -> None:
    answer = ask(failing(HTTPError(402, "pay first", detail={"balance": 30})), accept=accept)
    if media_type == PROBLEM:
        problem = {"title": "Payment Required", "status": 402, "detail": "pay first", "errors": {"balance": 30}}
        assert (answer.header("content-type"), answer.json()) == (PROBLEM, problem)
    else:
        assert answer.text == "pay first"


@pytest.mark.parametrize("headers", [{"X-Price": "1"}, [("x-price", "1")], ((b"X-Price", b"1"),)])
def test_an_error_may_have_headers_in_any_form(headers: dict[str, str]) -> None:
    answer = ask(failing(HTTPError(402, headers=headers)))
    assert (answer.header("x-price"), answer.text) == ("1", "Payment Required")


def test_head_has_the_headers_of_an_error_and_no_body() -> None:
    answer = ask(failing(HTTPError(404)), method="HEAD")
    assert (answer.status, answer.body, answer.header("content-length")) == (404, b"", "9")


# Everywhere


async def busy(request: Request) -> AsyncIterator[str]:
    raise streams.TooManyThreads("no thread is free")
    yield ""


async def late(request: Request) -> AsyncIterator[str]:
    raise streams.DeadlineExceeded("too late", "first")
    yield ""


async def too_long(request: Request) -> bytes:
    return await request.body(limit_bytes=0)


async def bug(request: Request) -> str:
    raise ValueError(SECRET)


def whole(folder: Path, error: ErrorFunction | None = None) -> Router:
    """An app that fails in every way that there is."""
    (folder / "a.txt").write_text("0123456789")
    router, inner = Router(error=error), Router()
    router.get("/busy")(busy)
    router.get("/late")(late)
    router.post("/too-long")(too_long)
    router.get("/bug")(bug)
    router.mount("/files", files.directory(folder))
    router.mount("/inner", inner)
    return router


EVERYWHERE = [
    ("GET", "/none", {}, 404, "Not Found"),
    ("GET", "/inner/none", {}, 404, "Not Found"),
    ("GET", "/files/none", {}, 404, "Not Found"),
    ("GET", "/files/../a.txt", {}, 404, "Not Found"),
    ("POST", "/busy", {}, 405, "Method Not Allowed"),
    ("POST", "/files/a.txt", {}, 405, "Method Not Allowed"),
    ("GET", "/files/a.txt", {"if-match": '"other"'}, 412, "Precondition Failed"),
    ("POST", "/too-long", {}, 413, "the body must not be longer than 0 bytes"),
    ("GET", "/files/a.txt", {"range": "bytes=10-"}, 416, "Range Not Satisfiable"),
    ("GET", "/busy", {}, 503, "Service Unavailable"),
    ("GET", "/late", {}, 504, "Gateway Timeout"),
]


@pytest.mark.parametrize(("method", "path", "headers", "status", "text"), EVERYWHERE)
def test_every_error_has_that_shape(
    tmp_path: Path, method: str, path: str, headers: dict[str, str], status: int, text: str
) -> None:
    def send(app: App, **more: str) -> Result:
        return clock.run(fetch(app, path, method=method, body=b"x", headers={**headers, **more}))

    plain = send(whole(tmp_path))
    assert (plain.status, plain.text) == (status, text)
    assert plain.header("content-type") == "text/plain; charset=utf-8"
    problem = send(whole(tmp_path), accept="application/json")
    assert problem.json() == {"title": json.loads(problem.body)["title"], "status": status, "detail": text}
    assert problem.header("content-type") == PROBLEM
    own = send(whole(tmp_path, lambda request, error: respond.html(f"<h1>{error.status}</h1>", error.status)))
    assert (own.status, own.text) == (status, f"<h1>{status}</h1>")


def test_a_bug_is_500_that_says_nothing_in_each_shape(tmp_path: Path) -> None:
    answer = outcome(whole(tmp_path), "/bug", ValueError)
    assert (answer.status, answer.text) == (500, "Internal Server Error")
    seen: list[str] = []

    def own(request: Request, error: HTTPError) -> Response:
        seen.append(repr(error))
        return respond.text(error.text, error.status)

    assert outcome(whole(tmp_path, own), "/bug", ValueError).text == "Internal Server Error"
    assert seen == ["HTTPError(500, 'Internal Server Error')"]
    assert SECRET not in str(seen)


def test_a_denied_websocket_has_the_same_shape() -> None:
    router = Router(error=lambda request, error: respond.text(f"own {error.status} {request.path}", error.status))

    @router.websocket("/talk")
    async def talk(websocket: WebSocket) -> None:
        raise HTTPError(409, "taken")

    @router.websocket("/deny")
    async def deny(websocket: WebSocket) -> None:
        await websocket.deny(401, headers={"www-authenticate": "Basic"})

    async def denied(app: App, path: str, **headers: str) -> tuple[int, bytes]:
        async with websocket(app, path, extensions={"websocket.http.response": {}}, headers=headers) as client:
            await client.finished()
        return client.status, client.body

    assert clock.run(denied(router, "/talk")) == (409, b"own 409 /talk")
    assert clock.run(denied(router, "/deny")) == (401, b"own 401 /deny")
    assert clock.run(denied(router, "/none")) == (404, b"own 404 /none")
    status, body = clock.run(denied(Router(), "/none", accept=PROBLEM))
    assert (status, json.loads(body)["title"]) == (404, "Not Found")


# An app's own


async def page(request: Request, error: HTTPError) -> Response:
    return respond.html(f"<h1>{error.text}</h1>", error.status, {"x-path": request.path})


def test_an_error_function_may_be_async_and_sees_the_request() -> None:
    answer = ask(Router(error=page), "/none")
    assert (answer.status, answer.text, answer.header("x-path")) == (404, "<h1>Not Found</h1>", "/none")


def test_an_error_function_may_leave_an_error_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    def own(request: Request, error: HTTPError) -> App:
        return respond.text("own", error.status) if request.path == "/own" else error_response(error)

    router = Router(error=own)
    assert ask(router, "/own").text == "own"
    answer = ask(router, "/none", accept=PROBLEM)
    assert (answer.status, answer.header("content-type")) == (404, PROBLEM)
    assert caplog.records == []


def test_the_innermost_router_with_an_error_function_has_the_word() -> None:
    outer, inner, innermost = (
        Router(error=lambda request, error: respond.text("outer", error.status)),
        Router(),
        Router(error=lambda request, error: respond.text("innermost", error.status)),
    )
    outer.mount("/inner", inner)
    inner.mount("/most", innermost)
    texts = [ask(outer, path).text for path in ("/none", "/inner/none", "/inner/most/none", "/inner/most")]
    assert texts == ["outer", "outer", "innermost", "innermost"]


def fails(request: Request, error: HTTPError) -> Response:
    raise ValueError(SECRET)


async def fails_later(request: Request, error: HTTPError) -> Response:
    raise HTTPError(500, SECRET)


def forgets(request: Request, error: HTTPError) -> Response:
    return None  # type: ignore[return-value]  # that is what is tried


def streams_and_fails(request: Request, error: HTTPError) -> Response:
    async def source() -> AsyncIterator[str]:
        raise ValueError(SECRET)
        yield ""

    return respond.stream(source())


@pytest.mark.parametrize("function", [fails, fails_later, forgets, streams_and_fails])
def test_an_error_function_that_fails_loses_neither_the_status_nor_a_secret(
    function: ErrorFunction, caplog: pytest.LogCaptureFixture
) -> None:
    router = Router(error=function)

    @router.get("/teapot")
    async def teapot(request: Request) -> None:
        raise HTTPError(418, "short and stout", headers={"x-handle": "1"})

    answer = ask(router, "/teapot")
    assert (answer.status, answer.text, answer.header("x-handle")) == (418, "short and stout", "1")
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("rawasgi", logging.ERROR)
    assert "the error function failed" in record.message


def test_an_error_function_that_fails_after_its_response_has_started_cuts_it() -> None:
    async def source() -> AsyncIterator[str]:
        yield "half"
        await asyncio.sleep(1)
        raise ValueError(SECRET)

    router = Router(error=lambda request, error: respond.stream(source(), status=error.status))
    answer = outcome(router, "/none", ValueError)
    assert (answer.status, answer.body) == (404, b"half")


def test_an_error_response_answers_http_only() -> None:
    async def script() -> None:
        async with lifespan(error_response(HTTPError(404))):
            pass

    with pytest.raises(AppError, match="response to http, not to lifespan"):
        clock.run(script())
