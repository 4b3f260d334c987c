"""Server-sent events, both ways, against the words of the standard."""

import random
import re
from collections.abc import Iterable
from itertools import pairwise

import pytest
from cost import growth
from hypothesis import given
from hypothesis import strategies as st

from rawasgi.formats.limits import TooLarge
from rawasgi.formats.sse import Decoder, Event, comment, data, encode, event_of

# What str.splitlines() takes for a line end and the standard does not.
NO_LINE_ENDS = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"


def decode(*chunks: bytes, limit_bytes: int = 1024 * 1024) -> list[Event]:
    decoder = Decoder(limit_bytes)
    return [event for chunk in chunks for event in decoder.feed(chunk)]


def one_by_one(stream: bytes) -> list[bytes]:
    return [stream[index : index + 1] for index in range(len(stream))]


def cut(stream: bytes, places: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:stop] for start, stop in pairwise(edges)]


# Encode


@pytest.mark.parametrize(
    ("event", "written"),
    [
        (Event("hello"), b"data: hello\n\n"),
        (Event(""), b"data: \n\n"),
        (Event(" two spaces"), b"data:  two spaces\n\n"),
        (Event("你好"), "data: 你好\n\n".encode()),
        (Event("a\nb\rc\r\nd\n"), b"data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"),
        (Event("a\n\rb"), b"data: a\ndata: \ndata: b\n\n"),
        (Event("{}", event="done"), b"event: done\ndata: {}\n\n"),
        (Event("{}", "done", "7", 1500, "why"), b": why\nevent: done\ndata: {}\nid: 7\nretry: 1500\n\n"),
        (Event("x", id=""), b"data: x\nid: \n\n"),
        (Event("x", event=""), b"event: \ndata: x\n\n"),
        (Event(retry=0), b"retry: 0\n\n"),
        (Event(comment="a\rb"), b": a\n: b\n\n"),
        (Event(event="never fires"), b"event: never fires\n\n"),
        (Event(), b"\n"),
        (Event("\0"), b"data: \0\n\n"),
    ],
)
def test_writes_each_field_on_a_line_of_its_own(event: Event, written: bytes) -> None:
    assert encode(event) == written


def test_a_comment_alone_fires_nothing() -> None:
    assert comment() == b": \n\n"
    assert comment("a\nb") == b": a\n: b\n\n"
    assert decode(comment("ping"), comment("a\rdata: b\r\r")) == []


@given(st.text(st.sampled_from("a \r\n:\0é你" + NO_LINE_ENDS)))
def test_data_writes_what_encode_writes(text: str) -> None:
    assert data(text) == encode(Event(text))


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"], ids=["LF", "CR", "CRLF"])
@pytest.mark.parametrize(
    "field",
    [
        pytest.param("event", id="CVE-2026-29085-event"),
        pytest.param("id", id="CVE-2026-29085-id"),
        pytest.param("event", id="CVE-2026-35515-type"),
        pytest.param("id", id="CVE-2026-35515-id"),
        pytest.param("event", id="CVE-2026-22735-event"),
        pytest.param("id", id="CVE-2026-22735-id"),
        pytest.param("event", id="CVE-2026-44214-event"),
        pytest.param("id", id="CVE-2026-44217-id"),
    ],
)
def test_a_line_end_in_event_or_id_is_refused(field: str, end: str) -> None:
    for payload in (f"x{end}data: forged{end}{end}", end, f"x{end}", f"{end}x"):
        with pytest.raises(ValueError, match=f"Event.{field} must be one line without NUL"):
            encode(Event("x", **{field: payload}))  # type: ignore[arg-type]  # a str, for event or id


@pytest.mark.parametrize("field", ["event", "id"])
def test_NUL_in_event_or_id_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match=rf"Event.{field} must be one line without NUL, not 'a\\x00b': put free text"):
        encode(Event("x", **{field: "a\0b"}))  # type: ignore[arg-type]  # a str, for event or id


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param("x\r\rdata: forged\r\r", id="CVE-2026-33128-lone-CR"),
        pytest.param("x\n\ndata: forged\n\n", id="CVE-2026-33128-LF"),
        pytest.param("x\r\n\r\ndata: forged\r\n\r\n", id="CVE-2026-33128-CRLF"),
        pytest.param("\revent: forged\r", id="GHSA-4hxc-9384-m385-CR-first"),
        pytest.param("x\n\r\n\rid: forged", id="LF-CR"),
        pytest.param("\ufeffdata: forged", id="byte-order-mark"),
        *(pytest.param(f"x{char}data: forged{char}{char}", id=f"splitlines-{ord(char):x}") for char in NO_LINE_ENDS),
    ],
)
def test_a_text_forges_nothing(payload: str) -> None:
    text = re.sub("\r\n|\r", "\n", payload)
    assert decode(data(payload)) == [Event(text)]
    assert decode(encode(Event(payload, "e", "1", comment=payload))) == [Event(text, "e", "1")]
    assert decode(encode(Event(comment=payload)), comment(payload)) == []


