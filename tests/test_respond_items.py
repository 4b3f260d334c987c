"""What people yield: their types, their encoders, and what becomes of an item that cannot be encoded."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any, cast
from uuid import UUID

import clock
import msgspec
import orjson
import pytest
from pydantic import BaseModel
from pydantic_core import to_json, to_jsonable_python

from rawasgi import HTTPError, Request, Response, handler, respond
from rawasgi.asgi import HTTPScope, Received
from rawasgi.dev.client import connect, fetch
from rawasgi.failures import told
from rawasgi.formats import csv, json_array, json_seq, ndjson, sse
from rawasgi.inbox import Inbox

ID, AT = UUID(int=1), datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass
class Row:
    id: UUID
    at: datetime


class Model(BaseModel):
    id: UUID
    at: datetime


class Own:
    """What nobody has a rule for."""


class Text:
    def __init__(self, text: UUID) -> None:
        self.text = text

    def __str__(self) -> str:
        return str(self.text)


READ = {"id": "00000000-0000-0000-0000-000000000001", "at": "2026-01-02T03:04:05Z"}


async def items(*values: object) -> AsyncIterator[Any]:
    for value in values:
        yield value


def body(response: Response) -> bytes:
    answer = clock.run(fetch(response))
    assert answer.status == 200
    return answer.body


def data_of(stream: bytes) -> list[object]:
    return [json.loads(event.data or "") for event in sse.Decoder().feed(stream)]


FORMATS: dict[str, tuple[Callable[..., Response], Callable[[bytes], list[Any]]]] = {
    "sse": (respond.sse, data_of),
    "ndjson": (respond.ndjson, lambda stream: ndjson.Decoder().feed(stream)),
    "json_seq": (respond.json_seq, lambda stream: json_seq.Decoder().feed(stream)),
    "json_array": (respond.json_array, lambda stream: json_array.Decoder().feed(stream)),
}
each_format = pytest.mark.parametrize("name", FORMATS)


@each_format
def test_each_json_format_takes_what_people_yield(name: str) -> None:
    make, read = FORMATS[name]
    values: list[object] = [Row(ID, AT), Model(id=ID, at=AT), {"id": ID, "at": AT}, [Model(id=ID, at=AT)], {ID: "名"}]
    stream = body(make(items(*values)))
    assert read(stream) == [READ, READ, READ, [READ], {READ["id"]: "名"}]
    assert "名".encode() in stream


@each_format
def test_default_is_called_for_the_rest(name: str) -> None:
    make, read = FORMATS[name]
    stream = body(make(items([Own(), ID], {"a": Decimal(1)}), default=lambda value: {"own": AT}))
    assert read(stream) == [[{"own": READ["at"]}, READ["id"]], {"a": "1"}]


@each_format
def test_another_encoder_writes_the_items_but_not_the_endings(name: str) -> None:
    make, read = FORMATS[name]
    for source in (items({"id": ID}), told(items({"id": ID}))):
        assert read(body(make(source, dumps=orjson.dumps)))[0] == {"id": READ["id"]}
    source = told(items({"id": 1}, float("nan")))
    first, last = read(body(make(source, dumps=partial(json.dumps, allow_nan=False))))
    assert (first, last["error"]["code"]) == ({"id": 1}, "internal")


def test_another_encoder_may_write_several_lines_where_the_format_has_them() -> None:
    stream = body(respond.sse(items({"a": [1]}), dumps=partial(json.dumps, indent=1)))
    assert stream == b'data: {\ndata:  "a": [\ndata:   1\ndata:  ]\ndata: }\n\n'
    stream = body(respond.sse(items([1]), dumps=lambda value: b"1\r\n2"))
    assert stream == b"data: 1\ndata: 2\n\n"


def test_json_is_the_same() -> None:
    assert body(respond.json({"rows": [Row(ID, AT)]})) == json.dumps({"rows": [READ]}, separators=(",", ":")).encode()
    assert body(respond.json(Own(), default=lambda value: "own")) == b'"own"'
    assert body(respond.json({"id": ID}, dumps=orjson.dumps)) == body(respond.json({"id": ID}))


@pytest.mark.parametrize("make", [*(make for make, _ in FORMATS.values()), respond.csv, respond.json])
def test_there_is_one_encoder(make: Callable[..., Response]) -> None:
    with pytest.raises(ValueError, match="give dumps= or default=, not both"):
        make(items(), dumps=json.dumps, default=str)


def negotiated(accept: str, **how: Any) -> bytes:
    async def never() -> Received:
        raise AssertionError

    scope = cast(HTTPScope, connect(Response(), headers={"accept": accept}).scope)
    return body(cast(Response, respond.negotiate(Request(scope, Inbox(never)), items(Own()), **how)))


@pytest.mark.parametrize("name", ["sse", "ndjson", "json_array"])
def test_what_is_negotiated_is_encoded_in_the_same_way(name: str) -> None:
    media_type = next(kind for kind, make in respond.KINDS.items() if make is FORMATS[name][0])
    for how in ({"default": lambda value: "own"}, {"dumps": lambda value: '"own"'}):
        assert FORMATS[name][1](negotiated(media_type, **how)) == ["own"]


def test_a_kind_that_takes_no_encoder_is_given_none() -> None:
    def plain(source: AsyncIterator[object]) -> Response:
        return respond.ndjson(source, default=lambda value: "its own")

    kinds = {"application/x-ndjson": plain}
    assert negotiated("*/*", kinds=kinds) == b'"its own"\n'


def test_the_encoders_that_people_have_fit_without_a_cast() -> None:
    """mypy reads this, too."""
    rows = [
        body(respond.ndjson(items({"id": ID}), dumps=orjson.dumps)),
        body(respond.ndjson(items({"id": ID}), dumps=msgspec.json.encode)),
        body(respond.ndjson(items({"id": ID}), dumps=to_json)),
        body(respond.ndjson(items({"id": ID}), dumps=partial(json.dumps, default=str, separators=(",", ":")))),
        body(respond.ndjson(items({"id": Own()}), default=lambda value: ID)),
        body(respond.ndjson(items({"id": Text(ID)}), default=vars)).replace(b'{"text":', b"").replace(b"}}", b"}"),
        body(respond.ndjson(items({"id": Text(ID)}), default=str)),
        body(respond.ndjson(items({"id": Row(ID, AT).id}), default=to_jsonable_python)),
    ]
    assert rows == [b'{"id":"00000000-0000-0000-0000-000000000001"}\n'] * len(rows)


# CSV


def test_csv_has_a_header_also_without_a_row() -> None:
    for source in (items(), told(items())):
        assert body(respond.csv(source, header=("id", "at"))).startswith(b"id,at\r\n")
    rows = [Row(ID, AT), Model(id=ID, at=AT), {"at": AT}, ("x", None)]
    for header in (None, ("id", "at")):
        records = csv.Decoder().feed(body(respond.csv(items(*rows), header=header)))
        assert records == [["id", "at"], [*READ.values()], [*READ.values()], ["", READ["at"]], ["x", ""]]


def test_the_header_of_csv_waits_for_the_first_row() -> None:
    async def endpoint(request: Request) -> Response:
        async def source() -> AsyncIterator[object]:
            raise HTTPError(404, "no such table")
            yield

        return respond.csv(source(), header=("id",))

    assert clock.run(fetch(handler(endpoint))).status == 404


def test_csv_takes_other_encoders_for_its_fields() -> None:
    assert body(respond.csv(items([Own(), [Own()]]), default=lambda value: "own")) == b'own,"[""own""]"\r\n'
    assert body(respond.csv(items([[1, 2]]), dumps=lambda value: "1;2")) == b"1;2\r\n"
