"""Responses in a content coding: which, of what, and that nothing of it comes late."""

import asyncio
import gc
import weakref
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from backports import zstd
from clock import now, run
from hypothesis import given
from hypothesis import strategies as st

from rawasgi import codings, compression, respond
from rawasgi.asgi import App, Receive, Scope, Send
from rawasgi.compression import compress, is_text, negotiate
from rawasgi.dev.client import Result, connect, fetch, websocket
from rawasgi.dev.exchange import Personality
from rawasgi.errors import AppError
from rawasgi.handling import handler
from rawasgi.request import Request
from rawasgi.response import Response

brotli: Any = import_module("brotli")  # without types
CODINGS = ["gzip", "deflate", "br", "zstd"]
TEXT = "To be, or not to be, that is the question. " * 40


class Reader:
    """What a client decodes with, as it comes."""

    def __init__(self, coding: str) -> None:
        self.coding = coding
        self.inner: Any = {
            "gzip": lambda: zlib.decompressobj(31),
            "deflate": lambda: zlib.decompressobj(15),
            "br": brotli.Decompressor,
            "zstd": zstd.ZstdDecompressor,
        }[coding]()

    def __call__(self, data: bytes) -> bytes:
        data = self.inner.process(data) if self.coding == "br" else self.inner.decompress(data)
        assert isinstance(data, bytes)
        return data

    @property
    def ended(self) -> bool:
        return bool(self.inner.is_finished() if self.coding == "br" else self.inner.eof)


def decoded(answer: Result) -> bytes:
    reader = Reader(answer.header("content-encoding") or "none")
    body = reader(answer.body)
    assert reader.ended
    return body


def get(app: App, accept: str | None = "gzip", method: str = "GET", **options: Any) -> Result:
    headers = {} if accept is None else {"accept-encoding": accept}
    return run(fetch(app, method=method, headers={**headers, **options.pop("headers", {})}, **options))


def page(status: int = 200, **headers: str) -> Response:
    return respond.text(TEXT, status, [(name.replace("_", "-"), value) for name, value in headers.items()])


async def ticks(count: int = 3) -> AsyncIterator[str]:
    for number in range(count):
        yield f"tick {number}\n"
        await asyncio.sleep(1)


def sends(*messages: dict[str, object]) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)  # type: ignore[arg-type]  # written as any framework may

    return app


def start(*headers: tuple[bytes, bytes], status: int = 200) -> dict[str, object]:
    return {
        "type": "http.response.start",
        "status": status,
        "headers": [(b"content-type", b"text/plain"), *headers],
    }


def body(data: bytes, more_body: bool = False) -> dict[str, object]:
    return {"type": "http.response.body", "body": data, "more_body": more_body}


class Turns:
    count = 0


@asynccontextmanager
async def another_task() -> AsyncIterator[Turns]:
    """A task that counts how often it was let run."""
    turns = Turns()

    async def run_on() -> None:
        while True:
            await asyncio.sleep(0)
            turns.count += 1

    task = asyncio.create_task(run_on())
    yield turns
    task.cancel()
    await asyncio.wait([task])


# The body


@pytest.mark.parametrize("coding", CODINGS)
def test_a_whole_body_is_read_in_each_coding(coding: str) -> None:
    answer = get(compress(page()), coding)
    assert (answer.status, answer.header("content-encoding")) == (200, coding)
    assert len(answer.body) < len(TEXT) / 10
    assert decoded(answer).decode() == TEXT


@pytest.mark.parametrize("coding", CODINGS)
def test_each_item_of_a_stream_can_be_read_when_it_comes(coding: str) -> None:
    async def read() -> list[tuple[float, bytes]]:
        seen = []
        reader = Reader(coding)
        async with connect(compress(respond.sse(ticks())), headers={"accept-encoding": coding}) as client:
            async for chunk in client:
                if data := reader(chunk):
                    seen.append((now(), data))
        assert reader.ended
        return seen

    assert run(read()) == [(float(n), b"data: tick %d\ndata: \n\n" % n) for n in range(3)]


def test_the_start_goes_out_before_the_first_item() -> None:
    async def late() -> AsyncIterator[str]:
        await asyncio.sleep(100)
        yield "late"

    async def read() -> float:
        app = compress(respond.stream(late()))
        async with connect(app, headers={"accept-encoding": "gzip"}) as client:
            await client.started()
            return now()

    assert run(read()) == 0.0


