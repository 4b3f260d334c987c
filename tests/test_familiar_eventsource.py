"""sse-starlette's and fastapi.sse's names: bytes, pings, senders, and what is refused."""

import asyncio
import inspect
import json
import math
from array import array
from collections.abc import AsyncIterator, Iterator

import pytest
from clock import now, outside, run

from rawasgi.dev.client import Result, connect, fetch, websocket
from rawasgi.familiar import BackgroundTask, EventSourceResponse, ServerSentEvent
from rawasgi.formats.sse import Decoder, Event


async def items(*values: object, pause: float = 0) -> AsyncIterator[object]:
    for value in values:
        yield value
        await asyncio.sleep(pause)


def got(response: EventSourceResponse, **options: object) -> Result:
    return run(fetch(response, **options))  # type: ignore[arg-type]  # of the client


def body(*values: object, **options: object) -> bytes:
    """The bytes of these items."""
    return got(EventSourceResponse(items(*values), **options)).body  # type: ignore[arg-type]  # of the response


# Events


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (ServerSentEvent("text"), b"data: text\r\n\r\n"),
        (ServerSentEvent("a\nb\r\nc\rd"), b"data: a\r\ndata: b\r\ndata: c\r\ndata: d\r\n\r\n"),
        (ServerSentEvent(raw_data="<p>"), b"data: <p>\r\n\r\n"),
        (ServerSentEvent(""), b"data: \r\n\r\n"),
        (ServerSentEvent({"名": [1, None]}), 'data: {"名":[1,null]}\r\n\r\n'.encode()),
        (ServerSentEvent(0), b"data: 0\r\n\r\n"),
        (ServerSentEvent(True), b"data: true\r\n\r\n"),
        (ServerSentEvent(), b"\r\n"),
        (ServerSentEvent(comment="a\nb"), b": a\r\n: b\r\n\r\n"),
        (
            ServerSentEvent("d", event="e", id="i", retry=5, comment="c"),
            b": c\r\nid: i\r\nevent: e\r\ndata: d\r\nretry: 5\r\n\r\n",
        ),
        (ServerSentEvent("a\r\nb", event="e", sep="\n"), b"event: e\ndata: a\ndata: b\n\n"),
        (ServerSentEvent("a\r\nb", event="e", sep="\r"), b"event: e\rdata: a\rdata: b\r\r"),
    ],
)
def test_an_event_is_written_in_sse_starlettes_order_and_line_ends(event: ServerSentEvent, expected: bytes) -> None:
    assert event.encode() == expected


@pytest.mark.parametrize("sep", ["\n", "\r", "\r\n"])
def test_what_is_written_is_what_a_client_reads(sep: str) -> None:
    text = "1\n2\r3\r\n4\u2028\x85\x0b5\n"
    [event] = Decoder().feed(ServerSentEvent(text, event="e", id="i", sep=sep).encode())
    assert event == Event("1\n2\n3\n4\u2028\x85\x0b5\n", "e", "i")


@pytest.mark.parametrize(
    "fields", [{"event": "a\nb"}, {"event": "a\rb"}, {"id": "a\nb"}, {"id": "a\0b"}, {"retry": -1}, {"retry": True}]
)
def test_what_could_forge_or_lose_an_event_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"^Event\."):
        ServerSentEvent("x", **fields).encode()  # type: ignore[arg-type]  # some are wrong


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(ValueError, match="data or raw_data, not both"):
        ServerSentEvent("a", raw_data="b")
    with pytest.raises(TypeError, match=r"retry argument must be int \(milliseconds\), not '5'"):
        ServerSentEvent("a", retry="5").encode()  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^Event\.id must be str"):
        ServerSentEvent("a", id=5).encode()  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^Event\.data must be str"):
        ServerSentEvent(raw_data=b"a").encode()  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="JSON has no bytes"):
        ServerSentEvent(b"bytes").encode()
    with pytest.raises(ValueError, match="not JSON compliant"):
        ServerSentEvent(math.nan).encode()
    with pytest.raises(ValueError, match="sep must be one of"):
        ServerSentEvent("a", sep="; ")
    with pytest.raises(ValueError, match="sep must be one of"):
        EventSourceResponse(items(), sep="\n\n")


# Items


def test_an_item_is_data_fields_an_event_or_bytes() -> None:
    assert body("text") == b"data: text\r\n\r\n"
    assert body(1, [2]) == b"data: 1\r\n\r\ndata: [2]\r\n\r\n"
    assert body({"data": {"a": 1}, "event": "e"}) == b'event: e\r\ndata: {"a":1}\r\n\r\n'
    assert body(ServerSentEvent("x", id="1")) == b"id: 1\r\ndata: x\r\n\r\n"
    assert body(Event("x", "e")) == b"event: e\ndata: x\n\n"
    assert body(b": raw\n\n", bytearray(b"1"), memoryview(array("B", [50]))) == b": raw\n\n12"


