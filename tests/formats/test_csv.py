"""CSV, both ways."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, StrEnum
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest
from cost import growth
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from rawasgi.formats.csv import Decoder, NotCSV, encode
from rawasgi.formats.endings import Done, Failure
from rawasgi.formats.limits import TooLarge

AT, ID = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), UUID(int=1)


class Colour(Enum):
    RED = "red"


class Size(StrEnum):
    SMALL = "s"


class Text(str):
    def __str__(self) -> str:
        return "a lie"


class Old:
    def __str__(self) -> str:
        return "an old one"


@dataclass
class Row:
    id: int
    at: datetime


class Model(BaseModel):
    id: int
    at: datetime


texts = st.text(st.characters(codec="utf-8"))
records = st.lists(st.lists(texts, min_size=1))


def decode(*chunks: bytes, limit_bytes: int = 1024 * 1024) -> list[list[str]]:
    return decode_with(Decoder(limit_bytes), *chunks)


def decode_with(decoder: Decoder, *chunks: bytes) -> list[list[str]]:
    return [record for chunk in chunks for record in decoder.feed(chunk)] + decoder.end()


def cut(stream: bytes, places: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:stop] for start, stop in pairwise(edges)]


@given(records, st.lists(st.integers(0, 1000), max_size=8), st.booleans())
def test_reads_back_what_was_written_however_it_is_cut(items: list[list[str]], places: list[int], ended: bool) -> None:
    stream = b"".join(map(encode, items))
    if not ended:
        stream = stream.removesuffix(b"\r\n")
    if stream.startswith(b"\xef\xbb\xbf"):
        return  # a first field that begins with a byte order mark loses it
    for chunks in ([stream], cut(stream, range(len(stream))), cut(stream, places)):
        assert decode(*chunks) == items


@given(records)
def test_the_standard_library_reads_what_was_written(items: list[list[str]]) -> None:
    stream = b"".join(map(encode, items)).decode()
    assert list(csv.reader(io.StringIO(stream, newline=""), strict=True)) == items


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (["a", "b"], "a,b"),
        ([1, 2.5, None, True, "你"], "1,2.5,,True,你"),
        (["a,b", 'say "hi"', "two\nlines", "\r"], '"a,b","say ""hi""","two\nlines","\r"'),
        ([""], '""'),  # or it would be an empty line
        ([None, None], ","),
        (("a" for _ in range(2)), "a,a"),
        (
            [AT, AT.date(), ID, Decimal("1.50"), Colour.RED, Size.SMALL, Path("/x")],
            f"2026-01-02T03:04:05Z,2026-01-02,{ID},1.50,red,s,/x",
        ),
        ([Text("it"), 10**20, 1.5, float("nan"), Old()], "it,100000000000000000000,1.5,nan,an old one"),
        (
            [{"a": ["你", AT]}, [1], (2, 3), frozenset([4]), Row(1, AT)],
            '"{""a"":[""你"",""2026-01-02T03:04:05Z""]}",[1],"[2,3]",[4],"{""id"":1,""at"":""2026-01-02T03:04:05Z""}"',
        ),
    ],
)
def test_writes_one_record(record: Iterable[object], line: str) -> None:
    assert encode(record) == line.encode() + b"\r\n"


@pytest.mark.parametrize(
    ("ending", "line"),
    [
        (Failure(), "#error,internal,the stream failed"),
        (Failure("db", 'the "database", left', id="7", retry=True), '#error,db,"the ""database"", left",7'),
        (Done(0), "#done,0"),
        (Done(1000), "#done,1000"),
    ],
)
def test_an_ending_is_a_record_as_any_other_as_RFC_4180_has_no_comments(ending: Failure | Done, line: str) -> None:
    assert encode(ending) == line.encode() + b"\r\n"
    assert list(csv.reader([encode(ending).decode()], strict=True)) == decode(encode(ending))


@pytest.mark.parametrize(
    ("record", "error", "match"),
    [
        ("abc", TypeError, "takes a record, an iterable of fields, not 'abc': put it in a list"),
        ([b"a"], TypeError, "a field must be text, not b'a': decode it"),
        ({"a": 1}, TypeError, "takes a record, and {'a': 1} has names: an Encoder writes the header"),
        ([], ValueError, r"a record must have a field, and this one has none: leave it out, or write \[None\]"),
    ],
)
def test_refuses_what_is_no_record(record: Iterable[object], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        encode(record)


@pytest.mark.parametrize(
    ("stream", "wanted"),
    [
        (b"", []),
        (b"\xef\xbb\xbfa,b\r\n1,2", [["a", "b"], ["1", "2"]]),
        (b"a\n\r\n\nb\n", [["a"], ["b"]]),
        (b'a,\n,a\n,\n""\n', [["a", ""], ["", "a"], ["", ""], [""]]),
        (b'"a""b","c\r\nd"\r\n', [['a"b', "c\r\nd"]]),
    ],
)
def test_reads_what_others_write(stream: bytes, wanted: list[list[str]]) -> None:
    assert decode(stream) == wanted


@pytest.mark.parametrize("line", [b'a"b"\n', b'"a"b\n', b'"a', b"a\rb\n", b"\xff\n", b'"a" ,b\n'])
def test_what_is_no_CSV_ends_the_decoder(line: bytes) -> None:
    decoder = Decoder()
    with pytest.raises(NotCSV, match="a record must be CSV in UTF-8") as raised:
        decode_with(decoder, b"1,2\n" + line)
    assert raised.value.record == line
    with pytest.raises(NotCSV) as raised:
        decoder.feed(b"1\n")
    assert raised.value.items == []
    with pytest.raises(NotCSV):
        decoder.end()


def test_it_tells_which_records_came_before() -> None:
    with pytest.raises(NotCSV) as raised:
        Decoder().feed(b'1,2\n"a"b\n3\n')
    assert raised.value.items == [["1", "2"]]


def test_a_record_that_is_too_large_ends_the_decoder() -> None:
    decoder = Decoder(limit_bytes=8)
    assert decoder.feed(b"1234567\n") == [["1234567"]]
    with pytest.raises(TooLarge, match="a record must fit in 8 bytes") as raised:
        decoder.feed(b'1\n"2345\n678')
    assert raised.value.items == [["1"]]
    with pytest.raises(TooLarge):
        decoder.end()


@pytest.mark.parametrize("piece", [b"\n", b'""', b'"a"\n', b"a,"])
def test_time_is_linear_in_the_stream(piece: bytes) -> None:
    def whole(size: int) -> None:
        Decoder(10_000_000).feed(b'"' + piece * size)

    def pieces(size: int) -> None:
        decoder = Decoder(10_000_000)
        for _ in range(size):
            decoder.feed(piece)

    for read in (whole, pieces):
        assert growth(read, 500, 8_000) < 100  # 16 if linear, 256 if quadratic


def test_time_is_linear_in_a_record_that_is_no_CSV() -> None:
    def refused(size: int) -> None:
        with pytest.raises(NotCSV):
            Decoder(10_000_000).feed(b'"' + b'""' * size + b'"x\n')

    assert growth(refused, 1_000, 16_000) < 100
