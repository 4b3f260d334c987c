"""What a server may offer: used where it is there, and something else done where it is not."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import clock
import pytest

from rawasgi import files, respond
from rawasgi.asgi import App, HTTPScope, Receive, Scope, Send, Sent
from rawasgi.dev.client import connect, websocket
from rawasgi.extensions import (
    TLS,
    ContentDigest,
    ServerTiming,
    debug,
    early_hints,
    offers,
    push,
    tls,
    trailers,
)
from rawasgi.response import Response
from rawasgi.websocket import WebSocket, websocket_app

HINTS, PUSH, TRAILERS = "http.response.early_hint", "http.response.push", "http.response.trailers"
LINKS = ["</a.css>; rel=preload; as=style", "</b.js>; rel=preload; as=script"]
TE = {"te": "trailers"}


async def words(*items: str) -> AsyncIterator[str]:
    for item in items:
        yield item
        await asyncio.sleep(1)


def talk(app: App, *extensions: str, method: str = "GET", **headers: str) -> list[Sent]:
    """The messages that *app* sends."""

    async def script() -> list[Sent]:
        scope: dict[str, object] = {"extensions": {name: {} for name in extensions}}
        async with connect(app, method, scope=scope, headers=headers) as client:
            await client.finished()
        return [message.message for message in client.messages if message.direction == "send"]  # type: ignore[misc]

    return clock.run(script())


def kinds(messages: list[Sent]) -> list[str]:
    return [message["type"].removeprefix("http.response.") for message in messages]


def header(message: Any, name: bytes) -> list[bytes]:
    return [value for key, value in message["headers"] if key == name]


# Early hints


def test_hints_come_before_the_app_has_begun() -> None:
    sent: list[Sent] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert kinds(sent) == ["early_hint"]
        await respond.text("x")(scope, receive, send)

    async def send(message: Sent) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    clock.run(called(early_hints(app, LINKS), receive, send, HINTS))
    assert sent[0] == {"type": HINTS, "links": [link.encode() for link in LINKS]}
    assert header(sent[1], b"link") == [link.encode() for link in LINKS]


async def called(app: App, receive: Any, send: Any, *extensions: str) -> None:
    scope: HTTPScope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "2",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [],
        "extensions": {name: {} for name in extensions},
    }
    await app(scope, receive, send)


def test_without_the_extension_the_links_stand_in_the_answer_RFC_8297() -> None:
    app = early_hints(respond.text("x", headers={"link": "</c>; rel=next"}), LINKS)
    start, _ = talk(app)
    assert header(start, b"link") == [b"</c>; rel=next", *(link.encode() for link in LINKS)]


def test_a_client_that_left_before_its_hints_is_the_apps_to_see() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def send(message: Sent) -> None:
        raise BrokenPipeError

    clock.run(called(early_hints(app, LINKS), None, send, HINTS))
    assert seen == ["http"]


def test_a_link_that_ends_its_line_is_refused() -> None:
    with pytest.raises(ValueError, match="one line"):
        early_hints(respond.text("x"), ["</a>\r\nset-cookie: x=1"])


# Push


@pytest.mark.parametrize("app", [respond.text("x"), respond.stream(words("a", "b"))])
def test_what_is_pushed_comes_after_the_start(app: App) -> None:
    messages = talk(push(app, ["/a.css", "/b.js"], [("accept", "text/css")]), PUSH)
    assert kinds(messages)[:4] == ["start", "push", "push", "body"]
    assert messages[1] == {"type": PUSH, "path": "/a.css", "headers": [(b"accept", b"text/css")]}
    assert header(messages[0], b"link") == []


def test_without_the_extension_it_is_a_preload() -> None:
    start, _ = talk(push(respond.text("x"), ["/a.css", "/b.js"]))
    assert header(start, b"link") == [b"</a.css>; rel=preload", b"</b.js>; rel=preload"]


def test_nothing_is_pushed_with_an_error_or_a_head() -> None:
    assert kinds(talk(push(respond.text("x", 404), ["/a.css"]), PUSH)) == ["start", "body"]
    assert kinds(talk(push(respond.text("x"), ["/a.css"]), PUSH, method="HEAD")) == ["start", "body"]


# Trailers


def test_the_digest_of_a_stream_comes_after_it_RFC_9530() -> None:
    messages = talk(trailers(respond.stream(words("你", "好")), ContentDigest), TRAILERS, **TE)
    assert kinds(messages) == ["start", "body", "body", "body", "trailers"]
    start, last = messages[0], messages[-1]
    assert start["trailers"]  # type: ignore[typeddict-item]
    assert header(start, b"trailer") == [b"content-digest"]
    digest = base64.b64encode(hashlib.sha256("你好".encode()).digest())
    assert header(last, b"content-digest") == [b"sha-256=:" + digest + b":"]


def test_how_long_it_took_comes_after_it() -> None:
    messages = talk(trailers(respond.text("x"), ServerTiming), TRAILERS, te="gzip;q=0.5, Trailers")
    (timing,) = header(messages[-1], b"server-timing")
    assert timing.startswith(b"first;dur=")
    assert b", total;dur=" in timing
    empty = talk(trailers(respond.text(""), ServerTiming), TRAILERS, **TE)
    assert header(empty[-1], b"server-timing")


@pytest.mark.parametrize(
    ("extensions", "te", "method", "status"),
    [
        ([], "trailers", "GET", 200),
        ([TRAILERS], "", "GET", 200),
        ([TRAILERS], "gzip", "GET", 200),
        ([TRAILERS], "trailers", "HEAD", 200),
        ([TRAILERS], "trailers", "GET", 204),
        ([TRAILERS], "trailers", "GET", 304),
    ],
    ids=["not offered", "not asked for", "something else asked for", "HEAD", "204", "304"],
)
def test_without_them_nothing_is_changed_10_1_4(extensions: list[str], te: str, method: str, status: int) -> None:
    plain = Response(b"x" if status == 200 else b"", status)
    assert talk(trailers(plain, ContentDigest, ServerTiming), *extensions, method=method, te=te) == talk(
        plain, *extensions, method=method, te=te
    )


def test_over_http_3_there_are_none_as_they_would_break_the_stream() -> None:
    async def script() -> list[str]:
        scope: dict[str, object] = {"extensions": {TRAILERS: {}}, "http_version": "3"}
        async with connect(trailers(respond.text("x"), ContentDigest), scope=scope, headers=TE) as client:
            await client.finished()
        return [str(message.message["type"]) for message in client.messages if message.direction == "send"]

    assert TRAILERS not in clock.run(script())


def test_after_an_error_there_are_none() -> None:
    async def broken() -> AsyncIterator[str]:
        yield "first"
        await asyncio.sleep(1)
        raise LookupError

    async def script() -> list[str]:
        scope: dict[str, object] = {"extensions": {TRAILERS: {}}}
        app = trailers(respond.stream(broken()), ContentDigest)
        with pytest.raises(LookupError):
            async with connect(app, scope=scope, headers=TE) as client:
                await client.finished()
        return [str(message.message["type"]) for message in client.messages if message.direction == "send"]

    assert TRAILERS not in clock.run(script())


async def own(scope: Scope, receive: Receive, send: Send) -> None:
    """An app with trailers of its own."""
    await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": True})
    await send({"type": "http.response.body", "body": b"x"})
    await send({"type": "http.response.trailers", "headers": [(b"x-a", b"1")], "more_trailers": True})
    await send({"type": "http.response.trailers", "headers": [(b"x-b", b"2")]})


def test_those_of_the_app_go_before() -> None:
    messages = talk(trailers(own, ContentDigest), TRAILERS, **TE)
    assert kinds(messages) == ["start", "body", "trailers", "trailers"]
    assert [name for name, _ in messages[-1]["headers"]] == [b"x-b", b"content-digest"]  # type: ignore[typeddict-item]


@pytest.mark.parametrize("kind", ["pathsend", "zerocopysend"])
def test_who_must_see_the_body_gets_it_and_who_need_not_lets_the_server_send_it(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 2_000_000)
    offered = (TRAILERS, f"http.response.{kind}")
    seen = asyncio_talk(trailers(files.file(path), ContentDigest), *offered)
    assert kind not in kinds(seen)
    digest = base64.b64encode(hashlib.sha256(path.read_bytes()).digest())
    assert header(seen[-1], b"content-digest") == [b"sha-256=:" + digest + b":"]
    unseen = asyncio_talk(trailers(files.file(path), ServerTiming), *offered)
    assert kinds(unseen)[-2:] == [kind, "trailers"]


def asyncio_talk(app: App, *extensions: str) -> list[Sent]:
    return talk(app, *extensions, **TE)


@pytest.mark.parametrize("name", [b"content-length", b"transfer-encoding", b"set-cookie", b"content-type", b"trailer"])
def test_what_must_not_come_after_the_body_is_refused_6_5_1(name: bytes) -> None:
    class Late(ContentDigest):
        names: tuple[bytes, ...] = (name,)

    with pytest.raises(ValueError, match=r"RFC 9110, 6\.5\.1"):
        trailers(respond.text("x"), Late)


# For those who look


def test_who_listens_is_told_before_the_start() -> None:
    app = debug(respond.text("x"), lambda: {"template": "a.html"})
    first, *_ = talk(app, "http.response.debug")
    assert first == {"type": "http.response.debug", "info": {"template": "a.html"}}
    assert kinds(talk(app)) == ["start", "body"]


CERTIFICATE = "-----BEGIN CERTIFICATE-----"


@pytest.mark.parametrize(
    ("told", "facts", "version"),
    [
        ({}, TLS(), None),
        ({"tls_version": 0x0304, "cipher_suite": 0x1301}, TLS(tls_version=772, cipher_suite=4865), "TLSv1.3"),
        ({"tls_version": 0x0399}, TLS(tls_version=0x0399), "0x0399"),
        (
            {"server_cert": CERTIFICATE, "client_cert_chain": [CERTIFICATE], "client_cert_error": None},
            TLS(CERTIFICATE, (CERTIFICATE,)),
            None,
        ),
    ],
)
def test_what_is_known_of_the_tls(told: dict[str, object], facts: TLS, version: str | None) -> None:
    found: list[TLS | None] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found.append(tls(scope))

    clock.run(called_with(app, {"tls": told}))
    clock.run(called_with(app, None))
    assert found == [facts, None]
    assert facts.version == version


async def called_with(app: App, extensions: Any) -> None:
    scope: Any = {"type": "http", "extensions": extensions}
    await app(scope, None, None)  # type: ignore[arg-type]


# Whatever is not http


@pytest.mark.parametrize("wrap", [lambda app: early_hints(app, LINKS), lambda app: push(app, ["/a"]), trailers, debug])
def test_a_websocket_and_a_lifespan_pass_as_they_are(wrap: Any) -> None:
    @websocket_app
    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close()

    app = wrap(echo, dict) if wrap is debug else wrap(echo)

    async def script() -> int | None:
        async with websocket(app) as client:
            await client.accepted()
            with pytest.raises(EOFError):
                await client.hear()
        return client.code

    assert clock.run(script()) == 1000


def test_a_lifespan_has_no_extensions() -> None:
    scope: Any = {"type": "lifespan", "asgi": {"version": "3.0"}}
    assert not offers(scope, PUSH)
    assert tls(scope) is None
