"""What JSON has no type for is written as pydantic writes it."""

import json
import sqlite3
from collections import ChainMap, Counter, OrderedDict, UserDict, defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, RootModel, field_serializer
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic_core import to_json

from rawasgi.formats import json_array, json_seq, ndjson, sse
from rawasgi.formats.json_text import dumps, writer

OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
LEAVES = (
    st.datetimes()
    | st.datetimes(timezones=OFFSETS | st.just(UTC))
    | st.dates()
    | st.times()
    | st.times(timezones=st.just(UTC))
    | st.timedeltas(timedelta(-364), timedelta(364))  # pydantic counts years after that
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.uuids()
    | st.ip_addresses()
    | st.text().map(Path)
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner))


class Colour(Enum):
    RED = "red"
    POINT = (1, 2)
    DAY = date(2026, 1, 2)


class Size(StrEnum):
    SMALL = "s"


class Old(str, Enum):  # noqa: UP042  # as it was written before there was StrEnum; its str() is Old.A
    A = "a"


class Level(IntEnum):
    HIGH = 3


class Right(Flag):
    READ = 1
    WRITE = 2


class Point(NamedTuple):
    x: int
    y: Decimal


@dataclass
class Item:
    shared: ClassVar[int] = 1
    id: UUID
    at: datetime
    tags: set[str] = field(default_factory=set)


@dataclass(slots=True, frozen=True)
class Outer:
    items: list[Item]


@pydantic_dataclass
class Checked(Item):
    pass


class Text(str):
    def __str__(self) -> str:
        return "a lie"


ID, AT = UUID(int=1), datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ID_TEXT = "00000000-0000-0000-0000-000000000001"
ITEM = {"id": ID_TEXT, "at": "2026-01-02T03:04:05Z", "tags": ["x"]}


@given(VALUES)
def test_it_is_written_as_pydantic_writes_it(value: object) -> None:
    assert json.loads(dumps(value)) == json.loads(to_json(value))


@given(VALUES)
def test_every_format_reads_it_back_as_the_same_texts(value: object) -> None:
    read = json.loads(to_json(value))
    assert ndjson.Decoder().feed(ndjson.encode(value)) == [read]
    assert json_seq.Decoder().feed(json_seq.encode(value)) == [read]
    encoder = json_array.Encoder()
    assert json_array.Decoder().feed(encoder.encode(value) + encoder.end()) == [read]
    [event] = sse.Decoder().feed(sse.json_data(value))
    assert json.loads(event.data or "") == read


@given(st.datetimes() | st.datetimes(timezones=OFFSETS))
def test_a_moment_is_read_back_by_the_standard_library(value: datetime) -> None:
    assert datetime.fromisoformat(json.loads(dumps(value))) == value


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_decimal_loses_no_digit(value: Decimal) -> None:
    assert str(Decimal(json.loads(dumps(value)))) == str(value)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (timedelta(days=400), "P400D"),
        (timedelta(), "PT0S"),
        (timedelta(days=-1), "-P1D"),
        (timedelta(hours=25, minutes=3, seconds=1, microseconds=500), "P1DT1H3M1.0005S"),
        (timedelta.max, "P999999999DT23H59M59.999999S"),
        (timedelta.min, "-P999999999D"),
        (datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=5, minutes=30))), "2026-01-02T00:00:00+05:30"),
        (time(1, 2, tzinfo=UTC), "01:02:00Z"),
        (Colour.RED, "red"),
        (Colour.POINT, [1, 2]),
        (Colour.DAY, "2026-01-02"),
        (Size.SMALL, "s"),
        (Old.A, "a"),
        (Level.HIGH, 3),
        (Right.READ | Right.WRITE, 3),
        (Text("x"), "x"),
        (Point(1, Decimal("2.50")), [1, "2.50"]),
        (frozenset([1]), [1]),
        (deque([1, 2]), [1, 2]),
        ({1: 2}.keys(), [1]),
        ({1: 2}.values(), [2]),
        ({1: 2}.items(), [[1, 2]]),
        (OrderedDict(a=1), {"a": 1}),
        (defaultdict(int, a=1), {"a": 1}),
        (Counter("aa"), {"a": 2}),
        (UserDict(a=1), {"a": 1}),
        (ChainMap({"a": 1}, {"b": 2}), {"a": 1, "b": 2}),
        (MappingProxyType({"a": Path("/x")}), {"a": "/x"}),
        (ip_address("::1"), "::1"),
        (ip_interface("10.0.0.1/8"), "10.0.0.1/8"),
        (ip_network("10.0.0.0/8"), "10.0.0.0/8"),
        (PureWindowsPath("c:\\x"), "c:\\x"),
        (PurePosixPath("/x"), "/x"),
        (Item(ID, AT, {"x"}), ITEM),
        ({"outer": Outer([Item(ID, AT, {"x"})])}, {"outer": {"items": [ITEM]}}),
    ],
    ids=lambda value: f"{type(value).__name__} {value}"[:40],
)
def test_what_people_have(value: object, read: object) -> None:
    assert json.loads(dumps(value)) == read