@pytest.mark.parametrize("char", NO_LINE_ENDS)
def test_what_is_no_line_end_stays_inside_a_line(char: str) -> None:
    assert encode(Event(f"a{char}b", f"c{char}d", f"e{char}f", comment=f"g{char}h")) == (
        f": g{char}h\nevent: c{char}d\ndata: a{char}b\nid: e{char}f\n\n".encode()
    )


@pytest.mark.parametrize(
    "retry",
    [
        pytest.param("5\ndata: pwned", id="CVE-2026-44214-retry"),
        pytest.param("5", id="CVE-2026-44217-retry"),
        -1,
        1.5,
        float("nan"),
        True,
        False,
        b"5",
        [],
    ],
)
def test_a_retry_that_is_no_int_of_0_or_more_is_refused(retry: object) -> None:
    with pytest.raises(ValueError, match=r"Event.retry must be an int of 0 or more, not .*: milliseconds, as int\("):
        encode(Event("x", retry=retry))  # type: ignore[arg-type]  # that is the question


@pytest.mark.parametrize("field", ["data", "event", "id", "comment"])
@pytest.mark.parametrize("value", [5, b"x", {"a": 1}, ["x"]])
def test_a_text_that_is_not_str_is_refused(field: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"Event.{field} must be str, not "):
        encode(Event(**{field: value}))  # type: ignore[arg-type]  # that is the question


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        encode(Event("\ud800"))


def test_an_event_is_checked_however_it_came_to_be() -> None:
    event = Event("x")
    object.__setattr__(event, "id", "1\ndata: forged")
    with pytest.raises(ValueError, match=r"Event\.id"):
        encode(event)


def test_what_a_str_says_of_itself_is_not_written() -> None:
    class Liar(str):
        def __format__(self, spec: str) -> str:
            return "x\n\ndata: forged"

        __str__ = __repr__ = lambda self: self.__format__("")

    assert encode(Event(Liar("a"), Liar("b"), Liar("c"), comment=Liar("d"))) == b": d\nevent: b\ndata: a\nid: c\n\n"
    assert data(Liar("a")) == b"data: a\n\n"


def test_writes_the_bytes_of_fastapi() -> None:
    fastapi_sse = pytest.importorskip("fastapi.sse")
    for event in (Event("a\r\nb", "c", "d", 5, "e\nf"), Event(""), Event(retry=1), Event(comment=""), Event()):
        assert encode(event) == fastapi_sse.format_sse_event(
            data_str=event.data, event=event.event, id=event.id, retry=event.retry, comment=event.comment
        )


# Decode


