"""CSV with a header, and rows that have names."""

import csv
import io
import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from rawasgi.formats.csv import Encoder
from rawasgi.formats.endings import Done, Failure

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass
class Row:
    id: int
    at: datetime


class Model(BaseModel):
    id: int
    at: datetime


def written(encoder: Encoder, *rows: object) -> str:
    return (b"".join(map(encoder.encode, rows)) + encoder.end()).decode()


@pytest.mark.parametrize(
    ("header", "rows", "lines"),
    [
        (("a", "b,c"), [], 'a,"b,c"'),
        (iter(["a"]), [[1], (2,)], "a 1 2"),
        (("b", "a"), [{"a": 1, "b": 2}, {"b": 3}, [4, 5]], "b,a 2,1 3, 4,5"),
        (None, [], ""),
        (None, [[1], [2, 3]], "1 2,3"),
        (None, [{"a": 1, "b": 2}, {"b": 4, "a": 3}, [5, 6]], "a,b 1,2 3,4 5,6"),
        (None, [Row(1, AT), Model(id=2, at=AT)], "id,at 1,2026-01-02T03:04:05Z 2,2026-01-02T03:04:05Z"),
        (("a", "b"), [Failure("x", "y")], "a,b #error,x,y"),
        (("a", "b"), [[1, 2], Done(1)], "a,b 1,2 #done,1"),
        (None, [{"a": 1}, Failure("x", "y")], "a 1 #error,x,y"),
        (None, [Done(0)], "#done,0"),
    ],
)
def test_the_header_is_the_first_record(header: Iterable[str] | None, rows: list[object], lines: str) -> None:
    assert written(Encoder(header), *rows) == "".join(f"{line}\r\n" for line in lines.split())


names = st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1, unique=True)


@given(st.data())
def test_the_standard_library_reads_it_back(data: st.DataObject) -> None:
    header = data.draw(names)
    rows = data.draw(st.lists(st.fixed_dictionaries({name: st.text(st.characters(codec="utf-8")) for name in header})))
    for encoder in (Encoder(header), Encoder()):
        text = written(encoder, *rows)
        assert list(csv.DictReader(io.StringIO(text, newline=""), strict=True)) == rows


def test_a_row_of_a_database_has_names() -> None:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    rows = connection.execute("select 1 as id, '名' as name union all select 2, null").fetchall()
    connection.close()
    assert written(Encoder(), *rows) == "id,name\r\n1,名\r\n2,\r\n"


@pytest.mark.parametrize(
    ("header", "before", "row", "match"),
    [
        (("a",), [], {"a": 1, "b": 2}, r"\['b'\] must be in the header, \['a'\]: or leave it out"),
        (None, [{"a": 1}], {"b": 2}, r"\['b'\] must be in the header, \['a'\]"),
        (("a",), [], [1, 2], r"a row must have the 1 fields of the header, not \[1, 2\]"),
        (("a", "b"), [], [1], r"a row must have the 2 fields of the header, not \[1\]"),
        (None, [[1]], {"a": 1}, "a row with names must come first, .* or give header="),
        (None, [], {}, "a record must have a field"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_and_writes_nothing(
    header: Iterable[str] | None, before: list[object], row: object, match: str
) -> None:
    encoder, same = Encoder(header), Encoder(header)
    head = [encoder.encode(each) for each in before]
    with pytest.raises(ValueError, match=match):
        encoder.encode(row)
    last = before[0] if before else dict.fromkeys(header or ["x"], 1)
    assert b"".join(head) + encoder.encode(last) == b"".join(map(same.encode, [*before, last]))


def test_a_header_is_names() -> None:
    with pytest.raises(TypeError, match="takes a record, an iterable of fields, not 'ab': put it in a list"):
        Encoder("ab")
    with pytest.raises(ValueError, match="a record must have a field"):
        Encoder([])


def test_what_the_caller_brings_is_for_the_fields() -> None:
    row = [{"a": [1]}, 2, object]
    assert written(Encoder(dumps=partial(json.dumps, indent=1)), row[:2]) == '"{\n ""a"": [\n  1\n ]\n}",2\r\n'
    assert written(Encoder(default=lambda value: [value.__name__]), [object, {"a": object}]) == (
        '"[""object""]","{""a"":[""object""]}"\r\n'
    )
    with pytest.raises(ValueError, match="not both"):
        Encoder(dumps=json.dumps, default=str)


def test_nan_is_a_text_in_a_field_but_not_in_json_in_a_field() -> None:
    assert Encoder().encode([float("nan")]) == b"nan\r\n"
    with pytest.raises(ValueError, match="takes what JSON can say"):
        Encoder().encode([[float("nan")]])