@pytest.mark.parametrize("coding", CODINGS)
def test_a_whole_body_without_a_length_is_compressed_as_a_stream(coding: str) -> None:
    assert decoded(get(compress(sends(start(), body(b"x" * 9))), coding)) == b"x" * 9
    assert decoded(get(compress(sends(start(), {"type": "http.response.body"})), coding)) == b""


def test_a_message_without_a_body_is_passed_on_without_a_flush() -> None:
    answer = get(compress(sends(start(), body(b"", True), body(b"a", True), body(b"", True), body(b"b"))))
    sizes = [len(record.message.get("body", b"")) for record in answer.messages if record.direction == "send"]  # type: ignore[arg-type]
    assert [bool(size) for size in sizes] == [False, False, True, False, True]
    assert decoded(answer) == b"ab"


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("coding", CODINGS)
def test_a_large_message_leaves_in_pieces_and_lets_others_run(coding: str, known: bool) -> None:
    text = b"".join(b"%d " % (number * 7919 % 1_000_003) for number in range(200_000))

    async def read() -> tuple[Result, int]:
        headers = ((b"content-type", b"text/plain"), *([(b"content-length", b"%d" % len(text))] if known else []))
        async with another_task() as turns:
            answer = await fetch(compress(Response(text, 200, headers)), headers={"accept-encoding": coding})
        return answer, turns.count

    answer, turns = run(read())
    assert decoded(answer) == text
    assert turns >= len(text) // (64 * 1024)
    assert len([record for record in answer.messages if record.direction == "send"]) >= 3


def test_many_messages_in_a_row_let_others_run() -> None:
    messages = [body(b"x" * 10_000, True)] * 70

    async def read() -> int:
        async with another_task() as turns:
            await fetch(compress(sends(start(), *messages, body(b""))), headers={"accept-encoding": "gzip"})
        return turns.count

    assert 10 <= run(read()) <= 15  # 700 KB


def test_trailers_come_after_the_end_of_the_body() -> None:
    trailers: dict[str, object] = {"type": "http.response.trailers", "headers": [(b"x-sum", b"1")]}
    app = compress(sends({**start(), "trailers": True}, body(b"a" * 600), trailers))

    async def read() -> None:
        options: Any = {"extensions": {"http.response.trailers": {}}, "headers": {"accept-encoding": "gzip"}}
        async with connect(app, **options) as client:
            assert zlib.decompress(await client.rest(), 31) == b"a" * 600
            await client.finished()
            assert client.trailers == [(b"x-sum", b"1")]

    run(read())


# The headers


def test_the_headers_are_those_of_the_coded_body() -> None:
    app = compress(page(etag='"v1"', accept_ranges="bytes", content_digest="sha-256=:AA==:", x_other="stays"))
    assert get(app, "gzip").headers == [
        (b"etag", b'W/"v1"'),
        (b"x-other", b"stays"),
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"vary", b"Accept-Encoding"),
        (b"content-encoding", b"gzip"),
    ]


def test_a_weak_etag_stays_as_it_is() -> None:
    assert get(compress(page(etag='W/"v1"'))).header("etag") == 'W/"v1"'


def test_what_was_left_as_it_is_for_this_client_varies_all_the_same() -> None:
    for accept in (None, "", "identity", "gzip;q=0", "br;q=0.5, identity"):
        answer = get(compress(page(etag='"v1"')), accept)
        assert answer.text == TEXT
        assert answer.header("content-encoding") is None
        assert answer.header("content-length") == str(len(TEXT))
        assert (answer.header("vary"), answer.header("etag")) == ("Accept-Encoding", '"v1"')


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([b"origin"], [b"origin, Accept-Encoding"]),
        ([b"origin", b"cookie"], [b"origin, cookie, Accept-Encoding"]),
        ([b"Accept-Encoding"], [b"Accept-Encoding"]),
        ([b"origin", b"cookie , accept-encoding"], [b"origin", b"cookie , accept-encoding"]),
        ([b"*"], [b"*"]),
    ],
)
def test_vary_is_joined_to_what_is_there(before: list[bytes], after: list[bytes]) -> None:
    app = compress(
        Response(TEXT.encode(), 200, ((b"content-type", b"text/a"), *((b"vary", value) for value in before)))
    )
    for accept in ("gzip", None):
        assert [value for name, value in get(app, accept).headers if name == b"vary"] == after


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("kind", ["whole", "small", "stream"])
def test_head_has_the_headers_of_get_and_no_body(coding: str, kind: str) -> None:
    def make() -> Response:
        if kind == "stream":
            return respond.stream(ticks())
        return respond.text(TEXT if kind == "whole" else "small", 200, {"etag": '"v1"'})

    head, answer = get(compress(make()), coding, "HEAD"), get(compress(make()), coding)
    assert head.headers == answer.headers
    assert head.body == b""
    assert all(not record.message.get("body") for record in head.messages)


