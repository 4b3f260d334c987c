"""Stopping: open streams say good-bye, new ones are sent elsewhere."""

import asyncio
import json
import signal
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import clock
import pytest

from rawasgi import files, respond
from rawasgi.asgi import App, Receive, Scope, Send
from rawasgi.compression import compress
from rawasgi.dev.client import HTTPClient, connect, fetch, websocket
from rawasgi.dev.client import lifespan as living
from rawasgi.extensions import early_hints
from rawasgi.formats import csv, json_array, json_seq, ndjson, sse
from rawasgi.formats.endings import CutOff
from rawasgi.handling import handler
from rawasgi.lifespans import lifespan
from rawasgi.request import Request
from rawasgi.response import Response
from rawasgi.shutdown import Drain

ERROR = {"error": {"code": "shutdown", "message": "the server is stopping: ask again", "retry": True}}


class Source:
    """One item a second; its clean-up takes a second, too."""

    def __init__(self, *items: Any) -> None:
        self.items = items
        self.closed_at: float | None = None

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            for item in self.items:
                yield item
                await asyncio.sleep(1)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(1)
            self.closed_at = clock.now()


def stopped(make: Callable[[Source], Response], *items: Any, drain: Drain | None = None, **headers: str) -> HTTPClient:
    """The client of a stream that is told to stop after 1.5 seconds."""
    drain = drain or Drain()
    source = Source(*items)
    pairs = {name.replace("_", "-"): value for name, value in headers.items()}

    async def script() -> HTTPClient:
        stream = source.__aiter__()
        async with connect(compress(drain(make(stream))), headers=pairs) as client:  # type: ignore[arg-type]
            await client.started()
            await asyncio.sleep(1.5)
            assert drain.open == 1
            drain.begin()
            drain.begin()
            await client.finished()
        assert clock.now() == 2.5
        assert source.closed_at == 2.5, "the clean-up was awaited"
        assert drain.open == 0
        return client

    return clock.run(script())


def test_an_event_stream_ends_with_an_event_that_says_when_to_come_back() -> None:
    client = stopped(respond.sse, "a", "b", "c", drain=Drain(retry=(2.0, 3.0)))
    decoder = sse.Decoder()
    *events, last = decoder.feed(client.body)
    assert [event.data for event in events] == ["a", "b"]
    assert (last.event, json.loads(str(last.data))) == ("close", ERROR)
    assert decoder.retry is not None
    assert 2000 <= decoder.retry <= 3000


def test_they_come_back_at_different_times() -> None:
    seconds = {stopped(respond.sse).body for _ in range(5)}
    assert len(seconds) > 1


FORMATS: list[tuple[Callable[..., Response], Callable[[bytes], list[object]]]] = [
    (respond.ndjson, lambda body: ndjson.Decoder().feed(body)),
    (respond.json_seq, lambda body: json_seq.Decoder().feed(body)),
    (respond.json_array, lambda body: json_array.Decoder().feed(body)),
    (respond.json_array, json.loads),
]


@pytest.mark.parametrize(("make", "read"), FORMATS)
@pytest.mark.parametrize("items", [(), (1,), (1, 2, 3)])
def test_each_format_says_it_in_its_own_way(
    make: Callable[..., Response], read: Callable[[bytes], list[object]], items: tuple[int, ...]
) -> None:
    *before, last = read(stopped(make, *items).body)
    assert before == list(items[:2])
    assert last == ERROR


def test_a_spreadsheet_too() -> None:
    rows = csv.Decoder().feed(stopped(respond.csv, ["a"], ["b"]).body)
    assert rows[-1][:2] == ["#error", "shutdown"]


def test_what_is_compressed_outside_is_whole_and_readable() -> None:
    client = stopped(respond.sse, "a", accept_encoding="gzip")
    unpacker = zlib.decompressobj(31)
    assert b"event: close" in unpacker.decompress(client.body)
    assert unpacker.eof


def test_a_text_too() -> None:
    assert stopped(respond.stream, "a").body == b"a\nthe server is stopping: ask again\n"
    assert stopped(respond.stream).body == b"the server is stopping: ask again\n"


@pytest.mark.parametrize(
    "app",
    [
        lambda: respond.stream(Source(b"a").__aiter__(), "application/octet-stream"),
        lambda: compress(respond.sse(Source("a").__aiter__())),
    ],
    ids=["a type without a farewell", "coded inside"],
)
def test_what_has_no_word_for_it_is_cut(app: Callable[[], App]) -> None:
    async def script() -> None:
        drain = Drain()
        async with connect(drain(app()), headers={"accept-encoding": "gzip"}) as client:
            await client.started()
            await asyncio.sleep(1)
            drain.begin()
            with pytest.raises(CutOff, match="cannot say good-bye"):
                await client.rest()

    clock.run(script())


def test_what_is_no_stream_is_let_finish() -> None:
    async def endpoint(request: Request) -> str:
        await asyncio.sleep(10)
        return "whole"

    async def script() -> bytes:
        drain = Drain()
        async with connect(drain(handler(endpoint))) as client:
            await asyncio.sleep(1)
            drain.begin()
            return await client.rest()

    assert clock.run(script()) == b"whole"


