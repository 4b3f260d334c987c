"""Responses, made: their bytes and their headers."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import clock
import pytest

from rawasgi import respond
from rawasgi.dev.client import connect, fetch
from rawasgi.formats import json_seq
from rawasgi.formats.sse import Event
from rawasgi.response import Response
from rawasgi.sending import Streaming


async def items(*values: Any) -> AsyncIterator[Any]:
    for value in values:
        yield value


async def chunks(*values: str | bytes) -> AsyncIterator[str | bytes]:
    for value in values:
        yield value


def names(response: Response) -> dict[str, str]:
    """The headers of *response*, none of them twice."""
    found = {name.decode(): value.decode("latin-1") for name, value in response.headers}
    assert len(found) == len(response.headers)
    return found


# Whole


@pytest.mark.parametrize(
    ("response", "body", "media_type"),
    [
        (respond.text("你好"), "你好".encode(), "text/plain; charset=utf-8"),
        (respond.text(""), b"", "text/plain; charset=utf-8"),
        (respond.html("<p>é"), "<p>é".encode(), "text/html; charset=utf-8"),
        (respond.json({"a": [1, None, "你"]}), '{"a":[1,null,"你"]}'.encode(), "application/json"),
        (respond.json(None), b"null", "application/json"),
        (respond.json("\ud83d"), b'"\\ud83d"', "application/json"),
        (respond.json("😀"), '"😀"'.encode(), "application/json"),
        (respond.whole(b"\x00", "image/png"), b"\x00", "image/png"),
    ],
)
def test_a_whole_body_says_its_type_and_its_length(response: Response, body: bytes, media_type: str) -> None:
    answer = clock.run(fetch(response))
    assert (answer.status, answer.body) == (200, body)
    assert names(response) == {"content-type": media_type, "content-length": str(len(body))}


@pytest.mark.parametrize("make", [respond.text, respond.html])
def test_a_status_is_passed_on(make: Callable[..., Response]) -> None:
    assert make("a", 418).status == 418
    assert respond.json({}, 418).status == 418
    assert respond.stream(chunks(), status=418).status == 418
    assert respond.sse(items(), 418).status == 418
    assert respond.ndjson(items(), 418).status == 418


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [{"a": -float("inf")}]])
def test_json_does_not_say_what_json_cannot(value: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        respond.json(value)
    with pytest.raises(TypeError):
        respond.json(b"bytes")


@pytest.mark.parametrize("dumps", [lambda value: "text", lambda value: b"text"])
def test_json_takes_another_encoder(dumps: Callable[[object], str | bytes]) -> None:
    assert respond.json({}, dumps=dumps).body == b"text"


@pytest.mark.parametrize("status", [204, 304])
def test_no_length_is_said_where_none_may_be(status: int) -> None:
    assert "content-length" not in names(respond.text("", status))
    assert names(respond.empty(status)) == {}


def test_empty_is_204_or_a_body_of_length_0() -> None:
    assert clock.run(fetch(respond.empty())).status == 204
    answer = clock.run(fetch(respond.empty(205, {"x-tag": "1"})))
    assert (answer.status, answer.body) == (205, b"")
    assert answer.headers == [(b"x-tag", b"1"), (b"content-length", b"0")]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_says_where_to(status: int) -> None:
    answer = clock.run(fetch(respond.redirect("/new?a=b", status, {"x-tag": "1"})))
    assert (answer.status, answer.header("location"), answer.header("x-tag")) == (status, "/new?a=b", "1")
    assert answer.header("content-length") == "0"
    assert respond.redirect("/").status == 307


@pytest.mark.parametrize("status", [200, 299, 400])
def test_a_redirect_is_3xx(status: int) -> None:
    with pytest.raises(ValueError, match=f"300 to 399, not {status}"):
        respond.redirect("/", status)


# Headers


@pytest.mark.parametrize(
    "make",
    [
        lambda headers: respond.text("a", headers=headers),
        lambda headers: respond.json("a", headers=headers),
        lambda headers: respond.empty(headers=headers),
        lambda headers: respond.redirect("/", headers=headers),
        lambda headers: respond.stream(chunks(), headers=headers),
        lambda headers: respond.sse(items(), headers=headers),
        lambda headers: respond.ndjson(items(), headers=headers),
        lambda headers: respond.json_seq(items(), headers=headers),
        lambda headers: respond.csv(items(), headers=headers),
    ],
)
@pytest.mark.parametrize("end", ["\r\nset-cookie: a=b", "\n", "\r", "\0", "\r\n\r\n<script>", "\n x"])
def test_a_header_that_would_end_its_line_is_refused_cve_2020_7695(
    make: Callable[[object], Response], end: str
) -> None:
    with pytest.raises(ValueError, match="x-tag must be one line"):
        make({"x-tag": f"a{end}"})
    with pytest.raises(ValueError, match="header name"):
        make([(f"x-tag{end}", "a")])


def test_a_location_that_would_end_its_line_is_refused_cve_2020_7695() -> None:
    with pytest.raises(ValueError, match="location must be one line"):
        respond.redirect("/\r\nset-cookie: a=b")


def test_headers_are_pairs_or_a_mapping_and_several_may_have_one_name() -> None:
    headers: list[tuple[str | bytes, str | bytes]] = [("Set-Cookie", "a=1"), (b"set-cookie", b"b=2")]
    assert respond.text("a", headers=headers).headers[:2] == ((b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"))
    assert respond.text("a", headers={"X-Tag": "é"}).headers[0] == (b"x-tag", b"\xe9")


def test_a_header_that_is_given_is_not_added() -> None:
    given = {"content-type": "text/csv", "content-length": "1"}
    assert names(respond.text("a", headers=given)) == given
    given = {"content-type": "text/csv", "x-accel-buffering": "yes"}
    assert names(respond.stream(chunks(), headers=given)) == given
    given = {"content-type": "text/event-stream; x=y", "cache-control": "no-store", "x-accel-buffering": "yes"}
    assert names(respond.sse(items(), headers=given)) == given


# Streams


def test_a_stream_has_its_type_no_length_and_nothing_that_buffers() -> None:
    response = respond.stream(chunks("你", b"\xff"), "text/csv")
    assert names(response) == {"content-type": "text/csv", "x-accel-buffering": "no"}
    assert clock.run(fetch(response)).body == "你".encode() + b"\xff"


def test_a_source_must_be_async() -> None:
    with pytest.raises(TypeError, match=r"async iterable.*from_thread"):
        respond.stream(iter([b"a"]))  # type: ignore[arg-type]  # that is what is tried


@pytest.mark.parametrize("make", [respond.stream, respond.sse, respond.ndjson, respond.json_seq, respond.csv])
def test_how_a_stream_is_sent_is_passed_on(make: Callable[..., Response]) -> None:
    body = make(items(), join=False, send=1.0, cleanup=2.0).body
    assert isinstance(body, Streaming)
    assert (body.join, body.send, body.cleanup) == (False, 1.0, 2.0)


def test_sse_items_are_events_texts_or_json() -> None:
    response = respond.sse(items(Event("x", event="tick", id="1"), "two\nlines", {"a": 1}, [1], 2, None))
    answer = clock.run(fetch(response))
    assert names(response) == {
        "content-type": "text/event-stream",
        "x-accel-buffering": "no",
        "cache-control": "no-cache",
    }
    events = answer.text.split("\n\n")
    assert sorted(events[0].split("\n")) == ["data: x", "event: tick", "id: 1"]
    assert events[1:] == ["data: two\ndata: lines", 'data: {"a": 1}', "data: [1]", "data: 2", "data: null", ""]


def test_sse_beats_while_the_source_is_silent() -> None:
    async def silent() -> AsyncIterator[str]:
        await asyncio.sleep(40)
        yield "late"

    async def arrivals(response: Response) -> list[tuple[float, bytes]]:
        async with connect(response) as client:
            return [(clock.now(), chunk) async for chunk in client]

    beats = clock.run(arrivals(respond.sse(silent())))
    assert [(at, chunk[:1]) for at, chunk in beats] == [(15, b":"), (30, b":"), (40, b"d")]
    assert clock.run(arrivals(respond.sse(silent(), heartbeat=None))) == [(40, b"data: late\n\n")]
    assert [at for at, _ in clock.run(arrivals(respond.sse(silent(), heartbeat=30)))] == [30, 40]


@pytest.mark.parametrize("make", [respond.sse, respond.ndjson, respond.json_seq])
@pytest.mark.parametrize("value", [float("nan"), b"bytes"])
def test_a_stream_breaks_off_at_what_json_cannot_say(make: Callable[..., Response], value: object) -> None:
    async def script() -> bytes:
        async with connect(make(items("first", value, "never"))) as client:
            with pytest.raises((ValueError, TypeError)):
                await client.finished()
        return client.body

    assert b"never" not in clock.run(script())


def test_ndjson_items_are_lines() -> None:
    response = respond.ndjson(items({"a": "你"}, 1, None, "x\ny"))
    lines = clock.run(fetch(response)).text.splitlines()
    assert [json.loads(line) for line in lines] == [{"a": "你"}, 1, None, "x\ny"]
    assert names(response) == {"content-type": "application/x-ndjson", "x-accel-buffering": "no"}


def test_json_seq_items_are_texts_between_RS_and_LF() -> None:
    response = respond.json_seq(items({"a": "你"}, 1, None))
    assert json_seq.Decoder().feed(clock.run(fetch(response)).body) == [{"a": "你"}, 1, None]
    assert names(response) == {"content-type": "application/json-seq", "x-accel-buffering": "no"}


def test_csv_items_are_records() -> None:
    response = respond.csv(items(["名", "a,b"], (1, None)))
    assert clock.run(fetch(response)).text == '名,"a,b"\r\n1,\r\n'
    assert names(response) == {"content-type": "text/csv; charset=utf-8", "x-accel-buffering": "no"}
