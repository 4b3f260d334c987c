"""JSON arrays, an element at a time, both ways."""

import json
from collections.abc import Iterable
from functools import partial
from itertools import pairwise

import pytest
from cost import growth
from hypothesis import given
from hypothesis import strategies as st

from rawasgi.formats.endings import CutOff, Done, Failure
from rawasgi.formats.json_array import Decoder, Encoder, NotArray
from rawasgi.formats.limits import TooLarge

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def encode(*items: object) -> bytes:
    encoder = Encoder()
    return b"".join(map(encoder.encode, items)) + encoder.end()


def decode(*chunks: bytes, limit_bytes: int = 1024 * 1024) -> list[object]:
    return decode_with(Decoder(limit_bytes), *chunks)


def decode_with(decoder: Decoder, *chunks: bytes) -> list[object]:
    items = [value for chunk in chunks for value in decoder.feed(chunk)]
    decoder.end()
    return items


def cut(stream: bytes, places: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:stop] for start, stop in pairwise(edges)]


# Encode


@given(st.lists(values))
def test_writes_one_array_that_any_reader_takes(items: list[object]) -> None:
    assert json.loads(encode(*items)) == items


def test_an_element_a_line_each_written_when_it_comes() -> None:
    encoder = Encoder()
    assert encoder.encode({"a": "你"}) == '[{"a":"你"}'.encode()
    assert encoder.encode(2) == b",\n2"
    assert encoder.end() == b"]"


def test_an_array_of_nothing_is_an_array() -> None:
    assert encode() == encode(Done(0)) == b"[]"


def test_a_failure_is_the_last_element_and_the_array_is_still_JSON() -> None:
    assert json.loads(encode(1, Failure("db", "the database left", id="7"))) == [
        1,
        {"error": {"code": "db", "message": "the database left", "id": "7"}},
    ]
    assert json.loads(encode(Failure())) == [{"error": {"code": "internal", "message": "the stream failed"}}]


def test_another_encoder_need_not_know_what_a_failure_is() -> None:
    encoder = Encoder(partial(json.dumps, ensure_ascii=False))
    stream = encoder.encode("你") + encoder.encode(Failure("db", "x")) + encoder.end()
    assert stream == '["你",\n{"error":{"code":"db","message":"x"}}]'.encode()


def test_done_writes_nothing_as_the_bracket_is_the_end_mark() -> None:
    encoder = Encoder()
    assert encoder.encode(1) + encoder.encode(Done(1)) + encoder.end() == b"[1]"


@pytest.mark.parametrize(("last", "name"), [(Failure(), "a Failure"), (Done(0), "a Done")])
def test_nothing_follows_an_ending(last: object, name: str) -> None:
    encoder = Encoder()
    encoder.encode(last)
    with pytest.raises(ValueError, match=f"encode: nothing may follow {name}, not 2: write it before"):
        encoder.encode(2)


def test_an_array_ends_once() -> None:
    encoder = Encoder()
    encoder.end()
    with pytest.raises(ValueError, match=r"nothing may follow end\(\), not 1"):
        encoder.encode(1)
    with pytest.raises(ValueError, match=r"Encoder.end: an array ends once, and this one has"):
        encoder.end()


def test_what_JSON_cannot_say_is_refused_and_writes_nothing() -> None:
    encoder = Encoder()
    with pytest.raises(ValueError, match=r"json_array.Encoder.encode takes what JSON can say, not nan"):
        encoder.encode(float("nan"))
    with pytest.raises(TypeError):
        encoder.encode(object())
    assert encoder.encode(1) + encoder.end() == b"[1]"


# Decode


