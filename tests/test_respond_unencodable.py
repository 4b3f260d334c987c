"""An item that cannot be encoded is what a failing source is: told in the format, or cut, and the source is closed."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import clock
import pytest

from rawasgi import HTTPError, Request, Response, handler, respond
from rawasgi.dev.client import Result, connect, fetch
from rawasgi.failures import told
from rawasgi.formats import chat_chunks, csv, json_seq, multipart, ndjson, sse, ui_messages
from rawasgi.formats.endings import Failure
from rawasgi.formats.multipart import Part
from rawasgi.inbox import Inbox
from rawasgi.outcomes import Outcome


class Own:
    """What nobody has a rule for."""

    def __repr__(self) -> str:
        return "a secret"


SECRET = b"a secret"


class Source:
    """Yields *items*, one a second, fails or waits for ever, and tells when it was closed."""

    def __init__(self, *items: object, fails: bool = False) -> None:
        self._items = list(items)
        self._fails = fails
        self.closed_at: float | None = None

    def __aiter__(self) -> "Source":
        return self

    async def __anext__(self) -> Any:
        await asyncio.sleep(1)
        if self._items:
            return self._items.pop(0)
        if self._fails:
            raise TypeError("the source failed")
        await asyncio.Event().wait()

    async def aclose(self) -> None:
        assert self.closed_at is None
        await asyncio.sleep(0.5)
        self.closed_at = clock.now()


def last_part(answer: Result) -> object:
    [*_, part] = multipart.Decoder(multipart.boundary_of(answer.header("content-type") or "")).feed(answer.body)
    return json.loads(part.body)


def last_event(answer: Result) -> object:
    [*_, event] = sse.Decoder().feed(answer.body)
    return event.event, json.loads(event.data or "")


UI = {"type": "data-x", "data": 1}
# by format: what makes the response, an item, one that cannot be encoded, and the last that a client reads
Case = tuple[Callable[[Any], Response], object, object, Callable[[Result], object]]
CASES: dict[str, Case] = {
    "sse": (respond.sse, 1, Own(), last_event),
    "ndjson": (respond.ndjson, 1, {"a": float("nan")}, lambda answer: ndjson.Decoder().feed(answer.body)[-1]),
    "json_seq": (respond.json_seq, 1, Own(), lambda answer: json_seq.Decoder().feed(answer.body)[-1]),
    "csv": (respond.csv, [1], [b"x"], lambda answer: csv.Decoder().feed(answer.body)[-1]),
    "json_array": (respond.json_array, 1, [Own()], lambda answer: json.loads(answer.body)[-1]),
    "multipart": (respond.multipart, Part(b"a"), Part("text"), last_part),  # type: ignore[arg-type]
    "chat_chunks": (respond.chat_chunks, {"a": 1}, {"a": Own()}, lambda answer: answer.body),
    "ui_messages": (respond.ui_messages, UI, {"type": "data-x", "data": Own()}, lambda answer: answer.body),
}
READ = {"error": {"code": "internal", "message": "the stream failed", "id": "ID"}}
LAST: dict[str, object] = {
    "sse": ("error", READ),
    "ndjson": READ,
    "json_seq": READ,
    "csv": ["#error", "internal", "the stream failed", "ID"],
    "json_array": READ,
    "multipart": {"title": "the stream failed", "code": "internal", "id": "ID"},
}
each_format = pytest.mark.parametrize("name", CASES)
AT_ONCE = ("json_array", "multipart", "chat_chunks", "ui_messages")  # these report without told()


def with_boundary(answer: Result) -> bytes:
    boundary = (answer.header("content-type") or "").partition("boundary=")[2].encode()
    return answer.body.replace(boundary, b"BOUNDARY") if boundary else answer.body


@each_format
def test_it_is_reported_in_the_format_once_the_source_is_closed(name: str, caplog: pytest.LogCaptureFixture) -> None:
    make, item, bad, last = CASES[name]
    source = Source(item, bad, item)
    response = make(source if name in AT_ONCE else told(source))

    async def script() -> Result:
        async with connect(response) as client:
            await client.rest()
            assert clock.now() == 2.5
            await client.finished()
        return Result(client.status, client.headers, client.body, client.messages)

    answer = clock.run(script())
    assert source.closed_at == 2.5
    [record] = [record for record in caplog.records if record.name == "rawasgi"]
    assert record.exc_info is not None
    assert record.exc_info[2] is not None
    id = record.getMessage().rpartition(" ")[2].encode()
    assert id in answer.body
    assert SECRET not in answer.body
    answer = Result(answer.status, answer.headers, answer.body.replace(id, b"ID"), [])
    if name in LAST:
        assert last(answer) == LAST[name]
    if name == "chat_chunks":
        *_, failure = chat_chunks.Decoder().feed(answer.body)
        assert failure == Failure("internal", "the stream failed", "ID")
    if name == "ui_messages":
        decoder = ui_messages.Decoder()
        assert decoder.feed(answer.body)[-1] == Failure(message="the stream failed, id ID")
        assert decoder.done


@each_format
@pytest.mark.parametrize("is_told", [True, False])
def test_what_the_client_and_the_server_see_is_what_a_failing_source_gives(name: str, is_told: bool) -> None:
    """Bytes, status, the error that the server logs, and when the source is closed."""

    def seen(source: Source) -> object:
        failure = Failure("x", "y", "z")
        response = make(told(source, lambda error: failure) if is_told or name in AT_ONCE else source)

        async def script() -> object:
            async with connect(response) as client:
                await client.started()
                raised: BaseException | None = None
                try:
                    await client.finished()
                except (TypeError, ValueError) as error:
                    raised = error
            answer = Result(client.status, client.headers, client.body, [])
            return client.status, with_boundary(answer), raised is None, source.closed_at, clock.now()

        return clock.run(script())

    make, item, bad, _ = CASES[name]
    assert seen(Source(item, bad, item)) == seen(Source(item, fails=True))


@each_format
def test_the_first_item_of_all_may_still_be_a_status(name: str) -> None:
    make, item, bad, _ = CASES[name]

    async def source() -> AsyncIterator[object]:
        try:
            yield bad
            yield item
        finally:
            closed.append(1)

    async def endpoint(request: Request) -> Response:
        return make(told(source()))

    closed: list[int] = []
    with pytest.raises((TypeError, ValueError)):
        clock.run(fetch(handler(endpoint)))

    async def script() -> int:
        async with connect(handler(endpoint)) as client:
            with pytest.raises((TypeError, ValueError)):
                await client.finished()
        return client.status

    assert clock.run(script()) == 500
    assert closed == [1, 1]


def test_what_is_known_of_an_error_goes_first_here_too() -> None:
    def known(error: Exception) -> Failure | None:
        return Failure("validation", "an item is no JSON", "mine") if isinstance(error, TypeError) else None

    answer = clock.run(fetch(respond.ndjson(told(Source(1, Own()), known))))
    error = {"code": "validation", "message": "an item is no JSON", "id": "mine"}
    assert ndjson.Decoder().feed(answer.body)[1] == {"error": error}


def test_an_error_of_default_is_an_error_of_the_item(caplog: pytest.LogCaptureFixture) -> None:
    def default(value: object) -> object:
        raise HTTPError(403, "not for you")

    answer = clock.run(fetch(respond.json_array(Source(1, Own()), default=default)))
    [record] = caplog.records
    id = record.getMessage().partition("id ")[2].partition(":")[0]
    assert json.loads(answer.body) == [1, {"error": {"code": "forbidden", "message": "not for you", "id": id}}]


def test_it_counts_as_reported() -> None:
    outcomes: list[Outcome | None] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        inbox = Inbox.of(receive)
        await respond.sse(told(Source(1, Own())))(scope, inbox, send)
        outcomes.append(inbox.outcome)

    clock.run(fetch(app))
    assert outcomes == [Outcome.REPORTED]


def test_told_is_read_as_it_is_or_encoded() -> None:
    async def numbers() -> AsyncIterator[int]:
        yield 1
        yield 2

    async def collected() -> tuple[list[str], list[bytes]]:
        plain = [repr(item) async for item in told(numbers())]
        encoded = told(numbers()).encoded(lambda item: repr(item).encode(), lambda: b".")
        return plain, [item async for item in encoded]

    plain, encoded = clock.run(collected())
    assert plain == ["1", "2", "Done(items=2)"]
    assert encoded == [b"1", b"2", b"Done(items=2)."]
