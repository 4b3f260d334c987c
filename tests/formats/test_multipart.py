"""Multipart bodies, both ways, against RFC 2046 and the standard library's reader of mail."""

import json
import re
from collections.abc import Iterable
from email import message_from_bytes, policy
from itertools import pairwise

import pytest
from cost import growth
from hypothesis import given
from hypothesis import strategies as st

from rawasgi.formats.endings import CutOff, Done, Failure
from rawasgi.formats.limits import TooLarge
from rawasgi.formats.multipart import Decoder, Encoder, NotMultipart, Part, boundary_of

texts = st.text("ab \t:;-", max_size=8).map(lambda text: text.strip(" \t").encode())
bodies = st.binary(max_size=60) | st.text("\r\n-b", max_size=20).map(str.encode)
parts = st.builds(Part, bodies, st.lists(st.tuples(st.sampled_from([b"x-a", b"x-b"]), texts), max_size=3).map(tuple))


def encode(*items: Part | Failure | Done, boundary: str | None = "b") -> bytes:
    encoder = Encoder(boundary)
    return b"".join(map(encoder.encode, items)) + encoder.end()


def decode(*chunks: bytes, boundary: str = "b", limit_bytes: int = 1024 * 1024) -> list[Part]:
    return decode_with(Decoder(boundary, limit_bytes), *chunks)


def decode_with(decoder: Decoder, *chunks: bytes) -> list[Part]:
    items = [part for chunk in chunks for part in decoder.feed(chunk)]
    decoder.end()
    return items


def cut(stream: bytes, places: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:stop] for start, stop in pairwise(edges)]


def sized(part: Part) -> Part:
    """As it comes back: with the Content-Length that encode adds."""
    return Part(part.body, (*part.headers, (b"content-length", str(len(part.body)).encode())))


# Encode


def test_writes_the_delimiter_right_after_each_body() -> None:
    encoder = Encoder("b")
    assert encoder.encode(Part(b"one", ((b"X-A", b"1"),))) == b"--b\r\nX-A: 1\r\ncontent-length: 3\r\n\r\none\r\n--b"
    assert encoder.encode(Part(b"")) == b"\r\ncontent-length: 0\r\n\r\n\r\n--b"
    assert encoder.end() == b"--\r\n"


def test_a_body_of_no_part_is_the_close_delimiter_alone() -> None:
    assert encode() == encode(Done(0)) == b"--b--\r\n"
    assert decode(encode()) == []


def test_a_failure_is_the_last_part_a_problem_of_RFC_9457() -> None:
    one, problem = decode(encode(Part(b"1"), Failure("db", "the database left", "7", retry=True)))
    assert one == sized(Part(b"1"))
    assert problem.headers[0] == (b"content-type", b"application/problem+json")
    assert json.loads(problem.body) == {"title": "the database left", "code": "db", "id": "7", "retry": True}
    (problem,) = decode(encode(Failure()))
    assert json.loads(problem.body) == {"title": "the stream failed", "code": "internal"}


def test_done_writes_nothing_as_the_close_delimiter_is_the_end_mark() -> None:
    assert encode(Part(b"1"), Done(1)) == encode(Part(b"1"))


@pytest.mark.parametrize(("last", "name"), [(Failure(), "a Failure"), (Done(0), "a Done")])
def test_nothing_follows_an_ending(last: Failure | Done, name: str) -> None:
    encoder = Encoder()
    encoder.encode(last)
    with pytest.raises(ValueError, match=f"encode: nothing may follow {name}, not Part"):
        encoder.encode(Part(b""))


def test_a_body_ends_once() -> None:
    encoder = Encoder()
    encoder.end()
    with pytest.raises(ValueError, match=r"nothing may follow end\(\), not Part"):
        encoder.encode(Part(b""))
    with pytest.raises(ValueError, match=r"Encoder.end: a body ends once, and this one has"):
        encoder.end()


