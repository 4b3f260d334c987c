"""What a client is told of a failure, and what only the log has."""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import clock
import pytest

from rawasgi import respond
from rawasgi.dev.client import Result, fetch
from rawasgi.errors import Disconnected, HTTPError
from rawasgi.failures import failure_from, told
from rawasgi.formats import json_seq, ndjson, sse
from rawasgi.formats.endings import Done, Failure
from rawasgi.formats.multipart import Part
from rawasgi.handling import handler
from rawasgi.request import Request
from rawasgi.response import Response
from rawasgi.streams import TooManyThreads, deadline, timeout

SECRET = "postgres://admin:hunter2@db"


async def source(items: int, error: Exception | None = None, wait: float | None = None) -> AsyncIterator[int]:
    if wait is not None:
        await asyncio.sleep(wait)
    for number in range(items):
        yield number
    if error is not None:
        raise error


async def thinking(*pauses: float) -> AsyncIterator[int]:
    for pause in pauses:
        await asyncio.sleep(pause)
        yield 0


async def collected(stream: AsyncIterator[object]) -> list[object]:
    return [item async for item in stream]


@pytest.mark.parametrize(
    ("error", "told_of_it"),
    [
        (HTTPError(404, "no such topic"), Failure("not_found", "no such topic")),
        (HTTPError(503), Failure("service_unavailable", "Service Unavailable", retry=True)),
        (HTTPError(599, "odd"), Failure("error", "odd")),
        (TooManyThreads("x"), Failure("busy", "too many streams at once: ask again later", retry=True)),
    ],
)
def test_what_is_meant_for_the_client_is_said_and_logged_in_a_line(
    error: Exception, told_of_it: Failure, caplog: pytest.LogCaptureFixture
) -> None:
    said = failure_from(error)
    assert replace(said, id=None) == told_of_it
    (record,) = caplog.records
    assert said.id is not None
    assert said.id in record.getMessage()
    if getattr(error, "status", 0) >= 500:
        assert (record.levelname, record.exc_info is not None) == ("ERROR", True)
    else:
        assert record.getMessage() == f"stream failed, id {said.id}: {error!r}"
        assert (record.levelname, record.exc_info) == ("WARNING", None)


@pytest.mark.parametrize(("error", "code"), [(LookupError(SECRET), "internal"), (TimeoutError(SECRET), "timeout")])
def test_of_all_else_the_client_gets_an_id_and_the_log_the_rest(
    error: Exception, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "rawasgi"):
        said = failure_from(error)
    assert said.code == code
    assert SECRET not in repr(said)
    assert said.id is not None
    (record,) = caplog.records
    assert said.id in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[1] is error
    assert failure_from(error).id != said.id


def test_each_deadline_is_told_by_its_name() -> None:
    said = []
    for stream in (
        timeout(source(1, wait=7), 5),
        timeout(thinking(1, 7), 5),
        deadline(thinking(1, 3, 3), 5),
    ):
        last = clock.run(collected(told(stream)))[-1]
        assert isinstance(last, Failure)
        assert (last.code, last.retry) == ("timeout", True)
        assert last.id is not None
        said.append(last.message)
    assert said == ["the first item took too long", "the next item took too long", "the stream took too long in total"]


def test_a_stream_tells_its_end() -> None:
    assert clock.run(collected(told(source(2)))) == [0, 1, Done(2)]


def test_what_one_knows_better_goes_first(caplog: pytest.LogCaptureFixture) -> None:
    def known(error: Exception) -> Failure | None:
        return Failure("validation", str(error), retry=True) if isinstance(error, ValueError) else None

    stream = told(source(1, ValueError("item 1 is negative")), known)
    (_, last) = clock.run(collected(stream))
    assert isinstance(last, Failure)
    assert replace(last, id=None) == Failure("validation", "item 1 is negative", retry=True)
    (record,) = caplog.records
    assert record.getMessage() == f"stream failed, id {last.id}: ValueError('item 1 is negative')"
    assert (record.levelname, record.exc_info) == ("WARNING", None)
    (_, last) = clock.run(collected(told(source(1, LookupError()), known)))
    assert isinstance(last, Failure)
    assert last.code == "internal"


def test_an_id_of_ones_own_is_sent_as_it_is_and_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    mine = Failure("validation", "negative", "trace-1")
    (_, last) = clock.run(collected(told(source(1, ValueError()), lambda _: mine)))
    assert last is mine
    assert caplog.records == []


def test_a_client_that_left_is_told_nothing() -> None:
    with pytest.raises(Disconnected):
        clock.run(collected(told(source(1, Disconnected()))))


def answered(response: Response) -> Result:
    return clock.run(fetch(response))


def test_each_format_says_it_in_its_own_way() -> None:
    broken = Failure("x", "y", "z")
    (event,) = sse.Decoder().feed(answered(respond.sse(told(source(0, ValueError(), 0), lambda _: broken))).body)
    assert (event.event, json.loads(str(event.data))) == ("error", {"error": {"code": "x", "message": "y", "id": "z"}})
    body = answered(respond.ndjson(told(source(1, ValueError()), lambda _: broken))).body
    assert ndjson.Decoder().feed(body) == [0, {"error": {"code": "x", "message": "y", "id": "z"}}]
    body = answered(respond.json_seq(told(source(1)))).body
    assert json_seq.Decoder().feed(body) == [0, {"done": {"items": 1}}]


def test_an_sse_stream_that_is_whole_says_done() -> None:
    *_, last = sse.Decoder().feed(answered(respond.sse(told(source(2)))).body)
    assert (last.event, last.data) == ("done", '{"done": {"items": 2}}')


def test_an_error_before_anything_was_sent_is_an_answer_of_its_own() -> None:
    async def endpoint(_: Request) -> Response:
        return respond.sse(told(source(0, HTTPError(404, "no such topic"))))

    answer = clock.run(fetch(handler(endpoint)))
    assert (answer.status, answer.body) == (404, b"no such topic")


def test_what_is_told_is_told_once() -> None:
    stream = told(source(1))
    assert told(stream) is stream
    assert answered(respond.json_array(told(source(2)))).body == b"[0,\n1]"


FORMATS: dict[str, tuple[Callable[[AsyncIterator[Any]], Response], object]] = {
    "sse": (lambda items: respond.sse(told(items)), 1),
    "ndjson": (lambda items: respond.ndjson(told(items)), 1),
    "json_seq": (lambda items: respond.json_seq(told(items)), 1),
    "csv": (lambda items: respond.csv(told(items)), ["a"]),
    "json_array": (respond.json_array, 1),
    "multipart": (respond.multipart, Part(b"a")),
    "chat_chunks": (respond.chat_chunks, {"a": 1}),
    "ui_messages": (respond.ui_messages, {"type": "data-row", "data": 1}),
}


@pytest.mark.parametrize("error", [HTTPError(409, "conflicting"), HTTPError(502), LookupError(SECRET), TimeoutError()])
@pytest.mark.parametrize("name", FORMATS)
def test_in_each_format_the_client_gets_the_id_that_the_log_has(
    name: str, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    respond_with, item = FORMATS[name]

    async def items() -> AsyncIterator[Any]:
        yield item
        await asyncio.sleep(1)
        raise error

    body = answered(respond_with(items())).body
    assert SECRET.encode() not in body
    (record,) = caplog.records
    found = re.search("id ([0-9a-f]{16})", record.getMessage())
    assert found is not None
    assert found[1].encode() in body
    if isinstance(error, HTTPError):
        assert (error.text or "Bad Gateway").encode() in body