def test_the_separator_is_that_of_the_response_but_of_an_event_its_own() -> None:
    event = ServerSentEvent("c", sep="\r")
    assert body("a", {"data": "b", "sep": "\r\n"}, event, sep="\n") == b"data: a\n\ndata: b\n\ndata: c\r\r"


def test_a_dict_that_is_no_event_is_refused_and_cuts_the_stream() -> None:
    with pytest.raises(TypeError, match="bogus"):
        body({"bogus": 1})


def test_a_plain_iterable_will_do() -> None:
    def rows() -> Iterator[int]:
        yield 1
        yield 2

    async def main() -> Result:
        with outside():
            return await fetch(EventSourceResponse(rows()))

    assert run(main()).body == b"data: 1\r\n\r\ndata: 2\r\n\r\n"


# The response


def test_its_headers_are_those_of_an_event_stream() -> None:
    answer = got(EventSourceResponse(items()))
    assert answer.headers == [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
    ]
    assert answer.status == 200


def test_parameters_and_defaults_are_sse_starlettes() -> None:
    parameters = list(inspect.signature(EventSourceResponse).parameters.values())[1:]
    assert {each.name: each.default for each in parameters} == {
        "status_code": 200,
        "headers": None,
        "media_type": "text/event-stream",
        "background": None,
        "ping": None,
        "sep": None,
        "ping_message_factory": None,
        "data_sender_callable": None,
        "send_timeout": None,
        "client_close_handler_callable": None,
        "shutdown_event": None,
        "shutdown_grace_period": 0,
        "cleanup_timeout": 30.0,
    }


def test_a_header_that_was_given_is_sent_as_it_was_given() -> None:
    given = {"Cache-Control": "public", "X-Accel-Buffering": "yes", "connection": "close"}
    answer = got(EventSourceResponse(items(), 202, given, "text/x-events"))
    assert (answer.status, answer.header("content-type")) == (202, "text/x-events; charset=utf-8")
    assert {name: answer.header(name) for name in given} == given


def test_head_starts_neither_the_stream_nor_the_sender() -> None:
    done: list[str] = []

    async def sender() -> None:
        done.append("sender")

    source = items("a")
    response = EventSourceResponse(
        source, data_sender_callable=sender, background=BackgroundTask(done.append, "background")
    )
    assert got(response, method="HEAD").body == b""
    assert done == ["background"]
    assert source.ag_frame is None  # type: ignore[attr-defined]  # closed


def test_it_denies_a_websocket() -> None:
    async def told(message: object) -> None:
        raise AssertionError("it did not leave")

    async def main() -> tuple[int, bytes]:
        response = EventSourceResponse(items("no"), 403, client_close_handler_callable=told)
        async with websocket(response, extensions={"websocket.http.response": {}}) as client:
            await client.finished()
            return client.status, client.body

    assert run(main()) == (403, b"data: no\r\n\r\n")


def test_a_negative_grace_period_is_refused() -> None:
    with pytest.raises(ValueError, match="shutdown_grace_period must be >= 0"):
        EventSourceResponse(items(), shutdown_grace_period=-1)


# Pings


def test_it_pings_while_the_source_is_silent_every_15_seconds() -> None:
    text = body("a") + got(EventSourceResponse(items("a", pause=40))).body
    pings = [line for line in text.decode().split("\r\n") if line.startswith(": ")]
    assert [line[:11] for line in pings] == [": ping - 20"] * 2
    assert Decoder().feed(text) == [Event("a"), Event("a")]


@pytest.mark.parametrize(("ping", "count"), [(10, 3), (0, 0), (0.5, 79)])
def test_ping_is_an_interval_or_0_for_never(ping: float, count: int) -> None:
    assert got(EventSourceResponse(items("a", pause=39.7), ping=ping)).body.count(b": ping") == count


@pytest.mark.parametrize("made", [ServerSentEvent(comment="beat"), {"comment": "beat"}, b": beat\r\n\r\n"])
def test_a_factory_makes_the_pings(made: ServerSentEvent) -> None:
    response = EventSourceResponse(items("a", pause=20), ping_message_factory=lambda: made)
    assert got(response).body == b"data: a\r\n\r\n: beat\r\n\r\n"


def test_the_ping_interval_may_be_read_and_changed() -> None:
    response = EventSourceResponse(items("a", pause=10))
    assert response.ping_interval == EventSourceResponse.DEFAULT_PING_INTERVAL == 15
    response.ping_interval = 4
    assert got(response).body.count(b": ping") == 2
    with pytest.raises(TypeError, match="ping interval must be int or float, not 'ten'"):
        response.ping_interval = "ten"  # type: ignore[assignment]
    with pytest.raises(ValueError, match="ping interval must be >= 0"):
        EventSourceResponse(items(), ping=-1)


# Senders


def test_a_sender_runs_beside_the_stream_and_ends_with_it() -> None:
    ended: list[object] = []

    async def main() -> bytes:
        queue: asyncio.Queue[int] = asyncio.Queue(1)

        async def sender() -> None:
            try:
                for number in range(100):
                    await queue.put(number)
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise

        async def three() -> AsyncIterator[int]:
            for _ in range(3):
                yield await queue.get()

        return (await fetch(EventSourceResponse(three(), data_sender_callable=sender))).body

    assert run(main()) == b"data: 0\r\n\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n"
    assert ended == ["cancelled"]