# What is left as it is


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(page(content_type="image/png"), id="a type that is not worth it"),
        pytest.param(page(content_encoding="br"), id="content-encoding"),
        pytest.param(page(content_encoding="identity"), id="content-encoding: identity"),
        pytest.param(page(cache_control="public, No-Transform"), id="no-transform, RFC 9111 5.2.2.6"),
        pytest.param(page(206, content_range="bytes 0-1719/9999"), id="206"),
        pytest.param(page(206, content_type="multipart/byteranges; boundary=x"), id="206 of several parts"),
        pytest.param(page(200, content_range="bytes 0-1719/9999"), id="content-range"),
        pytest.param(Response(status=204), id="204"),
        pytest.param(Response(status=205, headers=((b"content-type", b"text/plain"),)), id="205"),
        pytest.param(Response(TEXT.encode()), id="no type"),
    ],
)
def test_what_is_not_to_be_compressed_is_not_touched(response: Response) -> None:
    plain, answer = get(response), get(compress(response))
    assert answer == plain


def test_a_body_below_the_minimum_is_left_as_it_is() -> None:
    for size, coding in ((499, None), (500, "gzip")):
        answer = get(compress(respond.text("x" * size)))
        assert (answer.header("content-encoding"), answer.header("vary")) == (coding, "Accept-Encoding")
    assert get(compress(respond.text("x" * 499), minimum_bytes=499)).header("content-encoding") == "gzip"
    assert get(compress(respond.text("x" * 500), minimum_bytes=501)).header("content-encoding") is None


def test_a_client_that_refuses_identity_gets_also_the_small_and_the_unlikely_compressed() -> None:
    refused = "gzip, identity;q=0"
    assert decoded(get(compress(respond.text("small")), refused)) == b"small"
    assert decoded(get(compress(page(content_type="image/png")), refused)).decode() == TEXT
    assert decoded(get(compress(Response(TEXT.encode())), "deflate, *;q=0")).decode() == TEXT
    empty = get(compress(respond.text("")), refused)
    assert (empty.body, empty.header("content-encoding")) == (b"", None)
    partial = get(compress(page(206)), refused)
    assert (partial.text, partial.header("content-encoding")) == (TEXT, None)


def test_a_client_that_takes_nothing_gets_identity() -> None:
    for accept in ("identity;q=0", "*;q=0", "compress, identity;q=0"):
        answer = get(compress(page()), accept)
        assert (answer.status, answer.text, answer.header("vary")) == (200, TEXT, "Accept-Encoding")
        assert get(compress(page(content_type="image/png")), accept).header("vary") is None


def test_the_caller_may_say_which_types_are_worth_it() -> None:
    app = compress(
        page(content_type="Application/X-Mine; a=b"), types=lambda media_type: media_type == "application/x-mine"
    )
    assert get(app).header("content-encoding") == "gzip"
    assert get(compress(page(), types=lambda _: False)).header("content-encoding") is None


@pytest.mark.parametrize(
    "media_type",
    [
        "text/html",
        "text/event-stream",
        "text/csv",
        "application/json",
        "application/x-ndjson",
        "application/jsonl",
        "application/json-seq",
        "application/problem+json",
        "application/geo+json-seq",
        "application/atom+xml",
        "application/xml",
        "application/javascript",
        "application/wasm",
        "image/svg+xml",
        "application/x-yaml",
        "font/ttf",
        "application/vnd.api+json",
    ],
)
def test_text_is_worth_it(media_type: str) -> None:
    assert is_text(media_type)


@pytest.mark.parametrize(
    "media_type",
    [
        "image/png",
        "image/jpeg",
        "video/mp4",
        "application/zip",
        "application/gzip",
        "application/octet-stream",
        "font/woff2",
        "audio/ogg",
        "application/pdf",
        "multipart/form-data",
        "application/notjson",
        "text/",
        "json",
    ],
)
def test_what_is_compressed_or_unknown_is_not(media_type: str) -> None:
    assert not is_text(media_type)


