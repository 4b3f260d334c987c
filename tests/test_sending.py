"""The sending loop: what is joined, what goes out at once, and what happens when it cannot."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Generator
from contextlib import suppress
from typing import cast

import clock
import pytest

from rawasgi import Request, Response, handler, respond
from rawasgi.asgi import HTTPResponseStart, HTTPScope, Received, Sent
from rawasgi.dev.client import connect, fetch
from rawasgi.dev.exchange import Personality
from rawasgi.errors import AppError, HTTPError
from rawasgi.inbox import Inbox
from rawasgi.sending import Streaming, send_stream

pytestmark = pytest.mark.usefixtures("no_time_passes_by_itself")

SCOPE: HTTPScope = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "GET",
    "path": "/",
    "query_string": b"",
    "headers": [],
}


def bodies(response: Response) -> list[bytes]:
    """The body messages of a whole exchange, as they were sent."""
    result = clock.run(fetch(response))
    sent = [message for direction, message in result.messages if direction == "send"]
    return [cast(bytes, message["body"]) for message in sent if message["type"] == "http.response.body"]


async def ready(*items: str) -> AsyncIterator[str]:
    for item in items:
        yield item


def test_what_is_ready_leaves_in_one_message() -> None:
    assert bodies(respond.stream(ready("a", "b", "c"))) == [b"abc"]


def test_without_joining_each_item_has_its_message() -> None:
    assert bodies(respond.stream(ready("a", "b"), join=False)) == [b"a", b"b", b""]


def test_64_KiB_are_enough_for_one_message() -> None:
    sizes = [len(body) for body in bodies(respond.stream(ready(*["x" * 30_000] * 4)))]
    assert sizes == [90_000, 30_000]


def test_what_was_kept_goes_out_before_the_source_waits() -> None:
    async def source() -> AsyncIterator[str]:
        yield "a"
        yield "b"
        await asyncio.sleep(60)
        yield "c"

    async def script() -> None:
        async with connect(respond.stream(source())) as client:
            assert await client.chunk() == b"ab"
            assert clock.now() == 0
            assert await client.chunk() == b"c"
            assert clock.now() == 60

    clock.run(script())


def test_the_headers_go_out_before_the_first_wait_also_where_a_server_holds_them() -> None:
    async def source() -> AsyncIterator[str]:
        await asyncio.sleep(60)
        yield "a"

    async def script() -> None:
        async with connect(respond.stream(source()), personality=Personality(holds_start=True)) as client:
            assert await client.started() == 200
            assert clock.now() == 0

    clock.run(script())


def test_every_kind_of_item_is_bytes_on_the_wire() -> None:
    async def source() -> AsyncIterator[str | bytes | bytearray | memoryview]:
        yield "你"
        yield b"b"
        yield bytearray(b"c")
        yield memoryview(b"d")

    assert bodies(respond.stream(source())) == ["你bcd".encode()]


def test_an_item_that_is_neither_is_an_error_with_a_way_out() -> None:
    async def source() -> AsyncIterator[object]:
        yield 3

    with pytest.raises(TypeError, match="must be str, bytes, bytearray or memoryview, not 3: encode it"):
        clock.run(fetch(respond.stream(source())))  # type: ignore[arg-type]  # that is the point


def test_a_refusal_while_the_body_is_read_is_still_the_answer() -> None:
    async def echo(request: Request) -> AsyncIterator[bytes]:
        yield await request.body(limit_bytes=2)

    async def script() -> int:
        async with connect(handler(echo), "POST", body=None) as client:
            await client.say("a")
            await asyncio.sleep(1)
            await client.say("bc", more_body=False)
            return await client.started()

    assert clock.run(script()) == 413


def test_a_source_that_goes_on_when_its_client_has_left_is_sent_no_further() -> None:
    async def source() -> AsyncIterator[str]:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        yield "more"

    async def script() -> None:
        async with connect(respond.stream(source())) as client:
            await client.started()
            await client.leave()
            await client.finished()
            assert client.body == b""

    clock.run(script())


def test_a_source_held_up_by_send_does_not_go_on_when_its_client_has_left() -> None:
    given = 0

    async def source() -> AsyncIterator[str]:
        nonlocal given
        while True:
            given += 1
            yield "x" * 65536

    async def script() -> None:
        async with connect(respond.stream(source()), spec_version="2.3") as client:
            await client.started()
            client.stall()
            await asyncio.sleep(1)
            before = given
            await client.leave()
            await client.finished()
            assert given == before

    clock.run(script())


@pytest.mark.parametrize("name", [b"content-length", b"Content-Length"])
def test_a_body_is_held_to_its_length_however_that_is_written(name: bytes) -> None:
    with pytest.raises(AppError, match="1 bytes longer than its content-length"):
        clock.run(fetch(Response(Streaming(ready("ab")), 200, ((name, b"1"),))))


@pytest.mark.parametrize("turns", [0, 1, 20])
def test_a_source_that_waits_for_what_is_not_asyncios_may_mend_that(turns: int) -> None:
    class Foreign:
        def __await__(self) -> Generator[object, None, None]:
            yield "foreign"

    async def source() -> AsyncIterator[str]:
        for _ in range(turns):
            await asyncio.sleep(0)
        with suppress(RuntimeError):
            await Foreign()
        return
        yield ""

    server = Server(LookupError(), -1)
    send(source(), server)
    assert server.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


@pytest.mark.parametrize("turns", [1, 2, 5])
def test_a_cancellation_while_the_source_only_gives_way_reaches_it(turns: int) -> None:
    log = []

    async def source() -> AsyncIterator[str]:
        try:
            while True:  # noqa: ASYNC110  # to give way is the point
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            log.append("cancelled")
            raise
        yield ""

    async def script() -> None:
        server = Server(LookupError(), -1)
        start: HTTPResponseStart = {"type": "http.response.start", "status": 200, "headers": []}
        body = Streaming(source())
        task = asyncio.create_task(awaited(send_stream(body, start, Inbox(server.receive), server.send)))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert log == ["cancelled"]

    clock.run(script())


# A server that fails us


class Server:
    """receive() and send() by hand, with a fault."""

    def __init__(self, fault: BaseException, at: int) -> None:
        self.fault = fault
        self.at = at
        self.sent: list[Sent] = []

    async def receive(self) -> Received:
        await asyncio.Event().wait()
        raise AssertionError

    async def slow_receive(self) -> Received:
        await asyncio.sleep(1)
        raise self.fault

    async def send(self, message: Sent) -> None:
        if len(self.sent) == self.at:
            await asyncio.sleep(1)
            raise self.fault
        self.sent.append(message)


class Source:
    """Waits before each item; ``closed`` says when it was closed, and how long that took."""

    def __init__(self, cleanup: float = 0.0, stubborn: bool = False) -> None:
        self.cleanup = cleanup
        self.stubborn = stubborn
        self.closed = False

    def __aiter__(self) -> "Source":
        return self

    async def __anext__(self) -> str:
        await asyncio.sleep(2)
        return "item"

    async def aclose(self) -> None:
        while True:
            try:
                await asyncio.sleep(self.cleanup)
                break
            except asyncio.CancelledError:
                if not self.stubborn:
                    raise
        self.closed = True


def send(source: AsyncIterable[str], server: Server, *, receive: bool = False, cleanup: float = 5.0) -> None:
    async def script() -> None:
        body = Streaming(source, cleanup=cleanup)
        inbox = Inbox(server.slow_receive if receive else server.receive)
        await send_stream(body, {"type": "http.response.start", "status": 200, "headers": []}, inbox, server.send)

    clock.run(script())


@pytest.mark.parametrize("at", [0, 1, 2, 4])
def test_an_error_of_send_is_raised_and_the_source_closed(at: int) -> None:
    source = Source()
    with pytest.raises(LookupError):
        send(source, Server(LookupError(), at))
    assert source.closed


class Rows:
    """An iterable of which each iterator is an async generator of its own."""

    closed = False

    async def __aiter__(self) -> AsyncIterator[object]:
        try:
            yield "a"
            yield None  # is no chunk
        finally:
            self.closed = True


def test_the_iterator_of_a_source_is_closed_with_it() -> None:
    """In its own task, before the error is raised: not when the garbage collector comes to it."""
    rows = Rows()

    async def script() -> bool:
        start: HTTPResponseStart = {"type": "http.response.start", "status": 200, "headers": []}
        server = Server(OSError(), -1)
        with pytest.raises(TypeError, match="must be str") as raised:
            await send_stream(Streaming(rows), start, Inbox(server.receive), server.send)
        assert raised.traceback  # which holds the iterator
        return rows.closed

    assert clock.run(script())


class FrameUnexpected(Exception):
    """aioquic's, of HTTP/3."""