@pytest.mark.parametrize(
    ("part", "match"),
    [
        (Part(b"", ((b"", b"1"),)), "a header name must be letters"),
        (Part(b"", ((b"x y", b"1"),)), "a header name must be letters, digits and .*, not b'x y'"),
        (Part(b"", ((b"x:", b"1"),)), "a header name must be letters"),
        (Part(b"", ((b"x\n", b"1"),)), "a header name must be letters"),
        (Part(b"", ((b"x", b"1\r\nset-cookie: a"),)), "header x must be one line without NUL, not b'1"),
        (Part(b"", ((b"x", b"1\n"),)), "header x must be one line"),
        (Part(b"", ((b"x", b"\r"),)), "header x must be one line"),
        (Part(b"", ((b"x", b"\0"),)), "header x must be one line without NUL"),
        (Part(b"1", ((b"Content-Length", b"2"),)), "must have the content-length of the body, b'1', or none, not"),
        (Part(b"1", ((b"content-length", b"1"),) * 2), "must have the content-length of the body"),
        (Part(b"a\r\n--b--"), "Part.body must not hold --b, which would end it: leave out the boundary"),
        (Part(b"--b"), "Part.body must not hold --b"),
        (Part(b"a\n--b"), "Part.body must not hold --b"),
    ],
)
def test_what_would_forge_a_header_or_a_delimiter_is_refused_and_writes_nothing(part: Part, match: str) -> None:
    encoder = Encoder("b")
    with pytest.raises(ValueError, match=match):
        encoder.encode(part)
    assert encoder.encode(Part(b"1")) + encoder.end() == encode(Part(b"1"))


def test_a_body_of_text_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Part.body must be bytes, not 'text': encode it"):
        Encoder().encode(Part("text"))  # type: ignore[arg-type]


def test_a_content_length_that_is_right_is_written_once() -> None:
    part = Part(b"1", ((b"content-length", b"1"),))
    assert decode(encode(part)) == [part]


# The boundary


def test_a_fresh_boundary_is_another_each_time() -> None:
    assert re.fullmatch("[0-9a-f]{32}", Encoder().boundary)
    assert len({Encoder().boundary for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("boundary", "written"),
    [
        ("frame", "multipart/mixed; boundary=frame"),
        ("gc0pJq0M:08jU534c0p", 'multipart/mixed; boundary="gc0pJq0M:08jU534c0p"'),  # the example in 5.1.1
        ("a b", 'multipart/mixed; boundary="a b"'),
        ("'()+_,-./:=?", 'multipart/mixed; boundary="\'()+_,-./:=?"'),
        ("x" * 70, "multipart/mixed; boundary=" + "x" * 70),
    ],
)
def test_the_media_type_holds_the_boundary_in_quotes_where_it_needs_them(boundary: str, written: str) -> None:
    encoder = Encoder(boundary)
    assert encoder.media_type() == written
    assert boundary_of(written) == boundary_of(encoder.media_type("x-mixed-replace").encode()) == boundary
    assert decode(encode(Part(b"1"), boundary=boundary), boundary=boundary) == [sized(Part(b"1"))]


@pytest.mark.parametrize("boundary", ["", " ", "a ", "x" * 71, "a\r\nb", "a\n", "ä", 'a"b', "a;b", "a@b"])
def test_what_is_no_boundary_in_RFC_2046_5_1_1_is_refused(boundary: str) -> None:
    for make in (Encoder, Decoder):
        with pytest.raises(ValueError, match=r"a boundary must be 1 to 70 letters, .*: leave it out for a fresh one"):
            make(boundary)


@pytest.mark.parametrize("subtype", ["", "a b", "mixed; x=1", "a\r\n"])
def test_a_subtype_is_one_word(subtype: str) -> None:
    with pytest.raises(ValueError, match="a subtype must be one word, as x-mixed-replace, not"):
        Encoder().media_type(subtype)


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/x-mixed-replace;boundary=frame", "frame"),
        ('Multipart/Mixed ; charset="a;boundary=b" ; BOUNDARY="a b" ; x=1;', "a b"),
        ("multipart/byteranges; boundary=3d6b6a416f9b5; ", "3d6b6a416f9b5"),  # RFC 9110, 14.6
        (b"multipart/mixed; boundary=a:b", "a:b"),  # it needs quotes, and many forget them
        (b'multipart/mixed; boundary="a\\b"', "ab"),
    ],
)
def test_the_boundary_of_a_content_type(content_type: str | bytes, boundary: str) -> None:
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain; boundary=a",
        "multipart/mixed",
        "multipart/mixed; boundary=a; boundary=b",
        'multipart/mixed; boundary="a',
        "multipart/mixed; x y; boundary=a",
        "multipart/mixed boundary=a",
    ],
)
def test_a_content_type_without_one_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(ValueError, match="a Content-Type must be multipart/…; boundary=…, with one boundary, not "):
        boundary_of(content_type)


@pytest.mark.parametrize("content_type", ["multipart/mixed; boundary=", 'multipart/mixed; boundary=" "'])
def test_a_content_type_with_a_boundary_that_is_none_is_refused(content_type: str) -> None:
    with pytest.raises(ValueError, match="a boundary must be 1 to 70 letters"):
        boundary_of(content_type)