def by_the_standard(stream: bytes) -> tuple[list[Event], str, int | None]:
    """Interpret a whole *stream* in the words of 9.2.6, on text and without a thought of speed."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    data_buffer = event_type = id_buffer = last_event_id = ""
    retry: int | None = None
    events: list[Event] = []
    for line in re.split("\r\n|\r|\n", text)[:-1]:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            last_event_id = id_buffer
            if data_buffer != "":
                events.append(Event(data_buffer.removesuffix("\n"), event_type or None, last_event_id or None))
            data_buffer = event_type = ""
        elif field == "event":
            event_type = value
        elif field == "data":
            data_buffer += value + "\n"
        elif field == "id" and "\0" not in value:
            id_buffer = value
        elif field == "retry" and re.fullmatch("[0-9]{1,18}", value):
            retry = int(value)
    return events, last_event_id, retry


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        ("data:1\n\n", [Event("1")]),
        ("data\n\n", [Event("")]),
        ("data\ndata\n\ndata:test\n\n", [Event("\n"), Event("test")]),
        ("data:\n\n", [Event("")]),
        ("data:\ndata:\n\n", [Event("\n")]),
        ("\ufeffdata:1\n\n\ufeffdata:2\n\ndata:3\n\n", [Event("1"), Event("3")]),
        ("\ufeff\ufeffdata:1\n\ndata:2\n\ndata:3\n\n", [Event("2"), Event("3")]),
        ("data:1\r:\0\n:\r\ndata:2\n:x\rdata:3\r:data:fail\r:x\ndata:4\n\n", [Event("1\n2\n3\n4")]),
        ("retry:1000\ndata:test1\n\nid:test\ndata:test2", [Event("test1")]),
        ("event:test\ndata:x\n\ndata:x\n\n", [Event("x", "test"), Event("x")]),
        ("event: \ndata:data\n\n", [Event("data")]),
        ("event:a\n\ndata:x\n\n", [Event("x")]),
        ("id: 1\ndata: x\n\ndata: y\n\n", [Event("x", id="1"), Event("y", id="1")]),
        ("id: 1\ndata: x\n\nid\ndata: y\n\n", [Event("x", id="1"), Event("y")]),
        ("id: 1\nid: 2\0\ndata: x\n\n", [Event("x", id="1")]),
        ("id: 1\n\ndata: x\n\n", [Event("x", id="1")]),
        ("data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\n\n", [Event("\0\n 2\n1")]),
        ("data:3\rdata:\r\n data:32\ndata:4\n\n", [Event("3\n\n4")]),
        ("data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\n\n", [Event("test\n")]),
        ("data:\ttest\rdata: \ndata:test\n\n", [Event("\ttest\n\ntest")]),
        ("data:test\r\ndata\ndata:test\r\n\r\n", [Event("test\n\ntest")]),
        ("data:\0\n\n\n\n", [Event("\0")]),
        ("data:ok…\n\n", [Event("ok…")]),
        ("data: a\r\rdata: b\r\r", [Event("a"), Event("b")]),
        ("data: a:b: c\n\n", [Event("a:b: c")]),
        ("data: a\n", []),
        ("data: a", []),
        ("\n\n\r\r\n", []),
        ("", []),
    ],
)  # fmt: skip
def test_reads_as_the_standard_has_it(stream: str, events: list[Event]) -> None:
    raw = stream.encode()
    assert by_the_standard(raw)[0] == events
    assert decode(raw) == events
    assert decode(*one_by_one(raw)) == events
    assert decode(*cut(raw, random.Random(0).choices(range(100), k=4))) == events


@pytest.mark.parametrize("char", NO_LINE_ENDS)
def test_reads_on_over_what_is_no_line_end(char: str) -> None:
    assert decode(f"data: a{char}data: b\n\n".encode()) == [Event(f"a{char}data: b")]


@pytest.mark.parametrize(
    ("broken", "read"),
    [
        (b"\xe4\xbd", "\ufffd"),
        (b"\xe4\xbdx", "\ufffdx"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        (b"\xc0\xaf", "\ufffd\ufffd"),
        (b"\xf0\x9f\x98\xf0\x9f\x98\x80", "\ufffd😀"),
    ],
)
def test_broken_utf8_is_replaced_as_the_standard_has_it(broken: bytes, read: str) -> None:
    stream = b"event: " + broken + b"\nid: " + broken + b"\ndata: " + broken + b"\ndata: y\n\n"
    assert decode(stream) == decode(*one_by_one(stream)) == [Event(read + "\ny", read, read)]


SCRAPS = [
    b"data", b"data:", b"data: ", b"event:", b"event: e", b"id:", b"id: 7", b"retry:", b"retry: 25", b":", b": c", b" ",
    b"\r", b"\n", b"\r\n", b"\n\n", b"\0", b"x", b"\xef\xbb\xbf", b"\xef", b"\xbb", b"\xe4\xbd\xa0", b"\xe4", b"\xa0",
    b"\xed", b"\xf0\x9f", b"\xff", b"\x85", b"\x0b", "\u2028".encode(), b"Data:", b"5",
]  # fmt: skip
streams = st.lists(st.sampled_from(SCRAPS) | st.binary(max_size=3), max_size=40).map(b"".join)


@given(streams, st.lists(st.integers(0, 200), max_size=8))
def test_reads_any_stream_as_the_standard_has_it_however_it_is_cut(stream: bytes, places: list[int]) -> None:
    expected = by_the_standard(stream)
    for chunks in ([stream], one_by_one(stream), cut(stream, places)):
        decoder = Decoder()
        events = [event for chunk in chunks for event in decoder.feed(chunk)]
        assert (events, decoder.last_event_id, decoder.retry) == expected


texts = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\r\n: " + NO_LINE_ENDS))
lines = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"))


@given(
    st.lists(st.builds(Event, texts, lines | st.none(), lines, st.integers(0, 10**17) | st.none(), texts | st.none())),
    st.lists(st.integers(0, 1000), max_size=8),
)
def test_reads_back_what_was_written(events: list[Event], places: list[int]) -> None:
    stream = b"".join(map(encode, events))
    decoder = Decoder()
    read = [event for chunk in cut(stream, places) for event in decoder.feed(chunk)]
    assert read == [
        Event(re.sub("\r\n|\r", "\n", event.data or ""), event.event or None, event.id or None) for event in events
    ]
    assert decoder.retry == next((event.retry for event in reversed(events) if event.retry is not None), None)
    assert decoder.last_event_id == (events[-1].id if events else "")


def test_a_byte_order_mark_may_come_in_pieces() -> None:
    stream = b"\xef\xbb\xbfdata: x\n\n"
    assert decode(b"", *one_by_one(stream), b"") == [Event("x")]
    assert decode(b"\xef", b"data: x\n\ndata: y\n\n") == [Event("y")]


def test_an_event_comes_out_at_a_CR_and_its_LF_makes_no_line() -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: a\r\n\r") == [Event("a")]
    assert decoder.feed(b"") == []
    assert decoder.feed(b"\ndata: b\r") == []
    assert decoder.feed(b"\n") == []
    assert decoder.feed(b"\n") == [Event("b")]


def test_the_last_event_id_moves_at_the_blank_line_only() -> None:
    decoder = Decoder()
    assert decoder.last_event_id == ""
    decoder.feed(b"id: 1\ndata: x\n")
    assert decoder.last_event_id == ""
    decoder.feed(b"\n")
    assert decoder.last_event_id == "1"
    decoder.feed(b"id: 2\n\n")  # no data, so nothing fires, and the id moves all the same
    assert decoder.last_event_id == "2"
    decoder.feed(b"id: 3\0\nid\n\n")
    assert decoder.last_event_id == ""


def test_retry_holds_digits_only_and_needs_no_blank_line() -> None:
    decoder = Decoder()
    assert decoder.retry is None
    decoder.feed(b"retry: 3000\n")
    assert decoder.retry == 3000
    for value in (b"", b" 5", b"5 ", b"-5", b"+5", b"5.0", b"1_0", b"1e3", b"x", "\u0665".encode(), "²".encode()):
        decoder.feed(b"retry: " + value + b"\n")
        assert decoder.retry == 3000, value
    decoder.feed(b"retry:" + b"9" * 5000 + b"\n")  # more than int() reads
    assert decoder.retry == 3000
    decoder.feed(b"retry:007\n")
    assert decoder.retry == 7


@pytest.mark.parametrize("field", [b"data: ", b": ", b"id: ", b"event: ", b"unknown"])
def test_a_line_over_the_limit_is_refused(field: bytes) -> None:
    fits, over = field.ljust(64, b"x") + b"\n", field.ljust(65, b"x") + b"\n"
    assert Decoder(64).feed(fits) == []
    for chunks in ([over], one_by_one(over), [over[:-1]]):
        with pytest.raises(TooLarge, match="an event must fit in 64 bytes, this one does not: close the stream"):
            decode(*chunks, limit_bytes=64)


def test_the_lines_of_one_event_count_together() -> None:
    decoder = Decoder(64)
    events = [event for _ in range(100) for event in decoder.feed(b": c\ndata: 0123456789\ndata: 0123456789\n\n")]
    assert events == [Event("0123456789\n0123456789")] * 100
    for stream in (b"data: 0123456789\n" * 6, b"data\n" * 65):
        for chunks in ([stream], one_by_one(stream)):
            with pytest.raises(TooLarge):
                decode(*chunks, limit_bytes=64)


def test_what_was_complete_before_the_limit_is_not_lost_and_nothing_comes_after() -> None:
    for ending in (b"", b"\n", b"\n\n", b"\n\ndata: forged\n\n"):
        decoder = Decoder(16)
        with pytest.raises(TooLarge) as caught:
            decoder.feed(b"data: a\n\ndata: " + b"x" * 16 + ending)
        assert caught.value.items == [Event("a")]
        assert caught.value.limit_bytes == 16
        with pytest.raises(TooLarge) as caught:
            decoder.feed(b"\n\ndata: forged\n\n")
        assert caught.value.items == []


# Cost


def test_time_is_linear_in_a_line_that_comes_in_16_byte_pieces() -> None:
    def feed(count: int) -> None:
        pieces = [b"data: ", *[b"x" * 16] * count, b"\n\n"]
        assert len(decode(*pieces)[0].data or "") == 16 * count

    assert growth(feed, 4_000, 64_000) < 100


@pytest.mark.parametrize("unit", [b"\r", b"\n", b"data\n", b"data:x\r", b":\n", b"id\n", b"data: x\n\n", b"retry:1\n"])
def test_time_is_linear_in_the_stream(unit: bytes) -> None:
    def feed(count: int) -> None:
        stream = unit * count
        Decoder(len(stream)).feed(stream)

    assert growth(feed, 4_000, 64_000) < 100


def test_a_text_is_an_event_of_that_text() -> None:
    assert event_of("text") == Event("text")
