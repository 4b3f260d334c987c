"""Requests out of their content coding: what the app reads, and what the client is told when there is nothing to."""

import asyncio
import gc
import gzip
import random
import tracemalloc
import weakref
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from functools import lru_cache
from importlib import import_module
from typing import Any

import pytest
from backports import zstd
from clock import now, run

from rawasgi import codings, respond
from rawasgi.asgi import App, Receive, Received, Scope, Send
from rawasgi.decompression import decompress
from rawasgi.dev.client import Result, connect, fetch, websocket
from rawasgi.errors import HTTPError, OutOfOrder
from rawasgi.handling import handler
from rawasgi.request import Request

brotli: Any = import_module("brotli")  # without types
WRITE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
}
OFFERED = "zstd, br, gzip, deflate"
NOISE = random.Random(1).randbytes(300_000)


async def echo(request: Request) -> bytes:
    return await request.body()


async def sizes(request: Request) -> list[int]:
    return [len(chunk) async for chunk in request.stream()]


def post(app: App, coding: str, body: bytes, **options: Any) -> Result:
    headers = {"content-encoding": coding, **options.pop("headers", {})}
    return run(fetch(app, method="POST", body=body, headers=headers, **options))


def sent(app: App, coding: str, body: bytes, **options: Any) -> Result:
    return post(decompress(app, **options), coding, body)


def answer(function: Any, coding: str, body: bytes, **options: Any) -> tuple[int, str]:
    result = sent(handler(function), coding, body, **options)
    return result.status, result.text


@lru_cache(3)
def bomb(mebibytes: int) -> bytes:
    inner = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(inner.compress(bytes(1 << 20)) for _ in range(mebibytes)) + inner.flush()


async def foreign(scope: Scope, receive: Receive, send: Send) -> None:
    """A framework that knows nothing of us: it keeps the body, and makes a 500 of any error, as Starlette does."""
    assert scope["type"] == "http"
    body, more_body = b"", True
    try:
        while more_body:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            more_body = message.get("more_body", False)
    except Exception:
        await respond.text("broken", 500)(scope, receive, send)
        raise
    await respond.text(str(len(body)))(scope, receive, send)


# What the app reads


@pytest.mark.parametrize("coding", WRITE)
def test_the_app_reads_what_was_meant(coding: str) -> None:
    for body in (b"", b"a", b"text " * 1000, NOISE):
        result = post(decompress(handler(echo)), coding.upper(), WRITE[coding](body))
        assert (result.status, result.body) == (200, body)
        assert post(decompress(foreign), coding, WRITE[coding](body)).text == str(len(body))


@pytest.mark.parametrize("coding", WRITE)
def test_each_piece_is_read_when_it_comes(coding: str) -> None:
    seen = []

    async def note(request: Request) -> None:
        seen.extend([(now(), chunk) async for chunk in request.stream()])

    made = codings.encoder(coding.removeprefix("x-"), None)

    async def talk() -> None:
        app = decompress(handler(note))
        async with connect(app, "POST", body=None, headers={"content-encoding": coding}) as client:
            for number in range(3):
                await client.say(made.encode(b"%d" % number) + made.flush())
                await asyncio.sleep(1)
            await client.say(made.finish(), more_body=False)
            await client.finished()

    run(talk())
    assert seen == [(0.0, b"0"), (1.0, b"1"), (2.0, b"2")]


def test_the_headers_say_nothing_of_the_coding_any_more() -> None:
    async def look(request: Request) -> dict[str, object]:
        names = ["content-encoding", "content-length", "content-type"]
        return {name: request.header(name) for name in names}

    headers = {"content-length": "30", "content-type": "text/plain"}
    result = post(decompress(handler(look)), "gzip", gzip.compress(b"text"), headers=headers)
    assert result.json() == {"content-encoding": None, "content-length": None, "content-type": "text/plain"}


def test_the_scope_of_the_server_is_not_changed() -> None:
    seen: list[Scope] = []

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        before = dict(scope)
        await decompress(handler(echo))(scope, receive, send)
        assert dict(scope) == before
        seen.append(scope)

    post(outer, "gzip", gzip.compress(b"text"))
    assert len(seen) == 1


@pytest.mark.parametrize("headers", [{}, {"content-encoding": ""}, {"content-encoding": "identity"}])
def test_what_has_no_coding_passes_unchanged(headers: dict[str, str]) -> None:
    seen: list[tuple[object, ...]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope, receive, send))

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        await decompress(app)(scope, receive, send)
        assert [(scope, receive, send)] == seen
        await respond.empty()(scope, receive, send)

    assert run(fetch(outer, method="POST", body=b"plain", headers=headers)).status == 204


def test_other_kinds_of_scope_pass_unchanged() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close"})

    async def talk() -> int:
        async with websocket(decompress(app), headers={"content-encoding": "gzip"}) as client:
            return await client.closed()

    assert run(talk()) == 1000


