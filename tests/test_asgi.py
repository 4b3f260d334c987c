"""ASGI's words, held against asgiref's, and apps, driven by asgiref's communicator.

Traps of the communicator (asgiref 3.13): ``wait()`` returns None also for an app that hangs, so whether the app has
ended is seen by its future; ``receive_output()`` raises an app's error before it gives what the app had sent;
``receive_nothing()`` sleeps.
"""

import asyncio
import contextlib
import types
import typing
from collections.abc import AsyncIterator, Iterable
from typing import Literal

import asgiref.typing
import clock
import pytest
from asgiref.compatibility import is_double_callable
from asgiref.testing import ApplicationCommunicator

from rawasgi import asgi, respond
from rawasgi.asgi import App, Received, Sent
from rawasgi.background import after
from rawasgi.errors import AppError
from rawasgi.handling import handler
from rawasgi.lifespans import lifespan
from rawasgi.request import Request
from rawasgi.routing import Router
from rawasgi.websocket import WebSocket, websocket_app

RENAMED = {
    "ASGIVersions": "Versions",
    "HTTPServerPushEvent": "HTTPResponsePush",  # as its message
    "HTTPResponsePathsendEvent": "HTTPResponsePathSend",  # as the spec's title
}
THEIRS = {name: it for name, it in vars(asgiref.typing).items() if typing.is_typeddict(it)}
OURS = {name: it for name, it in vars(asgi).items() if typing.is_typeddict(it)}
PAIRS = {RENAMED.get(name, name.removesuffix("Event")): it for name, it in THEIRS.items()}

HEADERS = Iterable[tuple[bytes, bytes] | list[bytes]]
READ_LISTS = "the spec shows lists and hypercorn, daphne give them"
FOUND = "what a router found, as in Starlette: the spec lets scopes have more keys"
EXTENSIONS = "their keys are names of str; absent or None: none"
STATE = "object before Any"
# "class.key": our type, and why it is not theirs
DIFFERENCES: dict[str, tuple[object, str]] = {
    "Versions.version": (str, "what a server says is checked by the validator, not by the type"),
    "HTTPScope.headers": (HEADERS, READ_LISTS),
    "HTTPScope.client": (Iterable[str | int] | None, READ_LISTS),
    "HTTPScope.server": (Iterable[str | int | None] | None, READ_LISTS),
    "HTTPScope.raw_path": (bytes | None, "None is the spec's default"),
    "HTTPScope.state": (dict[str, object], STATE),
    "HTTPScope.extensions": (dict[str, dict[str, object]] | None, EXTENSIONS),
    "HTTPScope.path_params": (dict[str, object], FOUND),
    "HTTPScope.route": (object, FOUND),
    "HTTPScope.endpoint": (object, FOUND),
    "WebSocketScope.headers": (HEADERS, READ_LISTS),
    "WebSocketScope.client": (Iterable[str | int] | None, READ_LISTS),
    "WebSocketScope.server": (Iterable[str | int | None] | None, READ_LISTS),
    "WebSocketScope.raw_path": (bytes | None, "None is the spec's default"),
    "WebSocketScope.query_string": (bytes | None, "the spec lets it be None"),
    "WebSocketScope.state": (dict[str, object], STATE),
    "WebSocketScope.extensions": (dict[str, dict[str, object]] | None, EXTENSIONS),
    "WebSocketScope.path_params": (dict[str, object], FOUND),
    "WebSocketScope.route": (object, FOUND),
    "WebSocketScope.endpoint": (object, FOUND),
    "LifespanScope.state": (dict[str, object], STATE),
    "HTTPResponseStart.headers": (HEADERS, READ_LISTS),
    "HTTPResponseTrailers.headers": (HEADERS, READ_LISTS),
    "HTTPResponsePush.headers": (HEADERS, READ_LISTS),
    "WebSocketAccept.headers": (HEADERS, READ_LISTS),
    "WebSocketResponseStart.headers": (HEADERS, READ_LISTS),
}
# asgiref has every key but state required, so that no server of today gives a scope of its types. The spec's defaults:
REQUIRED = {
    "Versions": "version",
    "HTTPScope": "asgi headers http_version method path query_string",
    "WebSocketScope": "asgi headers path",
    "LifespanScope": "asgi",
    "HTTPResponseStart": "status",
    "HTTPResponsePush": "headers path",
    "HTTPResponseZeroCopySend": "file",
    "HTTPResponsePathSend": "path",
    "HTTPResponseEarlyHint": "links",
    "HTTPResponseDebug": "info",
    "WebSocketResponseStart": "status",
}


def test_each_of_asgirefs_words_has_its_counterpart() -> None:
    assert OURS.keys() - PAIRS.keys() == {"HTTPResponseEarlyHint", "HTTPResponseZeroCopySend"}  # asgiref forgot them
    assert PAIRS.keys() <= OURS.keys()


def test_what_differs_in_keys_and_types_stands_in_the_table() -> None:
    differences = {}
    for name, theirs in PAIRS.items():
        our_types, their_types = typing.get_type_hints(OURS[name]), typing.get_type_hints(theirs)
        assert their_types.keys() <= our_types.keys(), name
        for key, our_type in our_types.items():
            if their_types.get(key, "none") not in (our_type, PAIRS.get(getattr(our_type, "__name__", ""))):
                differences[f"{name}.{key}"] = our_type
    assert differences == {key: our_type for key, (our_type, _) in DIFFERENCES.items()}


@pytest.mark.parametrize("name", OURS)
def test_the_required_keys_are_those_of_the_spec(name: str) -> None:
    typed = {"type"} if name != "Versions" else set()
    assert OURS[name].__required_keys__ == typed | set(REQUIRED.get(name, "").split())