@given(st.lists(values), st.lists(st.integers(0, 1000), max_size=8), st.sampled_from([None, 1]), st.booleans())
def test_reads_back_what_was_written_however_it_is_cut(
    items: list[object], places: list[int], indent: int | None, ascii_only: bool
) -> None:
    stream = json.dumps(items, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    try:
        stream.decode()
    except UnicodeDecodeError:
        return  # a lone surrogate, which only ASCII can say
    for chunks in ([stream], cut(stream, range(len(stream))), cut(stream, places), [encode(*items)]):
        assert decode(*chunks) == items


@given(st.text('[]{}",:\\ \n1-tn'), st.lists(st.integers(0, 1000), max_size=8))
def test_takes_the_arrays_that_json_takes_and_no_other(text: str, places: list[int]) -> None:
    stream = f"[{text}]".encode()
    try:
        wanted = json.loads(stream)
    except ValueError:
        wanted = None
    for chunks in ([stream], cut(stream, range(len(stream))), cut(stream, places)):
        try:
            assert decode(*chunks) == wanted
        except (NotArray, CutOff):
            assert wanted is None


def test_an_element_that_shows_its_end_comes_with_it() -> None:
    decoder = Decoder()
    assert decoder.feed(b'[{"a": [1, {"]": 2}]') == []
    assert decoder.feed(b"}") == [{"a": [1, {"]": 2}]}]
    assert decoder.feed(b',"a\\') == []
    assert decoder.feed(b'"') == []
    assert decoder.feed(b'"') == ['a"']
    assert decoder.feed(b",[]") == [[]]
    assert decoder.feed(b"]") == []
    decoder.end()


def test_a_number_and_a_word_come_with_what_follows_them() -> None:
    decoder = Decoder()
    assert decoder.feed(b"[12") == []
    assert decoder.feed(b"3") == []
    assert decoder.feed(b",\ntrue") == [123]
    assert decoder.feed(b" ") == [True]
    assert decoder.feed(b",null]") == [None]


@pytest.mark.parametrize(
    ("stream", "wanted"),
    [
        (b"[]", []),
        (b" \t\r\n[ \n] \n", []),
        (b"[1]", [1]),
        (b' [ 1 , "a" , [ ] , { } ] \n', [1, "a", [], {}]),
        (b'["\\\\","\\"","]",{"}":"{"}]', ["\\", '"', "]", {"}": "{"}]),
    ],
)
def test_white_space_may_stand_around_each_token_as_in_RFC_8259_2(stream: bytes, wanted: list[object]) -> None:
    assert decode(stream) == decode(*cut(stream, range(len(stream)))) == wanted


@pytest.mark.parametrize("stream", [b"", b" ", b"[", b"[1", b"[1,", b"[1, ", b'["a', b'["a\\', b'[{"a":1', b"[[1]"])
def test_a_stream_that_was_cut_off_is_told_from_a_whole_one(stream: bytes) -> None:
    decoder = Decoder()
    decoder.feed(stream)
    for _ in range(2):
        with pytest.raises(CutOff, match=r"an array must end with \], and this stream ended before") as raised:
            decoder.end()
        assert raised.value.items == []
    with pytest.raises(CutOff):
        decoder.feed(b"]")


@pytest.mark.parametrize(
    ("stream", "rule", "items"),
    [
        (b"{}", r"must begin with \[, not b'{}': the sender has to mend it", []),
        (b"\xef\xbb\xbf[]", r"must begin with \[", []),  # a byte order mark MUST NOT be sent (8.1)
        (b"x[1]", r"must begin with \[", []),
        (b"[1]x", r"must have nothing after its \], not b'x'", [1]),
        (b"[1] []", r"must have nothing after its \]", [1]),
        (b"[1,]", r"must have an element after \[ and each comma, not b'\]'", [1]),
        (b"[,1]", r"must have an element after \[ and each comma", []),
        (b"[1,,2]", r"must have an element after \[ and each comma", [1]),
        (b"[}", r"must have an element after \[ and each comma", []),
        (b'["a" "b"]', r"must have a comma or \] after an element, not b'\"b\"\]'", ["a"]),
        (b'["a"}', r"must have a comma or \] after an element", ["a"]),
        (b"[1[2]]", r"must have a comma or \] after an element", [1]),
        (b"[[1}]", r"an element must be JSON in UTF-8, not b'\[1}'", []),
        (b"[1, {'a': 1}]", r"an element must be JSON", [1]),
        (b"[1, 01]", r"an element must be JSON in UTF-8, not b'01'", [1]),
        (b"[NaN]", r"an element must be JSON", []),
        (b'["\xff"]', r"an element must be JSON in UTF-8", []),
        (b"[" * 100_000 + b"]" * 100_000, r"an element must be JSON", []),
    ],
)
def test_what_is_no_array_ends_the_decoder(stream: bytes, rule: str, items: list[object]) -> None:
    decoder = Decoder()
    with pytest.raises(NotArray, match=rule) as raised:
        decode_with(decoder, stream)
    assert raised.value.items == items
    assert not isinstance(raised.value, CutOff)
    for again in (decoder.end, lambda: decoder.feed(b"[1]")):
        with pytest.raises(NotArray, match=rule) as raised:
            again()
        assert raised.value.items == []


def test_an_element_that_is_too_large_ends_the_decoder() -> None:
    decoder = Decoder(limit_bytes=8)
    assert decoder.feed(b'["123456",   [1, 2, 3') == ["123456"]
    with pytest.raises(TooLarge, match="an element must fit in 8 bytes") as raised:
        Decoder(8).feed(b'[1, "1234567", 2]')
    assert raised.value.items == [1]
    with pytest.raises(TooLarge):
        decoder.feed(b"]")
    with pytest.raises(TooLarge) as raised:
        decoder.end()
    assert raised.value.items == []


@pytest.mark.parametrize("piece", [b"1,", b'"', b'"a",', b"[", b"{", b"\\", b'\\"', b" ", b"1", b'{"a":"b"},'])
def test_time_is_linear_in_an_element_that_comes_in_pieces(piece: bytes) -> None:
    def pieces(size: int) -> None:
        decoder = Decoder(10_000_000)
        decoder.feed(b'[["')
        for _ in range(size):
            decoder.feed(piece)

    def whole(size: int) -> None:
        for start in (b'[["', b"[["):
            Decoder(10_000_000).feed(start + piece * size)

    assert growth(pieces, 500, 8_000) < 100  # 16 if linear, 256 if quadratic
    assert growth(whole, 500, 8_000) < 100


@pytest.mark.parametrize("element", [b"1", b'"a"', b"[]"])
def test_time_is_linear_in_the_elements_of_a_chunk(element: bytes) -> None:
    def read(size: int) -> None:
        decode(b"[" + b",".join([element] * size) + b"]")

    assert growth(read, 500, 8_000) < 100