def test_other_kinds_of_scope_pass_unchanged() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "hello " * 200})
        await send({"type": "websocket.close"})

    async def talk() -> None:
        async with websocket(compress(app), headers={"accept-encoding": "gzip"}) as client:
            assert await client.hear() == "hello " * 200

    run(talk())


# Which coding


def model(elements: list[tuple[str, float | None]], offered: list[str]) -> str | None:
    """RFC 9110, 12.5.3, read once more."""
    weights: dict[str, float] = {}
    for name, weight in elements:
        weights.setdefault(name, 1.0 if weight is None else weight)
    best = max([*offered, "identity"], key=lambda name: weights.get(name, weights.get("*", 0.0)))
    return None if best == "identity" or not weights.get(best, weights.get("*", 0.0)) else best


ELEMENTS = st.lists(
    st.tuples(
        st.sampled_from([*CODINGS, "identity", "*", "compress"]),
        st.none() | st.integers(0, 1000).map(lambda thousandths: thousandths / 1000) | st.sampled_from([0.0, 1.0, 0.5]),
    ),
    max_size=6,
)


@given(ELEMENTS, st.sampled_from(["whole", "stream", "events"]), st.booleans())
def test_the_coding_is_the_one_the_client_likes_best(
    elements: list[tuple[str, float | None]], body: codings.Body, spaced: bool
) -> None:
    between = " ; " if spaced else ";"
    header = ", ".join(name if weight is None else f"{name}{between}q={weight:.3f}" for name, weight in elements)
    offered = codings.available(body)
    coding, refused = negotiate(header.encode(), offered)
    assert coding == model(elements, list(offered))
    weights = dict(reversed(elements))  # the first of a name counts
    assert refused == (weights.get("identity", weights.get("*", 1.0)) == 0.0)


def test_what_the_client_likes_equally_goes_by_our_order() -> None:
    everything = "gzip, deflate, br, zstd"
    assert get(compress(page()), everything).header("content-encoding") == "zstd"
    assert get(compress(page()), "gzip, deflate, br").header("content-encoding") == "br"
    assert get(compress(page()), "deflate, gzip").header("content-encoding") == "gzip"
    assert get(compress(page()), "*").header("content-encoding") == "zstd"
    assert get(compress(respond.sse(ticks())), everything).header("content-encoding") == "gzip"
    assert get(compress(respond.ndjson(ticks())), everything).header("content-encoding") == "zstd"


def test_br_is_the_last_choice_for_a_stream() -> None:
    for accept, coding in (
        ("gzip, br", "gzip"),
        ("br, zstd", "zstd"),
        ("br, gzip;q=0.9", "br"),
        ("br, deflate", "deflate"),
    ):
        assert get(compress(respond.stream(ticks())), accept).header("content-encoding") == coding


def test_all_accept_encoding_headers_count_together() -> None:
    headers = [("accept-encoding", "gzip;q=0.1"), ("Accept-Encoding", "br;q=0"), ("accept-encoding", "deflate;q=0.2")]
    assert run(fetch(compress(page()), headers=headers)).header("content-encoding") == "deflate"


def test_a_long_accept_encoding_is_read_and_not_kept() -> None:
    before = compression._negotiated.cache_info().currsize
    long = "gzip, " + ", ".join(f"x{number}" for number in range(100))
    assert get(compress(page()), long).header("content-encoding") == "gzip"
    assert compression._negotiated.cache_info().currsize == before


def test_without_their_modules_br_and_zstd_are_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codings, "import_module", lambda name: (_ for _ in ()).throw(ImportError(name)))
    codings.module.cache_clear()
    codings.available.cache_clear()
    try:
        assert get(compress(page()), "gzip;q=0.1, br, zstd").header("content-encoding") == "gzip"
    finally:
        monkeypatch.undo()
        codings.module.cache_clear()
        codings.available.cache_clear()


# Validators and ranges


def cached_app(seen: list[Request]) -> App:
    """Answers as an app does that knows ETags (RFC 9110, 13.1.1, 13.1.2, 13.1.5) and ranges."""

    async def answer(request: Request) -> Response:
        seen.append(request)
        etag = '"v1"'
        match, range_if = request.header("if-match"), request.header("if-range")
        if match is not None and match != etag:  # strong comparison
            return respond.text("changed", 412)
        if (request.header("if-none-match") or "").removeprefix("W/") == etag:  # weak comparison
            return respond.empty(304, {"etag": etag})
        if request.header("range") and range_if in (None, etag):
            part = {"etag": etag, "content-range": f"bytes 0-999/{len(TEXT)}"}
            return respond.text(TEXT[:1000], 206, part)
        return respond.text(TEXT, 200, {"etag": etag, "accept-ranges": "bytes"})

    return compress(handler(answer))