def members(union: object) -> set[str]:
    assert isinstance(union, types.UnionType)
    return {member.__name__ for member in typing.get_args(union)}


def test_each_message_is_received_or_sent() -> None:
    received = {name for name, it in PAIRS.items() if it in typing.get_args(asgiref.typing.ASGIReceiveEvent)}
    sent = {name for name, it in PAIRS.items() if it in typing.get_args(asgiref.typing.ASGISendEvent)}
    assert members(asgi.Scope) == {"HTTPScope", "WebSocketScope", "LifespanScope"}
    assert members(asgi.Received) == received
    # asgiref lets apps send the disconnect, and not these four, of which it defines two
    assert sent - members(asgi.Sent) == {"HTTPDisconnect"}
    assert members(asgi.Sent) - sent == {
        "HTTPResponsePathSend",
        "HTTPResponseDebug",
        "HTTPResponseEarlyHint",
        "HTTPResponseZeroCopySend",
    }
    assert members(asgi.Received) | members(asgi.Sent) | members(asgi.Scope) | {"Versions"} == OURS.keys()


@pytest.mark.parametrize("name", [name for name in OURS if name != "Versions"])
def test_a_type_is_one_literal_and_says_its_protocol(name: str) -> None:
    (kind,) = typing.get_args(typing.get_type_hints(OURS[name])["type"])
    assert kind.partition(".")[0].replace("lifespan", "Lifespan") == next(
        prefix.replace("WebSocket", "websocket").replace("HTTP", "http")
        for prefix in ("HTTP", "WebSocket", "Lifespan")
        if name.startswith(prefix)
    )
    assert typing.get_type_hints(OURS[name])["type"] == Literal[kind]


# Driven by asgiref


async def ticks(request: Request) -> AsyncIterator[str]:
    for number in range(2):
        await asyncio.sleep(10)
        yield str(number)
    await asyncio.Event().wait()


async def echo(request: Request) -> bytes:
    return await request.body()


async def shout(websocket: WebSocket) -> None:
    await websocket.accept()
    async for message in websocket:
        await websocket.send(str(message).upper())


router = Router()
router.get("/ticks", kind=respond.ndjson)(ticks)
router.post("/echo")(echo)
router.websocket("/shout")(shout)


async def work() -> None:
    """To be done after the answer."""


@contextlib.asynccontextmanager
async def life() -> AsyncIterator[None]:
    yield


@pytest.mark.parametrize(
    "app",
    [router, respond.text("a"), handler(echo), websocket_app(shout), after(router, work), lifespan(router, life)],
    ids=["Router", "Response", "handler", "websocket_app", "after", "lifespan"],
)
def test_asgiref_takes_every_app_for_one_of_asgi_3(app: App) -> None:
    assert not is_double_callable(app)  # type: ignore[no-untyped-call]  # asgiref has no types here


class Driver(typing.Protocol):
    """ApplicationCommunicator, which has no types."""

    @property
    def future(self) -> "asyncio.Task[None]": ...
    @property
    def output_queue(self) -> "asyncio.Queue[Sent]": ...
    async def send_input(self, message: Received) -> None: ...
    async def receive_output(self, timeout: float = ...) -> dict[str, object]: ...  # noqa: ASYNC109  asgiref's own


def communicator(kind: str, path: str, method: str = "GET") -> Driver:
    scope: dict[str, object] = {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
    }
    scope |= {"query_string": b"", "headers": []}
    return typing.cast(Driver, ApplicationCommunicator(router, scope))  # type: ignore[no-untyped-call]  # as above


async def ended(driver: Driver) -> None:
    async with asyncio.timeout(1):
        await asyncio.shield(driver.future)
    assert driver.output_queue.empty()


def test_a_body_is_echoed() -> None:
    async def script() -> None:
        driver = communicator("http", "/echo", "POST")
        await driver.send_input({"type": "http.request", "body": b"a", "more_body": True})
        await driver.send_input({"type": "http.request", "body": b"b"})
        start = await driver.receive_output()
        assert (start["type"], start["status"]) == ("http.response.start", 200)
        assert await driver.receive_output() == {"type": "http.response.body", "body": b"ab"}
        await ended(driver)

    clock.run(script())


def test_a_stream_comes_as_it_comes_and_ends_when_the_client_leaves() -> None:
    async def script() -> None:
        driver = communicator("http", "/ticks")
        await driver.send_input({"type": "http.request"})
        assert (await driver.receive_output(timeout=2))["status"] == 200
        bodies: list[tuple[float, object]] = []
        while len(bodies) < 2:
            message = await driver.receive_output(timeout=11)
            assert message["more_body"]
            if message["body"]:
                bodies.append((clock.now(), message["body"]))
        assert bodies == [(10, b'"0"\n'), (20, b'"1"\n')]
        await driver.send_input({"type": "http.disconnect"})
        await ended(driver)

    clock.run(script())


def test_a_websocket_talks() -> None:
    async def script() -> None:
        driver = communicator("websocket", "/shout")
        await driver.send_input({"type": "websocket.connect"})
        assert (await driver.receive_output())["type"] == "websocket.accept"
        await driver.send_input({"type": "websocket.receive", "text": "hello"})
        assert await driver.receive_output() == {"type": "websocket.send", "text": "HELLO"}
        await driver.send_input({"type": "websocket.disconnect", "code": 1000})
        await ended(driver)

    clock.run(script())


def test_an_error_reaches_the_server() -> None:
    async def script() -> None:
        driver = communicator("lifespan", "/")
        await driver.send_input({"type": "lifespan.startup"})
        with pytest.raises(AppError, match="not lifespan"):
            await ended(driver)

    clock.run(script())