def test_a_sender_may_end_before_the_stream() -> None:
    async def sender() -> None:
        await asyncio.sleep(1)

    assert got(EventSourceResponse(items("a", "b", pause=5), data_sender_callable=sender)).body.count(b"data") == 2


def test_a_sender_that_fails_ends_the_stream_with_its_error() -> None:
    closed: list[float] = []

    async def waiting() -> AsyncIterator[str]:
        try:
            yield "a"
            await asyncio.sleep(1000)
        finally:
            closed.append(now())

    async def sender() -> None:
        await asyncio.sleep(3)
        raise LookupError("the sender")

    with pytest.raises(LookupError, match="the sender"):
        got(EventSourceResponse(waiting(), data_sender_callable=sender))
    assert closed == [3.0]


def test_a_sender_and_the_source_end_when_the_client_leaves() -> None:
    ended: list[str] = []

    async def until_cancelled(name: str) -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append(name)

    async def waiting() -> AsyncIterator[str]:
        yield "a"
        await until_cancelled("source")

    async def main() -> None:
        response = EventSourceResponse(waiting(), data_sender_callable=lambda: until_cancelled("sender"))
        async with connect(response) as client:
            await client.chunk()
            await client.leave()
            await client.finished()
            assert now() == 0

    run(main())
    assert sorted(ended) == ["sender", "source"]


# The client


@pytest.mark.parametrize("spec_version", ["2.3", "2.4"])
def test_the_handler_is_told_when_the_client_left_before_the_end_and_then_comes_the_background(
    spec_version: str,
) -> None:
    told: list[object] = []

    async def gone(message: object) -> None:
        told.append(message)

    async def main() -> None:
        response = EventSourceResponse(
            items(*range(100), pause=1),
            client_close_handler_callable=gone,
            background=BackgroundTask(told.append, "background"),
        )
        async with connect(response, spec_version=spec_version) as client:
            await client.chunk()
            await client.leave()
            with outside():
                await client.finished()

    run(main())
    assert told == [{"type": "http.disconnect"}, "background"]


def test_the_handler_is_not_told_when_the_stream_came_to_its_end() -> None:
    told: list[object] = []

    async def gone(message: object) -> None:
        told.append(message)

    assert got(EventSourceResponse(items("a"), client_close_handler_callable=gone)).body == b"data: a\r\n\r\n"
    got(EventSourceResponse(items("a"), client_close_handler_callable=gone), method="HEAD")
    assert told == []


@pytest.mark.parametrize(("send_timeout", "after"), [(2.0, 2.0), (None, 30.0)])
def test_a_client_that_does_not_read_counts_as_gone(send_timeout: float | None, after: float) -> None:
    told = asyncio.Event()

    async def gone(message: object) -> None:
        told.set()

    async def main() -> float:
        response = EventSourceResponse(
            items(*["x" * 100] * 5), send_timeout=send_timeout, client_close_handler_callable=gone
        )
        async with connect(response) as client:
            client.stall()
            await told.wait()
            return now()

    assert run(main()) == after


@pytest.mark.parametrize(("cleanup_timeout", "ended"), [(3.0, False), (None, True), (30.0, True)])
def test_a_clean_up_may_take_as_long_as_the_cleanup_timeout(cleanup_timeout: float | None, ended: bool) -> None:
    done: list[str] = []

    async def slow() -> AsyncIterator[str]:
        try:
            while True:
                yield "a"
                await asyncio.sleep(1)
        finally:
            await asyncio.sleep(20)
            done.append("cleaned up")

    async def main() -> None:
        response = EventSourceResponse(slow(), cleanup_timeout=cleanup_timeout)
        async with connect(response, patience=100) as client:
            await client.chunk()

    if ended:
        run(main())
    else:
        with pytest.raises(TimeoutError, match=r"was not closed within 3.0 s"):
            run(main())
    assert done == (["cleaned up"] if ended else [])
    with pytest.raises(ValueError, match="cleanup_timeout must be >= 0"):
        EventSourceResponse(items(), cleanup_timeout=-1)
    EventSourceResponse(items(), cleanup_timeout=0)


def test_it_is_what_fastapi_and_sse_starlette_users_write() -> None:
    async def tokens() -> AsyncIterator[ServerSentEvent]:
        for number, word in enumerate(["你", "好"]):
            yield ServerSentEvent(json.dumps({"token": word}, ensure_ascii=False), event="token", id=str(number))
        yield ServerSentEvent(raw_data="[DONE]")

    events = Decoder().feed(got(EventSourceResponse(tokens())).body)
    assert events == [
        Event('{"token": "你"}', "token", "0"),
        Event('{"token": "好"}', "token", "1"),
        Event("[DONE]", None, "1"),
    ]