GONE = [
    BrokenPipeError(),
    RuntimeError("unable to …; the handler is closed"),
    FrameUnexpected("DATA frame is not allowed in this state"),
    RuntimeError("Cannot send data after the stream was reset"),
    ValueError("Cannot send data on a finished stream"),
]


@pytest.mark.parametrize("at", [0, 1, 2, 4])
@pytest.mark.parametrize("fault", GONE, ids=repr)
def test_a_send_that_says_that_the_client_left_is_no_error(fault: BaseException, at: int) -> None:
    source = Source()
    send(source, Server(fault, at))
    assert source.closed


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("fault", GONE, ids=repr)
def test_nor_is_it_one_of_an_answer_that_is_no_stream(fault: BaseException, at: int) -> None:
    answer_whole(Server(fault, at))


def test_another_error_of_its_send_is_raised() -> None:
    with pytest.raises(LookupError):
        answer_whole(Server(LookupError(), 1))


def answer_whole(server: Server) -> None:
    async def script() -> None:
        await respond.text("whole")(SCOPE, server.receive, server.send)
        assert len(server.sent) == server.at

    clock.run(script())


def test_another_runtime_error_of_send_is_one() -> None:
    with pytest.raises(RuntimeError, match="out of order"):
        send(Source(), Server(RuntimeError("out of order"), 2))


