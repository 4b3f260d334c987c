"""Fields after the content: when they are promised, what is in them, and who gets none."""

import asyncio
import os
from base64 import b64encode
from collections.abc import AsyncIterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from time import monotonic

import pytest
from clock import now, run

from rawasgi import respond
from rawasgi.asgi import App, Receive, Scope, Send, Sent
from rawasgi.dev.client import HTTPClient, connect, websocket
from rawasgi.extensions import offers
from rawasgi.response import Response
from rawasgi.trailers import Pairs, content_digest, server_timing, trailers
from rawasgi.websocket import WebSocket, websocket_app

OFFERED: dict[str, dict[str, object]] = {"http.response.trailers": {}}
TE = {"te": "trailers"}


def digest(body: bytes) -> bytes:
    return b"sha-256=:" + b64encode(sha256(body).digest()) + b":"


ITSELF = Path(__file__).read_bytes()


async def lines() -> AsyncIterator[str]:
    yield "one"
    yield "two"


async def asked(app: App, method: str = "GET", te: str = "trailers", version: str = "2") -> HTTPClient:
    """The client of a finished exchange that is offered trailers."""
    client = connect(app, method, headers={"te": te} if te else {}, extensions=OFFERED, scope={"http_version": version})
    async with client:
        await client.finished()
    return client


def kinds(client: HTTPClient) -> list[object]:
    return [each.message["type"] for each in client.messages if each.direction == "send"]


class Made:
    """A maker's work with all in the open."""

    sees_body = False

    def __init__(self, *names: bytes, value: bytes = b"yes") -> None:
        self.names = names
        self.value = value

    def feed(self, body: bytes) -> None: ...

    def fields(self) -> Pairs:
        return [(name, self.value) for name in self.names]


# When


def test_trailers_are_promised_by_the_start_and_follow_the_last_body() -> None:
    """RFC 9110, 6.6.2."""
    app = trailers(respond.stream(lines(), join=False), content_digest, partial(Made, b"x-one", b"x-two"))
    client = run(asked(app))
    assert client.header("trailer") == "content-digest, x-one, x-two"
    assert kinds(client) == ["http.response.start", *["http.response.body"] * 3, "http.response.trailers"]
    assert client.trailers == [(b"content-digest", digest(b"onetwo")), (b"x-one", b"yes"), (b"x-two", b"yes")]


def test_without_the_extension_the_app_is_left_alone() -> None:
    async def script() -> None:
        async with connect(trailers(respond.text("hello"), content_digest), headers=TE) as client:
            await client.finished()
            assert client.header("trailer") is None
            assert (client.body, client.trailers) == (b"hello", [])

    run(script())


@pytest.mark.parametrize(
    "te", ["trailers", "Trailers", "gzip, trailers", "trailers , deflate;q=0.5", "trailers;q=0.1", "gzip;q=0,trailers"]
)
def test_who_accepts_trailers_gets_them(te: str) -> None:
    """RFC 9110, 10.1.4: TE is a list, in any case of letters."""
    assert run(asked(trailers(respond.text("hello"), content_digest), te=te)).trailers


@pytest.mark.parametrize("te", ["", "gzip", "trailers;q=0", "trailers;q=0.000", "trailer", "x-trailers", "*", "*;q=1"])
def test_who_does_not_gets_none(te: str) -> None:
    client = run(asked(trailers(respond.text("hello"), content_digest), te=te))
    assert kinds(client) == ["http.response.start", "http.response.body"]
    assert client.header("trailer") is None


def test_te_may_stand_on_two_lines() -> None:
    async def script() -> list[tuple[bytes, bytes]]:
        headers = [("te", "gzip"), ("te", "trailers")]
        app = trailers(respond.stream(lines()), content_digest)
        async with connect(app, headers=headers, extensions=OFFERED) as client:
            await client.finished()
        return client.trailers

    assert run(script())


@pytest.mark.parametrize("status", [204, 205, 304])
def test_an_answer_without_content_has_no_trailers(status: int) -> None:
    client = run(asked(trailers(Response(status=status), content_digest)))
    assert kinds(client) == ["http.response.start", "http.response.body"]
    assert client.header("trailer") is None


def test_the_answer_to_head_has_no_trailers() -> None:
    client = run(asked(trailers(respond.text("hello"), content_digest), "HEAD"))
    assert kinds(client) == ["http.response.start", "http.response.body"]


def test_before_http_2_a_content_length_leaves_no_room_for_trailers() -> None:
    """RFC 9112, 7.1.2: they belong to the chunks."""
    whole, stream = respond.text("hello"), respond.stream(lines())
    assert run(asked(trailers(whole, content_digest), version="1.1")).trailers == []
    assert run(asked(trailers(stream, content_digest), version="1.1")).trailers
    assert run(asked(trailers(whole, content_digest), version="2")).trailers