def test_after_the_end_receive_waits_for_the_disconnect() -> None:
    received: list[Received] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(3):
            received.append(await receive())

    async def talk() -> None:
        body = gzip.compress(b"text")
        async with connect(decompress(app), "POST", body=body, headers={"content-encoding": "gzip"}) as client:
            await asyncio.sleep(5)
            await client.leave()
            await client.finished()

    run(talk())
    assert received == [
        {"type": "http.request", "body": b"text", "more_body": True},
        {"type": "http.request", "body": b"", "more_body": False},
        {"type": "http.disconnect"},
    ]


def test_a_client_that_left_amid_its_body_is_no_malformed_one() -> None:
    received: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while not received or received[-1] != "http.disconnect":
            received.append((await receive())["type"])

    async def talk() -> None:
        watched = decompress(app)
        async with connect(watched, "POST", body=None, headers={"content-encoding": "gzip"}) as client:
            await client.say(gzip.compress(NOISE)[:1000])
            await asyncio.sleep(1)
            await client.leave()
            await client.finished()

    run(talk())
    assert received[-1] == "http.disconnect"


def test_a_response_that_streams_sees_the_client_leave() -> None:
    closed = []

    async def ticks(request: Request) -> AsyncIterator[str]:
        try:
            while True:
                yield "tick"
                await asyncio.sleep(1)
        finally:
            closed.append(now())

    async def talk() -> None:
        app = decompress(handler(ticks))
        options: Any = {"body": gzip.compress(b"text"), "headers": {"content-encoding": "gzip"}}
        async with connect(app, "POST", **options) as client:
            await client.chunk()
            await asyncio.sleep(2.5)
            await client.leave()
            await client.finished()

    run(talk())
    assert closed == [2.5]


# What is refused


@pytest.mark.parametrize("coding", ["compress", "gzip, gzip", "gzip,br", "br, identity, br", "nonsense", "gzip;q=1"])
def test_another_coding_or_a_chain_is_415_with_what_there_is(coding: str) -> None:
    result = post(decompress(handler(echo)), coding, b"x")
    assert (result.status, result.header("accept-encoding")) == (415, OFFERED)  # RFC 9110, 15.5.16
    assert result.text == f"the body's content-encoding must be one of {OFFERED}: send it so, or without"


def test_a_chain_in_two_headers_is_one_too() -> None:
    headers = [("content-encoding", "gzip"), ("Content-Encoding", "br")]
    assert run(fetch(decompress(handler(echo)), method="POST", body=b"x", headers=headers)).status == 415


@pytest.mark.parametrize("coding", WRITE)
def test_what_is_malformed_cut_off_or_goes_on_is_400(coding: str) -> None:
    written = WRITE[coding](b"text" * 100)
    name = coding.removeprefix("x-")
    for body in (b"nonsense", written + b"\0\0garbage", written[:-1], written[:10]):
        for function in (echo, sizes):
            status, text = answer(function, coding, body)
            assert (status, text.startswith("the body must be "), name in text) == (400, True, True)
        assert sent(foreign, coding, body).status == 400


@pytest.mark.parametrize("coding", WRITE)
def test_the_limit_is_on_the_result(coding: str) -> None:
    at, above = WRITE[coding](b"x" * 100_000), WRITE[coding](b"x" * 100_001)
    text = "the body must not be longer than 100000 bytes when it is decoded"
    for function in (echo, sizes):
        assert answer(function, coding, at, limit_bytes=100_000)[0] == 200
        assert answer(function, coding, above, limit_bytes=100_000) == (413, text)
    assert sent(foreign, coding, at, limit_bytes=100_000).text == "100000"
    assert sent(foreign, coding, above, limit_bytes=100_000).text == text


def test_the_limit_is_16_mib_by_default() -> None:
    assert sent(foreign, "zstd", zstd.compress(bytes(1 << 24))).text == str(1 << 24)
    assert sent(foreign, "zstd", zstd.compress(bytes((1 << 24) + 1))).status == 413


def test_the_limit_of_the_reader_holds_beside_ours() -> None:
    assert answer(echo, "gzip", bomb(2)) == (413, "the body must not be longer than 1048576 bytes")


@pytest.mark.parametrize("size", [1 << 14, 1 << 16, 1 << 20])
def test_a_bomb_costs_no_more_than_its_limit(size: int) -> None:
    """800 MiB of zeros in 797 KiB (threats: CVE-2025-69223 and its class)."""
    body = bomb(800)
    assert len(body) < 1 << 20
    parts = [body[at : at + size] for at in range(0, len(body), size)]

    async def main() -> int:
        async with connect(decompress(handler(sizes), limit_bytes=1 << 20), "POST", body=parts, **options) as client:
            await client.finished()
            return client.status

    options: Any = {"headers": {"content-encoding": "gzip"}}
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        assert run(main()) == 413
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak < 2 << 20


