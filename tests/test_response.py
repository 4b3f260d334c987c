"""A response, sent: what goes out, and that its source is closed."""

import asyncio
from collections.abc import AsyncIterator

import clock
import pytest

from rawasgi import respond
from rawasgi.asgi import HTTPScope, Receive, Scope, Send, Sent
from rawasgi.dev.client import connect, fetch, websocket
from rawasgi.dev.exchange import Personality
from rawasgi.errors import AppError
from rawasgi.handling import handler
from rawasgi.request import Request
from rawasgi.response import Response
from rawasgi.sending import Streaming

VERSIONS = [None, "2.0", "2.1", "2.2", "2.3", "2.4", "2.5"]


class Source:
    """Chunks, and whether they were asked for and closed."""

    def __init__(self, *chunks: bytes, wait: float | None = None) -> None:
        self.chunks = list(chunks)
        self.wait = wait
        self.started = self.closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        self.started = True
        if not self.chunks:
            raise StopAsyncIteration
        if self.wait is not None:
            await asyncio.sleep(self.wait)
        return self.chunks.pop(0)

    async def aclose(self) -> None:
        self.closed = True


def sent(response: Response, method: str = "GET", **scope: object) -> list[Sent]:
    """The messages of *response*, as they were sent."""

    async def script() -> list[Sent]:
        async with connect(response, method, scope=scope) as client:
            await client.finished()
        return [message.message for message in client.messages if message.direction == "send"]  # type: ignore[misc]

    return clock.run(script())


# Whole bodies


def test_a_whole_body_is_two_messages() -> None:
    assert sent(Response(b"body", 201, ((b"x-tag", b"1"),))) == [
        {"type": "http.response.start", "status": 201, "headers": [(b"x-tag", b"1")]},
        {"type": "http.response.body", "body": b"body"},
    ]


def test_head_sends_the_headers_of_get_and_no_body() -> None:
    response = respond.text("body")
    start, body = sent(response, "HEAD")
    assert start == sent(response)[0]
    assert (b"content-length", b"4") in response.headers
    assert body == {"type": "http.response.body", "body": b""}


@pytest.mark.parametrize("status", [199, 100, 103, 0, -1, 600, 1000])
def test_a_status_is_that_of_an_answer(status: int) -> None:
    with pytest.raises(ValueError, match=f"200 to 599, not {status}"):
        Response(b"", status)


@pytest.mark.parametrize("status", [204, 205, 304])
def test_some_statuses_have_no_body(status: int) -> None:
    with pytest.raises(ValueError, match=f"must be empty with status {status}"):
        Response(b"x", status)
    assert sent(Response(b"", status))[1] == {"type": "http.response.body", "body": b""}


def test_a_response_is_a_value() -> None:
    response = respond.text("a")
    assert response == respond.text("a")
    assert hash(response) == hash(respond.text("a"))
    with pytest.raises(AttributeError):
        response.status = 201  # type: ignore[misc]  # that is what is tried
    assert sent(response) == sent(response)


@pytest.mark.parametrize("version", ["2", "3"])
def test_fields_of_the_connection_are_left_out_of_http_2_and_3(version: str) -> None:
    gone = ("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade")
    response = respond.text("a", headers={**dict.fromkeys(gone, "x"), "x-tag": "1"})
    kept = [name for name, _ in clock.run(fetch(response, scope={"http_version": version})).headers]
    assert kept == [b"x-tag", b"content-type", b"content-length"]
    assert {name.encode() for name in gone} < {name for name, _ in clock.run(fetch(response)).headers}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("body", [b"whole", Streaming(Source(b"a", wait=1))])
def test_a_client_that_left_before_the_answer_is_no_error(version: str | None, body: bytes | Streaming) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(1)
        await Response(body)(scope, receive, send)

    async def script() -> None:
        async with connect(app, spec_version=version) as client:
            await client.leave()
            await client.finished()

    clock.run(script())


def test_a_response_does_not_answer_a_websocket() -> None:
    async def script() -> None:
        async with websocket(respond.text("a")) as client:
            with pytest.raises(AppError, match="answers http, not websocket"):
                await client.accepted()

    clock.run(script())