def test_http_3_has_no_trailers() -> None:
    """hypercorn, the one server that speaks it, cannot."""
    client = run(asked(trailers(respond.text("hello"), content_digest), version="3"))
    assert kinds(client) == ["http.response.start", "http.response.body"]


def test_an_app_that_fails_amid_its_content_gets_no_trailers() -> None:
    async def broken() -> AsyncIterator[str]:
        yield "one"
        await asyncio.sleep(1)
        raise LookupError("half")

    async def script() -> list[object]:
        app = trailers(respond.stream(broken()), content_digest)
        async with connect(app, headers=TE, extensions=OFFERED) as client:
            with pytest.raises(LookupError, match="half"):
                await client.finished()
        return kinds(client)

    assert run(script()) == ["http.response.start", "http.response.body"]


def test_a_client_that_leaves_gets_no_trailers() -> None:
    async def endless() -> AsyncIterator[str]:
        while True:
            yield "more"
            await asyncio.sleep(1)

    async def script() -> list[object]:
        app = trailers(respond.stream(endless()), content_digest)
        async with connect(app, headers=TE, extensions=OFFERED) as client:
            assert await client.chunk() == b"more"
            await client.leave()
            await client.finished()
        return kinds(client)

    assert "http.response.trailers" not in run(script())


def test_websockets_pass_untouched() -> None:
    async def talk(socket: WebSocket) -> None:
        await socket.accept()

    async def script() -> None:
        app = trailers(websocket_app(talk), content_digest)
        async with websocket(app, headers=TE, extensions=OFFERED) as client:
            assert await client.accepted() is None

    run(script())


# The app's own


async def with_its_own(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"trailer", b"x-own")], "trailers": True})
    await send({"type": "http.response.body", "body": b"hello"})
    await send({"type": "http.response.trailers", "headers": [(b"x-own", b"1")], "more_trailers": True})
    await send({"type": "http.response.trailers", "headers": [(b"x-own", b"2")]})


def test_the_apps_own_trailers_come_first_and_in_the_same_message() -> None:
    client = run(asked(trailers(with_its_own, content_digest)))
    assert kinds(client)[2:] == ["http.response.trailers", "http.response.trailers"]
    assert client.trailers == [(b"x-own", b"1"), (b"x-own", b"2"), (b"content-digest", digest(b"hello"))]
    assert [value for name, value in client.headers if name == b"trailer"] == [b"x-own", b"content-digest"]


def test_the_apps_own_trailers_stay_where_ours_may_not_be() -> None:
    client = run(asked(trailers(with_its_own, content_digest), te="gzip"))
    assert client.trailers == [(b"x-own", b"1"), (b"x-own", b"2")]


def test_no_content_but_trailers_of_the_apps_own_gets_none_of_ours() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": [], "trailers": True})
        await send({"type": "http.response.body"})
        await send({"type": "http.response.trailers", "headers": [(b"x-own", b"1")]})

    assert run(asked(trailers(app, content_digest))).trailers == [(b"x-own", b"1")]


def test_trailers_around_trailers_are_one_message() -> None:
    client = run(asked(trailers(trailers(respond.text("hello"), partial(Made, b"x-in")), partial(Made, b"x-out"))))
    assert kinds(client).count("http.response.trailers") == 1
    assert client.trailers == [(b"x-in", b"yes"), (b"x-out", b"yes")]


# Which


@pytest.mark.parametrize(
    "name",
    [
        *["transfer-encoding", "content-length", "host", "te", "trailer", "cache-control", "authorization", "age"],
        *["set-cookie", "content-type", "content-encoding", "content-range", "location", "vary", "www-authenticate"],
    ],
)
def test_what_must_be_known_before_the_content_is_no_trailer(name: str) -> None:
    """RFC 9110, 6.5.1."""
    with pytest.raises(ValueError, match=f"a trailer must not be {name} .* send it as a header"):
        trailers(respond.text("hello"), partial(Made, name.encode()))