# Decode


@given(st.lists(parts), st.lists(st.integers(0, 1000), max_size=8), texts)
def test_reads_back_what_was_written_however_it_is_cut(items: list[Part], places: list[int], epilogue: bytes) -> None:
    items = [part for part in items if b"--b" not in part.body]
    stream = b"preamble\r\n" + encode(*items) + epilogue
    for chunks in ([stream], cut(stream, range(len(stream))), cut(stream, places)):
        assert decode(*chunks) == list(map(sized, items))


@given(st.text("-b\r\n: ", max_size=30), st.lists(st.integers(0, 1000), max_size=8))
def test_reads_the_same_of_any_stream_however_it_is_cut(text: str, places: list[int]) -> None:
    def read(chunks: list[bytes]) -> tuple[list[Part], str]:
        decoder = Decoder("b", limit_bytes=8)
        items: list[Part] = []
        try:
            for chunk in chunks:
                items += decoder.feed(chunk)
            decoder.end()
        except (NotMultipart, TooLarge, CutOff) as error:
            items += [item for item in error.items if isinstance(item, Part)]
            return items, type(error).__name__
        return items, ""

    stream = b"--b\r\n" + text.encode()
    assert read([stream]) == read(cut(stream, range(len(stream)))) == read(cut(stream, places))


@given(st.lists(st.text("ab\r\n-: é").map(str.encode), min_size=1))
def test_the_standard_library_reads_what_was_written(items: list[bytes]) -> None:
    encoder = Encoder()
    kind = ((b"content-type", b"application/octet-stream"),)
    stream = b"".join(encoder.encode(Part(body, kind)) for body in items) + encoder.end()
    message = message_from_bytes(
        b"Content-Type: " + encoder.media_type().encode() + b"\r\n\r\n" + stream, policy=policy.HTTP
    )
    assert [part.get_payload(decode=True) for part in message.iter_parts()] == items
    assert [int(part["content-length"]) for part in message.iter_parts()] == [len(body) for body in items]
    assert message.defects == []


def test_a_part_comes_with_the_boundary_after_it() -> None:
    decoder = Decoder("b")
    assert decoder.feed(b"--b\r\nx: 1\r\n\r\none\r\n--") == []
    assert decoder.feed(b"b") == [Part(b"one", ((b"x", b"1"),))]
    assert decoder.feed(b"\r\n\r\ntwo\r\n--b--") == [Part(b"two")]
    decoder.end()


@pytest.mark.parametrize(
    ("stream", "wanted"),
    [
        (b"to be ignored\r\n--b\r\n\r\n1\r\n--b--\r\nso is this\r\n--b\r\n\r\n2\r\n--b--", [Part(b"1")]),
        (b"x--b\r\n--b\r\n\r\n1\r\n--b--", [Part(b"1")]),  # a delimiter begins a line
        (b"--b \t \r\n\r\n1\r\n--b\t\r\n\r\n2\r\n--b-- \t", [Part(b"1"), Part(b"2")]),  # transport-padding
        (b"--b\r\nX-A:: 1 \r\n\r\n1\r\n--b--", [Part(b"1", ((b"x-a", b": 1"),))]),
        (b"--b\r\nX-A: 1\r\n\r\n--b--", [Part(b"", ((b"x-a", b"1"),))]),  # headers and no body
        (b"--b\r\nX-A: 1\r\n--b--", [Part(b"", ((b"x-a", b"1"),))]),
        (b"--b\r\n\r\n--b--", [Part(b"")]),  # neither headers nor a body
        (b"--b\r\n\r\n\r\n--b--", [Part(b"")]),
        (b"--b\r\nx: 1\r\n 2\r\n\t3\r\n\r\n1\r\n--b--", [Part(b"1", ((b"x", b"1 2\t3"),))]),  # folded
        (b"--b\r\n\r\n\r\n-\r\n--\r\n--c\n--b\r\r\n--b--", [Part(b"\r\n-\r\n--\r\n--c\n--b\r")]),
    ],
)
def test_reads_what_others_write_as_in_RFC_2046_5_1_1(stream: bytes, wanted: list[Part]) -> None:
    assert decode(stream) == decode(*cut(stream, range(len(stream)))) == wanted


