"""JSON text sequences, both ways."""

import json
from collections.abc import Iterable
from functools import partial
from itertools import pairwise

import pytest
from cost import growth
from hypothesis import given
from hypothesis import strategies as st

from rawasgi.formats import json_text
from rawasgi.formats.json_seq import Decoder, Malformed, encode
from rawasgi.formats.limits import TooLarge

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def decode(*chunks: bytes, limit_bytes: int = 1024 * 1024) -> list[object]:
    decoder = Decoder(limit_bytes)
    return [value for chunk in chunks for value in decoder.feed(chunk)] + decoder.end()


def cut(stream: bytes, places: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:stop] for start, stop in pairwise(edges)]


@given(values)
def test_writes_RS_compact_JSON_in_UTF_8_and_LF(value: object) -> None:
    assert encode(value) == b"\x1e" + json_text.dumps(value) + b"\n"


@given(st.lists(values), st.lists(st.integers(0, 1000), max_size=8), st.sampled_from([None, 1]))
def test_reads_back_what_was_written_however_it_is_cut(
    items: list[object], places: list[int], indent: int | None
) -> None:
    stream = b"".join(encode(item, partial(json.dumps, indent=indent)) for item in items)
    for chunks in ([stream], cut(stream, range(len(stream))), cut(stream, places)):
        assert decode(*chunks) == items


def test_refuses_to_write_what_JSON_cannot_say() -> None:
    with pytest.raises(
        ValueError, match=r"json_seq.encode takes what JSON can say, not nan .*: write None for NaN and"
    ):
        encode(float("nan"))
    with pytest.raises(TypeError):
        encode(object())


def test_refuses_an_encoder_that_writes_RS() -> None:
    with pytest.raises(ValueError, match=r"json_seq.encode: dumps must escape RS, .*, not write b'a.+x1eb'"):
        encode("", lambda value: b"a\x1eb")


def test_a_text_of_one_line_comes_with_its_LF() -> None:
    decoder = Decoder()
    assert decoder.feed(b'\x1e{"a":') == []
    assert decoder.feed(b"1}") == []
    assert decoder.feed(b"\n") == [{"a": 1}]
    assert decoder.end() == []


def test_a_text_of_several_lines_comes_with_the_next_RS() -> None:
    decoder = Decoder()
    assert decoder.feed(b"\x1e[\n1\n]\n") == [[1]]  # it was there whole
    assert decoder.feed(b"\x1e[\n1") == []
    assert decoder.feed(b"\n]\n") == []
    assert decoder.feed(b"\x1e") == [[1]]


@pytest.mark.parametrize(
    ("stream", "wanted"),
    [
        (b"", []),
        (b"\x1e\n", []),
        (b"\x1e\n1\n", [1]),
        (b"\x1e\x1e\n\x1e1\n", [1]),  # nothing between two RS (2.1)
        (b"\x1e123\x1e4\n", [Malformed(b"123"), 4]),  # it may have been 1234 (2.4)
        (b"\x1e -1\x1etrue\x1enull\x1efalse", [Malformed(text) for text in (b" -1", b"true", b"null", b"false")]),
        (b'\x1e12 \x1e[1]\x1e{}\x1e"a"', [12, [1], {}, "a"]),  # these show their end themselves
        (b'\x1e{"a": \x1e2\n', [Malformed(b'{"a": '), 2]),
        (b"1\n\x1e2\n", [1, 2]),  # before the first RS: the spec leaves it open
        (b"\x1e1\nrest\x1e2\n", [Malformed(b"1\nrest"), 2]),
        (b"\x1eNaN\n\x1e2\n", [Malformed(b"NaN\n"), 2]),
        (b"\x1e\xff\n\x1e2\n", [Malformed(b"\xff\n"), 2]),
        (b"\x1e" + b"[" * 100_000 + b"\n\x1e2\n", [Malformed(b"[" * 100_000 + b"\n"), 2]),
    ],
)
def test_what_is_no_JSON_costs_no_more_than_itself(stream: bytes, wanted: list[object]) -> None:
    assert decode(stream) == wanted


def test_after_a_line_that_came_what_follows_it_is_malformed() -> None:
    assert decode(b"\x1e1\n", b"rest", b"\x1e2\n") == [1, Malformed(b"rest"), 2]


def test_a_text_that_is_too_large_ends_the_decoder() -> None:
    decoder = Decoder(limit_bytes=8)
    assert decoder.feed(b"\x1e1234567\n") == [1234567]
    with pytest.raises(TooLarge, match="a text must fit in 8 bytes") as raised:
        decoder.feed(b"\x1e1\n\x1e12345678\n\x1e3\n")
    assert raised.value.items == [1]
    with pytest.raises(TooLarge) as raised:
        decoder.feed(b"\x1e1\n")
    assert raised.value.items == []
    with pytest.raises(TooLarge):
        decoder.end()


@pytest.mark.parametrize("piece", [b"\n", b"1,\n", b"[", b" "])
def test_time_is_linear_in_a_text_that_comes_in_pieces(piece: bytes) -> None:
    def read(size: int) -> None:
        decoder = Decoder(10_000_000)
        decoder.feed(b"\x1e[")
        for _ in range(size):
            decoder.feed(piece)
        decoder.end()

    assert growth(read, 500, 8_000) < 100  # 16 if linear, 256 if quadratic