def test_if_none_match_finds_the_etag_that_was_made_weak() -> None:
    app = cached_app([])
    first = get(app)
    etag = first.header("etag") or ""
    again = get(app, headers={"if-none-match": etag})
    assert (again.status, again.body, again.header("etag"), again.header("vary")) == (304, b"", etag, "Accept-Encoding")
    assert again.header("content-encoding") is None
    plain = get(app, None, headers={"if-none-match": '"v1"'})
    assert (plain.status, plain.header("etag"), plain.header("vary")) == (304, '"v1"', "Accept-Encoding")


def test_a_304_of_a_type_that_is_not_worth_it_keeps_its_etag() -> None:
    headers = ((b"etag", b'"v1"'), (b"content-type", b"image/png"))
    assert get(compress(Response(status=304, headers=headers))).headers == list(headers)


def test_if_match_wants_a_strong_etag_and_so_fails_with_ours() -> None:
    app = cached_app([])
    assert get(app, headers={"if-match": get(app).header("etag")}).status == 412
    assert get(app, headers={"if-match": get(app, None).header("etag")}).status == 200


def test_a_part_is_never_joined_to_the_coded_body() -> None:
    app = cached_app([])
    coded = get(app)
    assert coded.header("accept-ranges") is None
    # If-Range needs a strong ETag (RFC 9110, 13.1.5): with ours, the whole comes again.
    again = get(app, headers={"range": "bytes=0-999", "if-range": coded.header("etag")})
    assert (again.status, decoded(again).decode()) == (200, TEXT)
    part = get(app, headers={"range": "bytes=0-999", "if-range": '"v1"'})
    assert (part.status, part.text, part.header("etag")) == (206, TEXT[:1000], '"v1"')


# Files that the server sends


@pytest.mark.parametrize("extension", ["http.response.pathsend", "http.response.zerocopysend"])
def test_a_file_that_the_server_sends_is_left_as_it_is(extension: str, tmp_path: Path) -> None:
    path = tmp_path / "page.txt"
    path.write_text(TEXT)
    length = (b"content-length", b"%d" % len(TEXT))
    with path.open("rb") as file:
        message: dict[str, object] = {"type": extension, "path": str(path)}
        if extension.endswith("zerocopysend"):
            message = {"type": extension, "file": file.fileno(), "offset": 0}
        app = sends(start(length, (b"etag", b'"v1"')), message)
        options: Any = {"extensions": {extension: {}}}
        assert get(compress(app), **options) == get(app, **options)


def test_where_files_could_be_sent_a_body_of_known_length_is_compressed_all_the_same() -> None:
    extensions: Any = {"http.response.pathsend": {}, "http.response.push": {}}
    push: dict[str, object] = {"type": "http.response.push", "path": "/style.css", "headers": []}
    app = compress(sends(start((b"content-length", b"600")), push, body(b"a" * 300, True), body(b"a" * 300)))
    answer = get(app, extensions=extensions)
    assert [record.message["type"] for record in answer.messages if record.direction == "send"][:3] == [
        "http.response.start",
        "http.response.push",
        "http.response.body",
    ]
    assert decoded(answer) == b"a" * 600
    assert get(compress(page()), "identity", extensions=extensions).text == TEXT
    assert get(compress(page()), method="HEAD", extensions=extensions).header("content-encoding") == "gzip"


def test_where_files_could_be_sent_the_start_of_a_stream_is_not_held() -> None:
    async def late() -> AsyncIterator[str]:
        await asyncio.sleep(100)
        yield "late"

    async def read() -> float:
        extensions: Any = {"http.response.pathsend": {}}
        app = compress(respond.stream(late()))
        async with connect(app, headers={"accept-encoding": "gzip"}, extensions=extensions) as client:
            await client.started()
            return now()

    assert run(read()) == 0.0


def test_a_file_amid_a_coded_body_is_an_error_of_the_app(tmp_path: Path) -> None:
    path = tmp_path / "page.txt"
    path.write_text(TEXT)
    app = sends(start(), {"type": "http.response.pathsend", "path": str(path)})
    with pytest.raises(
        AppError, match=r"began in gzip must not go on with http\.response\.pathsend: give it a content"
    ):
        get(compress(app), extensions={"http.response.pathsend": {}})


# Ends