def test_an_answer_that_has_begun_is_not_followed_by_another() -> None:
    async def answer(request: Request) -> str:
        return "a"

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def failing(message: Sent) -> None:
            if message["type"] == "http.response.body":
                raise LookupError("the server's own")
            await send(message)

        await handler(answer)(scope, receive, failing)

    async def script() -> None:
        async with connect(app) as client:
            with pytest.raises(LookupError):
                await client.finished()
        assert [message.message["type"] for message in client.messages] == ["http.response.start"]

    clock.run(script())


# Streams


@pytest.mark.parametrize("version", VERSIONS)
def test_a_stream_is_sent_as_it_comes_and_its_source_closed(version: str | None) -> None:
    source = Source(b"a", b"b", wait=1)
    arrived = []

    async def script() -> None:
        async with connect(Response(Streaming(source)), spec_version=version) as client:
            assert await client.started() == 200
            async for chunk in client:
                arrived.append((clock.now(), chunk))
            await client.finished()

    clock.run(script())
    assert arrived == [(1, b"a"), (2, b"b")]
    assert source.closed


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 205), ("GET", 304)])
def test_without_a_body_the_source_is_closed_and_never_started(method: str, status: int) -> None:
    source = Source(b"a")
    assert sent(Response(Streaming(source), status), method) == [
        {"type": "http.response.start", "status": status, "headers": []},
        {"type": "http.response.body", "body": b""},
    ]
    assert (source.started, source.closed) == (False, True)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("personality", [Personality(), Personality(repeats_disconnect=False, gives_way=True)])
def test_a_source_is_closed_when_the_client_leaves(version: str | None, personality: Personality) -> None:
    source = Source(b"a", b"never", wait=5)

    async def script() -> None:
        async with connect(Response(Streaming(source)), spec_version=version, personality=personality) as client:
            assert await client.chunk() == b"a"
            await client.leave()
            await client.finished()
            assert clock.now() == 5

    clock.run(script())
    assert source.closed


@pytest.mark.parametrize(
    ("length", "chunks", "error"),
    [
        (3, (b"abcd",), "1 bytes longer"),
        (3, (b"ab", b"cd"), "1 bytes longer"),
        (0, (b"a",), "1 bytes longer"),
        (3, (b"ab",), "1 bytes shorter"),
        (3, (), "3 bytes shorter"),
    ],
)
@pytest.mark.parametrize("wait", [None, 1.0])
def test_a_stream_must_be_as_long_as_its_content_length(
    length: int, chunks: tuple[bytes, ...], error: str, wait: float | None
) -> None:
    source = Source(*chunks, wait=wait)
    response = Response(Streaming(source), 200, ((b"content-length", b"%d" % length),))

    async def script() -> bytes:
        async with connect(response) as client:
            with pytest.raises(AppError, match=f"{error} than its content-length"):
                await client.finished()
        return client.body

    assert len(clock.run(script())) <= length  # what is too long never goes out
    assert source.closed


def test_a_stream_of_just_its_content_length_is_whole() -> None:
    response = Response(Streaming(Source(b"ab", b"c", wait=1)), 200, ((b"content-length", b"3"),))
    assert clock.run(fetch(response)).body == b"abc"


def test_a_source_is_closed_also_if_its_content_length_is_no_number() -> None:
    source = Source(b"a")
    with pytest.raises(ValueError):
        sent(Response(Streaming(source), 200, ((b"content-length", b"x"),)))
    assert source.closed


def test_an_error_before_the_first_item_leaves_the_answer_open() -> None:
    async def broken() -> AsyncIterator[bytes]:
        raise LookupError
        yield b""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await respond.stream(broken())(scope, receive, send)
        except LookupError:
            await respond.text("sorry", 503)(scope, receive, send)

    assert clock.run(fetch(app)).status == 503


def test_a_scope_is_not_changed() -> None:
    before: dict[str, object] = {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        before.update(scope)
        await respond.text("a")(scope, receive, send)
        assert dict(scope) == before

    assert clock.run(fetch(app)).text == "a"
    assert HTTPScope.__required_keys__ <= before.keys()