@pytest.mark.parametrize(
    ("coding", "endless"),
    [
        pytest.param("gzip", gzip.compress(b"") * 10_000, id="empty members"),
        pytest.param("zstd", zstd.compress(b"") * 10_000, id="empty frames"),
        pytest.param("gzip", b"\x1f\x8b\x08\x08\0\0\0\0\0\0" + b"n" * 3_000_000, id="a name without an end"),
        pytest.param("deflate", zlib.compress(b"")[:2] + b"\0\0\0\xff\xff" * 500_000, id="empty blocks"),
    ],
)
def test_what_gives_nothing_for_ever_is_413(coding: str, endless: bytes) -> None:
    parts = [endless[at : at + 65536] for at in range(0, len(endless), 65536)]

    async def main() -> int:
        app = decompress(handler(echo), limit_bytes=1_000_000)
        async with connect(app, "POST", body=parts, headers={"content-encoding": coding}) as client:
            await client.finished()
            return client.status

    assert run(main()) == 413


def test_others_run_while_a_bomb_is_read() -> None:
    async def main() -> int:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        task = asyncio.create_task(other())
        await fetch(decompress(foreign), method="POST", body=bomb(8), headers={"content-encoding": "gzip"})
        task.cancel()
        await asyncio.wait([task])
        return turns

    assert run(main()) >= 8 * 16


# Whose the answer is


def test_an_answer_of_the_app_below_500_is_the_answer() -> None:
    async def kind(request: Request) -> Any:
        try:
            return await request.body()
        except HTTPError as error:
            return respond.text(f"told {error.status}", 422)

    assert answer(kind, "gzip", b"nonsense") == (422, "told 400")


def test_a_500_that_a_framework_makes_of_it_is_replaced_and_the_server_hears_nothing() -> None:
    result = post(decompress(foreign), "gzip", b"nonsense")
    assert (result.status, "gzip" in result.text) == (400, True)


def test_another_error_of_the_app_is_raised_after_the_answer() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await receive()
        except HTTPError as error:
            raise LookupError("its own") from error

    async def talk() -> int:
        options: Any = {"body": b"nonsense", "headers": {"content-encoding": "gzip"}}
        async with connect(decompress(app), "POST", **options) as client:
            with pytest.raises(LookupError, match="its own"):
                await client.finished()
            return client.status

    assert run(talk()) == 400


def test_an_app_that_says_nothing_is_answered_for() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with pytest.raises(HTTPError):
            await receive()

    assert post(decompress(app), "gzip", b"nonsense").status == 400


def test_an_error_of_the_app_alone_passes_unchanged() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise LookupError("the app")

    with pytest.raises(LookupError, match="the app"):
        post(decompress(app), "gzip", gzip.compress(b""))


def test_a_response_that_has_begun_is_cut_off() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        await receive()

    async def talk() -> tuple[int, bytes]:
        options: Any = {"body": b"nonsense", "headers": {"content-encoding": "gzip"}}
        async with connect(decompress(app), "POST", **options) as client:
            with pytest.raises(HTTPError):
                await client.finished()
            return client.status, client.body

    assert run(talk()) == (200, b"begun")


def test_a_second_start_after_it_is_the_servers_to_refuse() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        with pytest.raises(HTTPError):
            await receive()
        await send({"type": "http.response.start", "status": 500, "headers": []})

    async def talk() -> list[object]:
        options: Any = {"body": b"nonsense", "headers": {"content-encoding": "gzip"}}
        async with connect(decompress(app), "POST", validated=False, **options) as client:
            with pytest.raises(OutOfOrder):
                await client.finished()
            return [record.message["status"] for record in client.messages if "status" in record.message]

    assert run(talk()) == [200, 500]


def test_an_app_that_asks_again_hears_only_of_the_disconnect() -> None:
    received = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with pytest.raises(HTTPError):
            await receive()
        received.append(await receive())

    async def talk() -> None:
        body = [b"nonsense", b"more", b"and more"]
        async with connect(decompress(app), "POST", body=body, headers={"content-encoding": "gzip"}) as client:
            await asyncio.sleep(1)
            await client.leave()
            await client.finished()

    run(talk())
    assert received == [{"type": "http.disconnect"}]


@pytest.mark.parametrize("fails", [False, True])
def test_the_state_of_the_coding_goes_with_the_exchange(fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[codings.Decoder]] = []
    kept: list[Receive] = []

    class Noted(codings.Decoder):
        def __init__(self, coding: str) -> None:
            super().__init__(coding)
            made.append(weakref.ref(self))

        def decode(self, data: bytes) -> Iterator[bytes]:
            yield from super().decode(data)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        kept.append(receive)  # as a task does that outlives its request
        await receive()
        if fails:
            raise LookupError
        await respond.text("early")(scope, receive, send)

    monkeypatch.setattr(codings, "Decoder", Noted)
    try:
        post(decompress(app), "gzip", gzip.compress(NOISE))
    except LookupError:
        assert fails
    gc.collect()
    assert [state() for state in made] == [None]