def test_who_begins_to_stream_too_late_ends_at_once() -> None:
    source = Source("a", "b")

    async def endpoint(request: Request) -> Response:
        await asyncio.sleep(10)
        return respond.sse(source.__aiter__())

    async def script() -> bytes:
        drain = Drain()
        async with connect(drain(handler(endpoint))) as client:
            await asyncio.sleep(1)
            drain.begin()
            body = await client.rest()
            assert clock.now() < 12
            return body

    assert b"event: close" in clock.run(script())


def test_new_requests_are_sent_elsewhere() -> None:
    drain = Drain(retry=(7.0, 7.0))
    drain.begin()
    answer = clock.run(fetch(drain(respond.text("x"))))
    assert (answer.status, answer.header("retry-after"), answer.header("connection")) == (503, "7", "close")


def test_and_new_websockets() -> None:
    async def script() -> int:
        drain = Drain()
        drain.begin()
        extensions = {"websocket.http.response": dict[str, object]()}
        async with websocket(drain(respond.text("x")), "/", scope={"extensions": extensions}) as client:
            with pytest.raises(ConnectionRefusedError):
                await client.accepted()
            return client.status

    assert clock.run(script()) == 503


async def starlettes(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that waits for its client to leave, as others do it."""
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    await send({"type": "http.response.body", "body": b"data: a\n\n", "more_body": True})
    while (await receive())["type"] != "http.disconnect":
        pass


def test_an_app_of_others_ends_as_well() -> None:
    async def script() -> bytes:
        drain = Drain()
        async with connect(drain(starlettes)) as client:
            await client.started()
            await asyncio.sleep(1)
            drain.begin()
            return await client.rest()

    assert b"event: close" in clock.run(script())


def test_a_client_that_left_in_the_same_moment_is_no_error() -> None:
    async def script() -> None:
        drain = Drain()
        async with connect(drain(respond.sse(Source("a").__aiter__())), spec_version="2.4") as client:
            await client.started()
            await asyncio.sleep(1)
            drain.begin()
            await client.leave()
            await client.finished()

    clock.run(script())


def test_one_can_wait_until_all_is_over() -> None:
    async def script() -> float:
        drain = Drain()
        await drain.wait()
        async with connect(drain(respond.sse(Source("a").__aiter__()))) as client:
            await client.started()
            drain.begin()
            await drain.wait()
            ended = clock.now()
            await client.finished()
        return ended

    assert clock.run(script()) == 1


def test_the_times_must_make_sense() -> None:
    with pytest.raises(ValueError, match="least and the most"):
        Drain(retry=(5.0, 1.0))


def test_a_signal_begins_it_and_then_is_the_servers() -> None:
    got: list[int] = []
    former = signal.signal(signal.SIGUSR1, lambda number, _: got.append(number))
    drain = Drain()
    source = Source("a")

    async def script() -> bytes:
        async with drain.on_signals([signal.SIGUSR1, signal.SIGUSR2]):
            async with connect(drain(respond.sse(source.__aiter__()))) as client:
                await client.started()
                signal.raise_signal(signal.SIGUSR1)
                signal.raise_signal(signal.SIGUSR2)  # whose default would be the end of us
                return await client.rest()

    try:
        body = clock.run(script())
        assert signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, former)
    assert got == [signal.SIGUSR1, signal.SIGUSR1]
    assert b"event: close" in body
    assert drain.begun


def test_leaving_waits_for_clean_up_and_leaves_the_handlers_of_others() -> None:
    def other(number: int, frame: object) -> None: ...

    drain = Drain()

    async def script() -> None:
        async with drain.on_signals([signal.SIGUSR1]):
            signal.signal(signal.SIGUSR1, other)
        assert signal.getsignal(signal.SIGUSR1) is other
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        async with drain.on_signals([signal.SIGUSR1]):
            client = connect(drain(respond.sse(Source("a").__aiter__())))
            await client.__aenter__()
            await client.started()
            drain.begin()
        assert drain.open == 0
        await client.__aexit__(None, None, None)

    clock.run(script())


def test_leaving_without_a_signal_ends_what_is_open() -> None:
    drain = Drain()
    source = Source("a")

    async def script() -> bytes:
        client = connect(drain(respond.sse(source.__aiter__())))
        async with drain.on_signals([signal.SIGUSR1]):
            await client.__aenter__()
            await client.started()
        assert (drain.open, source.closed_at) == (0, clock.now())
        body = await client.rest()
        await client.__aexit__(None, None, None)
        return body

    assert b"event: close" in clock.run(script())


def test_it_lives_in_a_lifespan() -> None:
    drain = Drain()
    app = lifespan(drain(respond.text("x")), drain.on_signals)
    assert clock.run(fetch(app)).body == b"x"


def test_a_file_that_the_server_sends_is_complete(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")

    async def script() -> None:
        drain = Drain()
        app = drain(files.file(tmp_path / "a"))
        async with connect(app, scope={"extensions": {"http.response.pathsend": {}}}) as client:
            await client.started()
            drain.begin()
            await client.finished()

    clock.run(script())


def test_a_lifespan_passes_and_an_idle_process_need_not_wait() -> None:
    drain = Drain()

    async def script() -> None:
        async with living(drain(lifespan(respond.text("x"), lambda: drain.on_signals([signal.SIGUSR1])))):
            drain.begin()

    clock.run(script())
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


def test_what_comes_before_and_after_an_answer_passes() -> None:
    app = Drain()(early_hints(respond.text("x"), ["</a.css>; rel=preload"]))
    assert clock.run(fetch(app, scope={"extensions": {"http.response.early_hint": {}}})).body == b"x"
