"""What a stream is sent as: each format, whole and broken; and the one that the client likes best."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import clock
import pytest

from rawasgi import respond
from rawasgi.asgi import App, HTTPScope, Received
from rawasgi.dev.client import Result, connect, fetch
from rawasgi.failures import told
from rawasgi.formats import chat_chunks, json_array, multipart, ui_messages
from rawasgi.formats.endings import Failure
from rawasgi.formats.multipart import Part
from rawasgi.handling import handler
from rawasgi.inbox import Inbox
from rawasgi.request import Request
from rawasgi.response import Response

SECRET = "a secret"


class Source:
    """Yields *items*, then fails if it is to; tells whether it was closed."""

    def __init__(self, *items: Any, fails: bool = False) -> None:
        self.items = list(items)
        self.fails = fails
        self.closed = False

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        await asyncio.sleep(1)
        if self.items:
            return self.items.pop(0)
        if self.fails:
            raise LookupError(SECRET)
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.closed = True


def answered(app: App, **headers: str) -> Result:
    return clock.run(fetch(app, headers=headers))


CHUNK = chat_chunks.chunk("c1", "m", 1, content="你")
TEXT = [
    {"type": "start", "messageId": "m1"},
    {"type": "text-start", "id": "1"},
    {"type": "text-delta", "id": "1", "delta": "你"},
]
FORMATS: list[tuple[Callable[..., Response], list[Any], str]] = [
    (respond.json_array, [1, {"a": 2}], "application/json"),
    (respond.multipart, [Part(b"a"), Part(b"b")], "multipart/mixed"),
    (respond.chat_chunks, [CHUNK], "text/event-stream"),
    (respond.ui_messages, TEXT, "text/event-stream"),
]


@pytest.mark.parametrize(("make", "items", "media_type"), FORMATS)
@pytest.mark.parametrize("fails", [False, True])
def test_each_item_comes_at_once_and_the_source_is_closed(
    make: Callable[..., Response], items: list[Any], media_type: str, fails: bool
) -> None:
    source = Source(*items, fails=fails)
    response = make(source, 201, headers={"x-a": "1"}) if make is not respond.multipart else make(source, "mixed", 201)

    async def script() -> Result:
        async with connect(response) as client:
            await client.started()
            for count in range(1, len(items) + 1):
                await client.chunk()
                assert clock.now() == count
            await client.rest()
            await client.finished()
        return Result(client.status, client.headers, client.body, client.messages)

    answer = clock.run(script())
    assert answer.status == 201
    assert str(answer.header("content-type")).startswith(media_type)
    assert source.closed
    assert SECRET.encode() not in answer.body


def test_an_array_is_json_also_when_its_source_fails() -> None:
    assert json.loads(answered(respond.json_array(Source())).body) == []
    assert json.loads(answered(respond.json_array(Source(1, 2))).body) == [1, 2]
    *items, last = json.loads(answered(respond.json_array(Source(1, fails=True))).body)
    assert items == [1]
    assert last["error"]["code"] == "internal"
    assert json_array.Decoder().feed(answered(respond.json_array(Source(1, 2))).body) == [1, 2]


def test_parts_replace_each_other() -> None:
    answer = answered(respond.multipart(Source(Part(b"a"), Part(b"b")), "x-mixed-replace"))
    kind = str(answer.header("content-type"))
    assert kind.startswith("multipart/x-mixed-replace; boundary=")
    parts = multipart.Decoder(multipart.boundary_of(kind)).feed(answer.body)
    assert [part.body for part in parts] == [b"a", b"b"]


def test_a_chat_ends_with_done_and_a_broken_one_with_an_error() -> None:
    decoder = chat_chunks.Decoder()
    assert decoder.feed(answered(respond.chat_chunks(Source(CHUNK))).body) == [CHUNK]
    assert decoder.done
    answer = answered(respond.chat_chunks(Source(CHUNK, fails=True)))
    assert b"[DONE]" not in answer.body
    assert isinstance(chat_chunks.Decoder().feed(answer.body)[-1], Failure)
    assert answer.header("cache-control") == "no-cache"


def test_a_message_is_closed_where_it_was_left_open() -> None:
    answer = answered(respond.ui_messages(Source(*TEXT)))
    assert answer.header("x-vercel-ai-ui-message-stream") == "v1"
    kinds = [part["type"] for part in ui_messages.Decoder().feed(answer.body) if isinstance(part, dict)]
    assert kinds == ["start", "text-start", "text-delta", "text-end", "finish"]


# The one that the client likes best


def negotiated(source: Source) -> App:
    async def endpoint(request: Request) -> App:
        return respond.negotiate(request, told(source))

    return handler(endpoint)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("text/event-stream", "text/event-stream"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("application/json", "application/json"),
        ("*/*", "text/event-stream"),
        ("", "text/event-stream"),
        ("application/json;q=0.5, application/x-ndjson;q=0.9", "application/x-ndjson"),
        ("text/event-stream;q=0, */*", "application/x-ndjson"),
        ("application/*;q=0.2, text/*;q=0.1", "application/x-ndjson"),
        ("text/html, */*;q=0.1", "text/event-stream"),
    ],
)
def test_the_client_gets_what_it_likes_best_12_5_1(accept: str, media_type: str) -> None:
    answer = answered(negotiated(Source(1)), accept=accept)
    assert (answer.status, answer.header("content-type"), answer.header("vary")) == (200, media_type, "Accept")


def test_who_says_nothing_gets_the_first() -> None:
    assert answered(negotiated(Source(1))).header("content-type") == "text/event-stream"


def test_several_lines_are_one_list() -> None:
    lines = [("accept", "text/html"), ("accept", "application/json")]
    assert clock.run(fetch(negotiated(Source(1)), headers=lines)).header("content-type") == "application/json"


@pytest.mark.parametrize("accept", ["text/html", "*/*;q=0", "application/xml, text/csv"])
def test_who_likes_nothing_is_told_what_there_is_15_5_7(accept: str) -> None:
    source = Source(1)
    answer = answered(negotiated(source), accept=accept)
    assert (answer.status, answer.header("vary")) == (406, "Accept")
    assert answer.body == b"there is text/event-stream, application/x-ndjson, application/json here"
    assert source.closed


async def rows() -> AsyncIterator[object]:
    yield 1


async def never() -> Received:
    raise AssertionError


def negotiating(accept: str) -> Callable[[Any], App]:
    scope = cast(HTTPScope, connect(Response(), headers={"accept": accept}).scope)
    return lambda source: respond.negotiate(Request(scope, Inbox(never)), source)


NAMES = ("stream", "sse", "ndjson", "json_seq", "csv", "json_array", "multipart", "chat_chunks", "ui_messages")
TAKING_A_STREAM: dict[str, Callable[[Any], object]] = {
    **{name: getattr(respond, name) for name in NAMES},
    "negotiate": negotiating("*/*"),
    "negotiate, 406": negotiating("image/png"),
}


@pytest.mark.parametrize("name", TAKING_A_STREAM)
def test_what_is_no_async_iterable_is_refused_when_the_response_is_made(name: str) -> None:
    make = TAKING_A_STREAM[name]
    subject = rf"the source of respond\.{name.partition(',')[0]}\(\) must be an async iterable, not "
    for source in ((row for row in [1]), [1], "text", {"a": 1}, iter([1]), None):
        with pytest.raises(TypeError, match=rf"^{subject}.*: wrap a blocking iterable in streams.from_thread\(...\)$"):
            make(source)
    with pytest.raises(TypeError, match=rf"^{subject}<function .*: call the function$"):
        make(rows)
    coroutine = asyncio.sleep(0)
    with pytest.raises(TypeError, match=rf"^{subject}<coroutine .*: await it$"):
        make(coroutine)
    coroutine.close()


def test_the_error_about_a_source_does_not_hold_all_of_it() -> None:
    with pytest.raises(TypeError) as raised:
        respond.csv([["row"]] * 10_000)  # type: ignore[arg-type]  # that is what is tried
    assert len(str(raised.value)) < 300