def test_an_error_of_receive_is_raised_and_the_source_closed() -> None:
    source = Source()
    with pytest.raises(LookupError):
        send(source, Server(LookupError(), -1), receive=True)
    assert source.closed


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_clean_up_without_end_is_cut_off_and_reported(stubborn: bool) -> None:
    source = Source(cleanup=1000, stubborn=stubborn)
    with pytest.raises(TimeoutError, match=r"not closed within 5\.0 s: it was cut off"):
        send(source, Server(BrokenPipeError(), 2))


def test_an_error_before_the_first_item_has_its_own_status() -> None:
    async def refused(request: Request) -> AsyncIterator[str]:
        raise HTTPError(409, "taken")
        yield ""

    assert clock.run(fetch(handler(refused))).status == 409


async def awaited(awaitable: Awaitable[None]) -> None:
    """A task is made of a coroutine only, from Python 3.12 on."""
    await awaitable


@pytest.mark.parametrize("goes_on", [True, False], ids=["yields once more", "ends"])
def test_a_source_that_takes_its_cancellation_for_less_says_nothing_more(goes_on: bool) -> None:
    log: list[str] = []

    async def source() -> AsyncIterator[str]:
        try:
            yield "first"
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await asyncio.sleep(1)
            if goes_on:
                yield "late"
        finally:
            log.append(f"closed at {clock.now():g}")

    async def script() -> None:
        async with connect(respond.stream(source())) as client:
            await client.until("first")
            await client.leave()
            await client.finished()
        assert client.body == b"first"

    clock.run(script())
    assert log == ["closed at 1"]