def test_a_row_of_a_database_is_an_object() -> None:
    with sqlite3.connect(":memory:") as connection:
        connection.row_factory = sqlite3.Row
        row = connection.execute("select 1 as id, '名' as name").fetchone()
    connection.close()
    assert json.loads(dumps([row])) == [{"id": 1, "name": "名"}]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (ID, ID_TEXT),
        (date(2026, 1, 2), "2026-01-02"),
        (Colour.RED, "red"),
        (Size.SMALL, "s"),
        (Old.A, "a"),
        (Level.HIGH, "3"),
        (None, "null"),
        (True, "true"),
        (1.5, "1.5"),
        (1, "1"),
    ],
)
def test_a_key_is_text(key: object, text: str) -> None:
    assert json.loads(dumps({"deep": [{key: Item(ID, AT, {"x"})}]})) == {"deep": [{text: ITEM}]}


@pytest.mark.parametrize("key", [(1, 2), frozenset([1]), b"x", Colour.POINT])
def test_a_key_that_is_no_text_is_refused(key: object) -> None:
    with pytest.raises(TypeError, match=r"a key of a JSON object must be text, not .*: make it a str|no bytes"):
        dumps({key: 1})


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("-Infinity"), [Decimal("sNaN")]])
def test_a_decimal_that_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"JSON has no s?NaN|JSON has no -Infinity"):
        dumps(value)


def test_a_circle_through_objects_is_refused() -> None:
    outer = Outer([])
    outer.items.append(outer)  # type: ignore[arg-type]  # that is the circle
    with pytest.raises(ValueError, match="Circular reference detected"):
        dumps(outer)


@pytest.mark.parametrize("value", [b"x", bytearray(), object(), 1j, range(3), iter([1]), Item, len])
def test_what_has_no_rule_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="JSON has no "):
        dumps([value])


# Models


class Model(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    number: int = Field(default=1, alias="theNumber")
    at: datetime = AT
    price: Decimal = Decimal("1.10")
    ratio: float = 0.5
    text: str = ""
    secret: str = "hunter2"
    other: Any = None

    @field_serializer("secret", when_used="json")
    def hide(self, value: str) -> str:
        return "***"


READ = {
    "theNumber": 1, "at": "2026-01-02T03:04:05Z", "price": "1.10", "ratio": 0.5, "text": "", "secret": "***",
    "other": None,
}  # fmt: skip


def test_a_model_is_written_as_it_says_itself_wherever_it_stands() -> None:
    model = Model(text="名\u2028")
    read = READ | {"text": "名\u2028"}
    assert dumps(model).decode() == model.model_dump_json(by_alias=True).replace("\u2028", "\\u2028")
    for value, wanted in [(model, read), ([model], [read]), ({"a": {"b": model}}, {"a": {"b": read}})]:
        assert json.loads(dumps(value)) == wanted
    assert json.loads(dumps({ID: model})) == {ID_TEXT: read}
    assert json.loads(dumps(RootModel[list[int]]([1, 2]))) == [1, 2]


def test_a_dataclass_of_pydantic_is_a_dataclass() -> None:
    assert json.loads(dumps(Checked(ID, AT, {"x"}))) == ITEM


@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: [model]])
def test_nan_in_a_model_is_what_its_configuration_says_but_never_nan(wrap: Any) -> None:
    class Constants(Model):
        model_config = ConfigDict(ser_json_inf_nan="constants")

    [read] = json.loads(dumps([wrap(Model(ratio=float("nan")))]).replace(b"[[", b"[").replace(b"]]", b"]"))
    assert read == READ | {"ratio": None}
    with pytest.raises(ValueError, match="takes what JSON can say"):
        dumps(wrap(Constants(ratio=float("inf"))))
    assert b'"text":"NaN Infinity"' in dumps(wrap(Constants(text="NaN Infinity")))


def test_half_a_surrogate_pair_in_a_model_is_an_escape() -> None:
    assert b'"text":"\\ud83d"' in dumps(Model(text="\ud83d"))
    assert b'"text":"\\ud83d"' in dumps([Model(text="\ud83d")])


@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: [model]])
def test_what_a_model_cannot_write_is_asked_of_default_and_nothing_hidden_comes_out(wrap: Any) -> None:
    model = wrap(Model(other=Text))
    with pytest.raises(ValueError, match=r"takes what JSON can say, .*Unable to serialize unknown type"):
        dumps(model)
    written = writer("test", default=lambda value: value.__name__)(model)
    assert b'"other":"Text"' in written
    assert b"hunter2" not in written