@pytest.mark.parametrize("stream", [b"", b"--b", b"--b-", b"--b\r\n", b"--b\r\n\r\n1", b"--b\r\n\r\n1\r\n--b"])
def test_a_stream_that_was_cut_off_is_told_from_a_whole_one(stream: bytes) -> None:
    decoder = Decoder("b")
    decoder.feed(stream)
    for _ in range(2):
        with pytest.raises(CutOff, match="must end with its close-delimiter, and this stream ended before") as raised:
            decoder.end()
        assert raised.value.items == []
    with pytest.raises(CutOff):
        decoder.feed(b"--b--")


@pytest.mark.parametrize(
    ("stream", "rule"),
    [
        (b"x", "after a boundary there must be -- or the end of the line, not b'x'"),
        (b"-x", "after a boundary there must be -- or the end of the line, not b'-x'"),
        (b" x", "after a boundary there must be"),
        (b"\rx", "after a boundary there must be"),
        (b"\n", "after a boundary there must be"),
        (
            b"\r\nx\r\n\r\n\r\n--b",
            "a header of a part must be a name, a colon and one line, not b'x': the sender must",
        ),
        (b"\r\nx y: 1\r\n\r\n\r\n--b", "a header of a part must be"),
        (b"\r\n: 1\r\n\r\n\r\n--b", "a header of a part must be"),
        (b"\r\nx: 1\n2\r\n\r\n\r\n--b", "a header of a part must be"),
        (b"\r\nx: \0\r\n\r\n\r\n--b", "a header of a part must be"),
        (b"\r\n x: 1\r\n\r\n\r\n--b", "a header of a part must be"),  # folded onto nothing
    ],
)
def test_what_is_no_multipart_ends_the_decoder(stream: bytes, rule: str) -> None:
    decoder = Decoder("b")
    with pytest.raises(NotMultipart, match=rule) as raised:
        decoder.feed(b"--b\r\n\r\n1\r\n--b" + stream)
    assert raised.value.items == [Part(b"1")]
    for again in (decoder.end, lambda: decoder.feed(b"--b--")):
        with pytest.raises(NotMultipart, match=rule) as raised:
            again()
        assert raised.value.items == []


def test_a_part_that_is_too_large_ends_the_decoder() -> None:
    assert decode(b"--b\r\n\r\n123456\r\n--b--", limit_bytes=8) == [Part(b"123456")]
    with pytest.raises(TooLarge, match="a part must fit in 8 bytes") as raised:
        Decoder("b", 8).feed(b"--b\r\n\r\n1\r\n--b\r\n\r\n1234567\r\n--b--")
    assert raised.value.items == [Part(b"1")]
    decoder = Decoder("b", 8)
    with pytest.raises(TooLarge):
        decoder.feed(b"--b\r\nx: 1234567890123")
    for again in (decoder.end, lambda: decoder.feed(b"--b--")):
        with pytest.raises(TooLarge) as raised:
            again()
        assert raised.value.items == []


def test_what_is_ignored_is_not_kept() -> None:
    decoder = Decoder("b", limit_bytes=8)
    for _ in range(1_000):
        decoder.feed(b"to be ignored")
    assert decoder.feed(b"\r\n--b" + b" " * 1_000) == []
    assert decoder.feed(b"\r\n\r\n1\r\n--b--" + b"ignored" * 1_000) == [Part(b"1")]
    assert len(decoder._parser._rest) == 0


@pytest.mark.parametrize("start", [b"", b"--b", b"--b\r\n", b"--b\r\n\r\n"])
@pytest.mark.parametrize("piece", [b"x", b" ", b"\r\n", b"\r\n--", b"\r\n--b\r\n\r\n", b"x: 1\r\n"])
def test_time_is_linear_in_the_stream(start: bytes, piece: bytes) -> None:
    def feed(decoder: Decoder, *chunks: bytes) -> None:
        try:
            for chunk in chunks:
                decoder.feed(chunk)
        except NotMultipart:  # at once
            pass

    def pieces(size: int) -> None:
        feed(Decoder("b", 10_000_000), start, *[piece] * size)

    def whole(size: int) -> None:
        feed(Decoder("b", 10_000_000), start + piece * size + b"\r\n--b--")

    for read in (pieces, whole):
        assert growth(read, 500, 8_000) < 100  # 16 if linear, 256 if quadratic


def test_time_is_linear_in_a_part_that_comes_byte_by_byte() -> None:
    def read(size: int) -> None:
        stream = b"--boundary\r\n\r\n" + b"\r\n--boundar" * size + b"\r\n--boundary--"
        assert len(decode(*cut(stream, range(len(stream))), boundary="boundary")) == 1

    assert growth(read, 100, 1_600) < 100