@pytest.mark.parametrize("name", ["x y", "", "x:", "X-Capital"])
def test_a_trailers_name_is_a_lowercase_token(name: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        trailers(respond.text("hello"), partial(Made, name.encode()))


def test_a_field_that_was_not_promised_is_not_sent() -> None:
    class Other(Made):
        def fields(self) -> Pairs:
            return [(b"content-type", b"text/html")]

    with pytest.raises(ValueError, match="must be one of its maker's names"):
        run(asked(trailers(respond.text("hello"), partial(Other, b"x-one"))))


def test_a_value_that_would_end_its_line_is_not_sent() -> None:
    with pytest.raises(ValueError, match="header x-one must be one line"):
        run(asked(trailers(respond.text("hello"), partial(Made, b"x-one", value=b"1\r\nx-two: 2"))))


# Files


async def by_path(scope: Scope, receive: Receive, send: Send) -> None:
    """A file by the cheapest way that is offered."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if offers(scope, "http.response.pathsend"):
        await send({"type": "http.response.pathsend", "path": __file__})
    elif offers(scope, "http.response.zerocopysend"):
        file = os.open(__file__, os.O_RDONLY)
        try:
            await send({"type": "http.response.zerocopysend", "file": file, "count": 10, "more_body": True})
            await send({"type": "http.response.zerocopysend", "file": file, "offset": 10})
        finally:
            os.close(file)
    else:
        await send({"type": "http.response.body", "body": ITSELF})


@pytest.mark.parametrize("name", ["http.response.pathsend", "http.response.zerocopysend"])
def test_a_maker_that_sees_the_content_has_files_sent_as_content(name: str) -> None:
    scopes = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await by_path(scope, receive, send)

    async def script() -> None:
        offered: dict[str, dict[str, object]] = {**OFFERED, name: {}, "other": {}}
        async with connect(trailers(app, content_digest), headers=TE, extensions=offered) as client:
            await client.finished()
            assert client.trailers == [(b"content-digest", digest(ITSELF))]
            assert offers(client.scope, name)  # the server's own scope is as it was

    run(script())
    [scope] = scopes
    assert [each for each in (*OFFERED, name, "other") if offers(scope, each)] == [*OFFERED, "other"]


@pytest.mark.parametrize("name", ["http.response.pathsend", "http.response.zerocopysend"])
def test_trailers_follow_files_that_are_sent_by_path_or_descriptor(name: str) -> None:
    async def script() -> None:
        async with connect(trailers(by_path, server_timing), headers=TE, extensions={**OFFERED, name: {}}) as client:
            await client.finished()
            assert kinds(client)[1] == name
            [(_, timing)] = client.trailers
            assert timing.startswith(b"total;dur=")

    run(script())


# content_digest


@pytest.mark.parametrize("body", [b"", b"hello", bytes(256_000)])
def test_the_digest_is_that_of_the_content(body: bytes) -> None:
    """RFC 9530, 2: a dictionary of byte sequences."""
    client = run(asked(trailers(respond.whole(body, None), content_digest)))
    assert client.trailers == [(b"content-digest", digest(body))]


def test_the_digest_is_that_of_rfc_9530() -> None:
    """RFC 9530, B.1."""
    made = content_digest()
    for piece in (b'{"hello"', b': "world"}', b"\n"):
        made.feed(piece)
    assert list(made.fields()) == [
        (b"content-digest", b"sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"),
    ]


def test_each_answer_has_its_own_digest() -> None:
    app = trailers(respond.text("hello"), content_digest)
    assert run(asked(app)).trailers == run(asked(app)).trailers


# server_timing


def timed(app: App) -> App:
    def clock() -> float:
        return now() if begun else 0.0  # asked for its names, no loop runs

    begun: list[str] = []
    wrapped = trailers(app, partial(server_timing, clock))
    begun.append("wrapped")
    return wrapped


def test_the_time_runs_from_the_call_to_the_first_byte_and_past_the_last() -> None:
    """W3C Server Timing, 3: milliseconds."""

    async def source() -> AsyncIterator[str]:
        await asyncio.sleep(0.25)  # the start and an empty body leave now
        yield "one"
        await asyncio.sleep(1)
        yield "two"
        await asyncio.sleep(0.5)

    client = run(asked(timed(respond.stream(source()))))
    assert client.trailers == [(b"server-timing", b"ttfb;dur=250.0, total;dur=1750.0")]


def test_an_empty_content_has_no_first_byte() -> None:
    assert run(asked(timed(respond.whole(b"", None)))).trailers == [(b"server-timing", b"total;dur=0.0")]


def test_the_total_includes_the_wait_for_a_slow_reader() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def slow(message: Sent) -> None:
            await asyncio.sleep(1)
            await send(message)

        await timed(respond.text("hello"))(scope, receive, slow)

    assert run(asked(app)).trailers == [(b"server-timing", b"ttfb;dur=1000.0, total;dur=2000.0")]


def test_the_clock_is_a_real_one_unless_another_is_given() -> None:
    async def source() -> AsyncIterator[str]:
        await asyncio.sleep(1_000_000)  # of the loop's time, which jumps
        yield "hello"
        until = monotonic() + 0.01
        while monotonic() < until:
            pass

    begin = monotonic()
    [(_, value)] = run(asked(trailers(respond.stream(source()), server_timing))).trailers
    took = (monotonic() - begin) * 1000
    assert 10 - 0.1 <= float(value.rpartition(b"=")[2]) <= took + 0.1, "it is rounded"