@pytest.mark.parametrize("coding", CODINGS)
def test_an_error_of_the_app_passes_and_the_coding_has_no_end(coding: str) -> None:
    async def broken() -> AsyncIterator[str]:
        yield "first"
        await asyncio.sleep(1)
        raise LookupError("the source")

    async def read() -> None:
        reader = Reader(coding)
        async with connect(compress(respond.stream(broken())), headers={"accept-encoding": coding}) as client:
            with pytest.raises(LookupError, match="the source"):
                await client.finished()
            assert reader(client.body) == b"first"
            assert not reader.ended

    run(read())


def test_a_body_is_held_to_its_content_length_which_nobody_else_knows_now() -> None:
    length = (b"content-length", b"600")
    with pytest.raises(AppError, match="is 100 bytes shorter than its content-length says: leave that header out"):
        get(compress(sends(start(length), body(b"x" * 400, True), body(b"x" * 100))))
    with pytest.raises(AppError, match="is 1 bytes longer than its content-length says"):
        get(compress(sends(start(length), body(b"x" * 600, True), body(b"x", True))))


@pytest.mark.parametrize("version", ["2.3", "2.4"])
def test_a_client_that_left_ends_all_and_the_source_is_closed(version: str) -> None:
    closed = []

    async def endless() -> AsyncIterator[str]:
        try:
            while True:
                yield "tick"
                await asyncio.sleep(1)
        finally:
            closed.append(now())

    async def leave() -> None:
        options: Any = {"headers": {"accept-encoding": "zstd"}, "spec_version": version}
        async with connect(compress(respond.stream(endless())), **options) as client:
            assert await client.chunk()
            await asyncio.sleep(2.5)
            await client.leave()
            await client.finished()

    run(leave())
    assert closed == [2.5]


@pytest.mark.parametrize("how", ["ends", "works on", "fails", "leaves", "is cancelled"])
def test_the_state_of_the_coding_goes_with_the_exchange(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class State:
        def __call__(self, data: object = b"") -> bytes:
            return b"x"

    made: list[weakref.ref[State]] = []
    kept: list[Send] = []

    def encoder(coding: str, length: int | None) -> codings.Encoder:
        state = State()
        made.append(weakref.ref(state))
        return codings.Encoder(state, state, state)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        kept.append(send)  # as a task does that outlives its request
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        if how in ("ends", "works on"):
            await send({"type": "http.response.body", "body": b"x"})
            await asyncio.sleep(10 if how == "works on" else 0)
        elif how == "fails":
            raise LookupError
        else:
            while (await receive())["type"] != "http.disconnect":
                pass

    monkeypatch.setattr(codings, "encoder", encoder)

    async def main() -> None:
        async with connect(compress(app), headers={"accept-encoding": "gzip"}) as client:
            await client.chunk()
            if how == "leaves":
                await client.leave()
            if how == "works on":
                await asyncio.sleep(1)
                assert [state() for state in made] == [None]
            if how == "is cancelled":
                await client.cancel()
            elif how == "fails":
                with pytest.raises(LookupError):
                    await client.finished()
            else:
                await client.finished()
        gc.collect()
        assert [state() for state in made] == [None]

    run(main())


@pytest.mark.parametrize("holds_start", [True, False])
def test_a_slow_client_holds_the_source_up(holds_start: bool) -> None:
    given = []

    async def endless() -> AsyncIterator[bytes]:
        number = 0
        while True:
            given.append(number)
            yield zlib.compress(b"%d" % number) * 1000  # hardly shorter when compressed again
            number += 1
            await asyncio.sleep(0.01)

    async def main() -> None:
        personality = Personality(window_bytes=1000, holds_start=holds_start)
        app = compress(respond.stream(endless(), send=1000))
        async with connect(app, headers={"accept-encoding": "gzip"}, personality=personality) as client:
            client.stall(after_bytes=500)
            await asyncio.sleep(10)

    run(main())
    assert len(given) < 20


CASES: list[tuple[str, Callable[[], Response]]] = [
    ("whole", page),
    ("stream", lambda: respond.stream(ticks())),
    ("events", lambda: respond.sse(ticks())),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case[0]))
@pytest.mark.parametrize("personality", [Personality(gives_way=True), Personality(holds_start=True)])
def test_servers_of_any_kind_get_the_same(case: tuple[str, Callable[[], Response]], personality: Personality) -> None:
    plain = get(case[1]())
    answer = get(compress(case[1]()), "deflate", personality=personality)
    assert decoded(answer) == plain.body
