"""Middleware appends to ``message["headers"]``: each message of ours has a list of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from clock import run

from rawasgi import Router, familiar, files, respond
from rawasgi.asgi import App, Receive, Scope, Send, Sent
from rawasgi.compression import compress
from rawasgi.decompression import decompress
from rawasgi.dev.client import Result, fetch, websocket
from rawasgi.errors import HTTPError
from rawasgi.extensions import early_hints, push
from rawasgi.handling import handler
from rawasgi.request import Request
from rawasgi.response import Response
from rawasgi.shutdown import Drain
from rawasgi.trailers import content_digest, trailers
from rawasgi.websocket import WebSocket, websocket_app

EXTRA = (b"x-process-time", b"1")
OFFERS: dict[str, dict[str, object]] = {
    "http.response.early_hint": {},
    "http.response.push": {},
    "http.response.trailers": {},
    "websocket.http.response": {},
}


def appending(app: App) -> App:
    """Middleware as it is usually written; it also appends to the links of an early hint."""

    async def appended(scope: Scope, receive: Receive, send: Send) -> None:
        async def add(sent: Sent) -> None:
            message: Any = sent
            if "headers" in message:
                message["headers"].append(EXTRA)
            elif "links" in message:
                message["links"].append(b"</extra>")
            await send(sent)

        await app(scope, receive, add)

    return appended


def refuse(_: object) -> Response:
    raise HTTPError(409, "taken", headers=((b"x-tag", b"1"),))


async def refusing(_: Request) -> Response:
    return refuse(_)


async def lines() -> AsyncIterator[str]:
    yield "one"
    await asyncio.sleep(1)
    yield "two"


def drained() -> App:
    drain = Drain(retry=(2, 2))
    drain.begin()
    return drain(Response(b"unseen"))


PAGE = Response(b"a" * 1000, headers=((b"content-type", b"text/plain"), (b"connection", b"close")))
FILE = Path(__file__)
APPS: dict[str, Callable[[], App]] = {
    "a constant": lambda: PAGE,
    "a stream": lambda: respond.sse(lines()),
    "a redirect": lambda: respond.redirect("/"),
    "a file": lambda: files.file(FILE),
    "no such file": lambda: files.file(FILE / "none"),
    "no such route": lambda: Router(),
    "an HTTPError": lambda: handler(refusing),
    "a compressed one": lambda: compress(PAGE),
    "an unknown coding": lambda: decompress(PAGE),
    "trailers": lambda: trailers(PAGE, content_digest),
    "early hints": lambda: early_hints(PAGE, ["</a.css>"]),
    "push": lambda: push(PAGE, "/a.css"),
    "a shutdown": drained,
    "familiar": lambda: familiar.PlainTextResponse("a"),
    "a familiar file": lambda: familiar.FileResponse(FILE),
}


def ask(app: App, version: str) -> Result:
    pairs = [("accept-encoding", "gzip"), ("te", "trailers"), ("content-encoding", "unheard-of")]
    return run(fetch(app, headers=pairs, extensions=OFFERS, scope={"http_version": version}))


def sent(result: Result) -> list[list[object]]:
    """The headers and links of all messages that were sent."""
    messages: list[dict[str, Any]] = [dict(each.message) for each in result.messages if each.direction == "send"]
    return [list(message[key]) for message in messages for key in ("headers", "links") if key in message]


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("name", APPS)
def test_middleware_appends_to_the_headers_of_every_message_and_changes_no_later_one(name: str, version: str) -> None:
    before = sent(ask(APPS[name](), version))
    app = APPS[name]()
    twice = [sent(ask(appending(app), version)) for _ in range(1 if name == "a stream" else 2)]
    assert twice[0] == twice[-1] == [[*pairs, b"</extra>" if pairs == [b"</a.css>"] else EXTRA] for pairs in before]
    assert name == "a stream" or sent(ask(app, version)) == before


async def deny(socket: WebSocket) -> None:
    await socket.deny_with(PAGE)


async def deny_without_headers(socket: WebSocket) -> None:
    async def bare(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 403})
        await send({"type": "http.response.body"})

    await socket.deny_with(bare)


@pytest.mark.parametrize("function", [WebSocket.accept, deny, deny_without_headers])
def test_middleware_appends_to_the_headers_of_a_handshake(function: Callable[[WebSocket], object]) -> None:
    async def main(app: App) -> list[tuple[bytes, bytes]]:
        async with websocket(app, extensions=OFFERS) as client:
            await client.finished()
        return client.headers

    app = websocket_app(function)  # type: ignore[arg-type]  # an unbound method is a function of one
    before = run(main(app))
    assert run(main(appending(app))) == run(main(appending(app))) == [*before, EXTRA]


def test_the_headers_of_a_start_are_a_list() -> None:
    start = run(fetch(PAGE)).messages[0].message
    assert type(start["headers"]) is list
