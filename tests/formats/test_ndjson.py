"""NDJSON, both ways."""

import json
from collections.abc import Iterable
from functools import partial
from itertools import pairwise

import pytest
from cost import growth
from hypothesis import given
from hypothesis import strategies as st

from rawasgi.formats import json_text
from rawasgi.formats.limits import TooLarge
from rawasgi.formats.ndjson import Decoder, NotJSON, encode


def decode(*chunks: bytes, limit_bytes: int = 1024 * 1024) -> list[object]:
    decoder = Decoder(limit_bytes)
    return [value for chunk in chunks for value in decoder.feed(chunk)] + decoder.end()


def one_by_one(stream: bytes) -> list[bytes]:
    return [stream[index : index + 1] for index in range(len(stream))]


def cut(stream: bytes, places: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:stop] for start, stop in pairwise(edges)]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(values)
def test_writes_compact_JSON_in_UTF_8_and_LF(value: object) -> None:
    line = encode(value)
    assert line == json_text.dumps(value) + b"\n"
    assert json.loads(line) == value


@given(st.lists(values), st.lists(st.integers(0, 1000), max_size=8), st.booleans())
def test_reads_back_what_was_written_however_it_is_cut(items: list[object], places: list[int], ended: bool) -> None:
    stream = b"".join(map(encode, items))
    if not ended:
        stream = stream.removesuffix(b"\n")
    for chunks in ([stream], one_by_one(stream), cut(stream, places)):
        assert decode(*chunks) == items


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), [1, {"a": float("nan")}]])
def test_refuses_to_write_what_JSON_cannot_say(value: object) -> None:
    with pytest.raises(ValueError, match=r"ndjson.encode takes what JSON can say, not .*: write None for NaN and Inf"):
        encode(value)


def test_refuses_to_write_a_value_that_holds_itself() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(ValueError, match=r"not \[.*\] \(Circular reference detected\)"):
        encode(value)


def test_refuses_to_write_what_is_no_JSON_value() -> None:
    with pytest.raises(TypeError, match="JSON has no object"):
        encode([object()])


def test_takes_another_encoder_of_str_or_bytes() -> None:
    assert encode("你", json.dumps) == b'"\\u4f60"\n'
    assert encode("你") == '"你"\n'.encode()
    assert encode(1, lambda value: b"one") == b"one\n"
    with pytest.raises(ValueError, match=r"dumps must write one line, not .*: leave out its indent"):
        encode([1], partial(json.dumps, indent=2))


@pytest.mark.parametrize(
    ("stream", "read"),
    [
        (b"", []),
        (b"1\n2\n", [1, 2]),
        (b"1\r\n2\r\n", [1, 2]),
        (b"1\n\n \t\r\n2\n\n", [1, 2]),
        (b"1\n2", [1, 2]),
        (b' {"a": [1, null]} \n', [{"a": [1, None]}]),
        ('"你\u2028\x85"\n'.encode(), ["你\u2028\x85"]),
        (b"null\nfalse\n0\n", [None, False, 0]),
    ],
)
def test_reads_a_value_a_line(stream: bytes, read: list[object]) -> None:
    assert decode(stream) == decode(*one_by_one(stream)) == read


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"1 2",
        b"'a'",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b'"\xff"',
        b"\xef\xbb\xbf1",
        b"\x0b",
        b"\0",
        b'"a\rb"',
        "1".encode("utf-16-le"),
        b"[" * 100_000,
        b"9" * 5000,
    ],
    ids=lambda line: repr(line[:12]),
)
def test_refuses_a_line_that_is_not_JSON_and_loses_nothing_before_it(line: bytes) -> None:
    stream = b"1\n2\n" + line + b"\n3\n"
    with pytest.raises(
        NotJSON, match=r"a line must be one JSON value in UTF-8, not .*: the sender has to mend it"
    ) as got:
        Decoder().feed(stream)
    assert (got.value.items, got.value.line) == ([1, 2], line)
    decoder = Decoder()
    read: list[object] = []
    with pytest.raises(NotJSON) as got:
        read.extend(value for chunk in one_by_one(stream) for value in decoder.feed(chunk))
    assert (got.value.items, got.value.line) == ([], line)
    decoder = Decoder()
    assert decoder.feed(b"1\n" + line) == [1]
    with pytest.raises(NotJSON):
        decoder.end()


def test_reads_nothing_after_a_line_that_it_refused() -> None:
    decoder = Decoder()
    with pytest.raises(NotJSON):
        decoder.feed(b"1\n{\n2\n")
    for call in (partial(decoder.feed, b"3\n"), decoder.end):
        with pytest.raises(NotJSON) as caught:
            call()
        assert caught.value.items == []


def test_a_line_over_the_limit_is_refused_and_nothing_is_lost_before_it() -> None:
    assert decode(b"1234\n12345678\n1\n12345678", limit_bytes=8) == [1234, 12345678, 1, 12345678]
    for stream in (b"1\n123456789\n", b"1\n123456789", b"1\n" + b" " * 9):
        decoder = Decoder(8)
        with pytest.raises(TooLarge, match="a line must fit in 8 bytes, this one does not: close the stream") as caught:
            decoder.feed(stream)
        assert (caught.value.items, caught.value.limit_bytes) == ([1], 8)
        with pytest.raises(TooLarge):
            decode(*one_by_one(stream), limit_bytes=8)
        with pytest.raises(TooLarge) as caught:
            decoder.feed(b"\n1\n")
        assert caught.value.items == []


def test_a_decoder_that_came_to_the_end_is_empty() -> None:
    decoder = Decoder()
    assert decoder.feed(b"[1") == []
    assert decoder.feed(b", 2]") == []
    assert decoder.end() == [[1, 2]]
    assert decoder.end() == []


def test_time_is_linear_in_a_line_that_comes_in_16_byte_pieces() -> None:
    def feed(count: int) -> None:
        assert decode(b'"', *[b"x" * 16] * count, b'"\n') == ["x" * 16 * count]

    assert growth(feed, 4_000, 64_000) < 100
