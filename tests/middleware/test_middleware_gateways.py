"""Mangum and a2wsgi: rawasgi in AWS Lambda and in a WSGI server, and a WSGI app mounted in a Router."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from io import BytesIO
from typing import Any, cast

import clock
import pytest
import twins
from a2wsgi import ASGIMiddleware, WSGIMiddleware
from exchanging import exchange, run_unwatched
from mangum import Mangum

from rawasgi import Router
from rawasgi.shutdown import Drain

APPS: dict[str, Callable[[], Any]] = {
    "a router": lambda: twins.router,
    "a router in a Drain": lambda: Drain()(twins.router),
    "familiar": twins.familiar_starlette,
    "starlette": twins.own_starlette,
}
apps = pytest.mark.parametrize("name", APPS)
ANSWERS = [
    ("GET", "/json", b"", (200, '{"a":1}')),
    ("GET", "/ready", b"", (200, "0\n1\n2\n3\n4\n")),
    ("GET", "/paced", b"", (200, "0\n1\n2\n3\n")),
    ("GET", "/nothing", b"", (200, "")),
    ("GET", "/file", b"", (200, twins.FILE.read_text())),
    ("GET", "/nowhere", b"", (404, "Not Found")),
    ("GET", "/error", b"", (500, "Internal Server Error")),
    ("POST", "/length", b"12345", (200, "5")),
    ("POST", "/before", b"12345", (200, "5\nend\n")),
]
BODY_MID_STREAM = ("POST", "/during", b"one", (200, "started\none\n"))


def answers(name: str) -> list[tuple[str, str, bytes, tuple[int, str]]]:
    """In a Starlette route two would read the body mid-stream: the request, and the response for the disconnect."""
    return [*ANSWERS, *([BODY_MID_STREAM] if name.startswith("a router") else [])]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twins, "PAUSE", 0.01)


# Mangum: an event of AWS Lambda, one answer


@pytest.fixture
def current_loop() -> Iterator[None]:
    """Mangum runs the app in the current event loop."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    asyncio.set_event_loop(None)


def event(method: str, path: str, body: bytes) -> Any:
    """What an HTTP API of API Gateway sends."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "a.example", "content-length": f"{len(body)}"},
        "requestContext": {"http": {"method": method, "path": path, "sourceIp": "127.0.0.1"}},
        "body": body.decode(),
        "isBase64Encoded": False,
    }


@apps
def test_mangum_gets_the_whole_body(name: str, current_loop: None) -> None:
    lambda_handler = Mangum(APPS[name](), lifespan="off", text_mime_types=["text/", "application/"])
    for method, path, body, wanted in answers(name):
        answer = lambda_handler(event(method, path, body), cast(Any, None))
        assert (answer["statusCode"], answer["body"]) == wanted, path


# a2wsgi: an ASGI app in a WSGI server


@pytest.fixture
def loop_in_thread() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    asyncio.run_coroutine_threadsafe(loop.shutdown_default_executor(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def environ(method: str, path: str, body: bytes) -> Any:
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "a.example",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": f"{len(body)}",
        "wsgi.input": BytesIO(body),
    }


@apps
def test_a2wsgi_gets_each_chunk(name: str, loop_in_thread: asyncio.AbstractEventLoop) -> None:
    app = ASGIMiddleware(APPS[name](), loop=loop_in_thread)
    for method, path, body, wanted in answers(name):
        assert call(app, environ(method, path, body)) == wanted, path


def call(app: Any, environ: Any) -> tuple[int, str]:
    """Return status and body, as a WSGI server gets them."""
    statuses: list[str] = []
    body = b""

    def start_response(status: str, *_: object) -> None:
        statuses.append(status)

    with suppress(LookupError):  # it raises what the app raises
        for chunk in app(environ, start_response):
            body += chunk
    return int(statuses[0][:3]), body.decode()


# a2wsgi: a WSGI app, mounted in a Router


def wsgi_app(environ: Any, start_response: Any) -> Iterable[bytes]:
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("content-type", "text/plain")])
    yield environ["SCRIPT_NAME"].encode() + b" " + environ["PATH_INFO"].encode() + b"\n"
    yield body


@pytest.mark.parametrize("around", [lambda app: app, Drain()], ids=["alone", "in a Drain"])
def test_a_wsgi_app_mounted_beside_gets_path_and_body(around: Any) -> None:
    router = Router()
    router.mount("/wsgi", cast(Any, WSGIMiddleware(cast(Any, wsgi_app))))
    router.mount("/ours", twins.router)

    async def script() -> None:
        with clock.outside():  # it runs in threads
            answer = await exchange(around(router), "POST", "/wsgi/place", [], [b"one ", b"two"], validated=False)
        assert (answer.status, answer.body, answer.error) == (200, "/wsgi /place\none two", "")
        assert (await exchange(around(router), "GET", "/ours/ready", [])).body == "0\n1\n2\n3\n4\n"

    run_unwatched(script())
