"""The UI message stream of the AI SDK, both ways, against what its client throws upon."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import pytest
from cost import growth
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from rawasgi.formats import sse
from rawasgi.formats.done_events import NotObject
from rawasgi.formats.endings import CutOff, Done, Failure
from rawasgi.formats.limits import TooLarge
from rawasgi.formats.ui_messages import HEADERS, PARTS, Decoder, Encoder, UIPart, encode

VALUES: dict[str, object] = {"input": {"a": [1]}, "output": None, "data": 1, "messageMetadata": {}}


class Delta(BaseModel):
    type: str
    data: dict[str, object]
    transient: bool | None = None


@dataclass
class End:
    type: str


def part(kind: str, **fields: object) -> UIPart:
    return {"type": kind, **fields}


def full(kind: str, rule_keys: Iterable[str]) -> UIPart:
    return part(kind, **{key: VALUES.get(key, key) for key in rule_keys})


START, DELTA, END = part("text-start", id="t"), part("text-delta", id="t", delta="x"), part("text-end", id="t")
STEP, STEPPED, FINISH = part("start-step"), part("finish-step"), part("finish")


def read(stream: bytes) -> list[object]:
    """The data of each event, as any client sees it."""
    texts = [event.data or "" for event in sse.Decoder().feed(stream)]
    return [text if text == "[DONE]" else json.loads(text) for text in texts]


def write(*items: UIPart | Failure | Done) -> list[object]:
    encoder = Encoder()
    return read(b"".join(map(encoder.encode, items)) + encoder.end())


def decode(*chunks: bytes, limit_bytes: int = 1024 * 1024) -> list[UIPart | Failure]:
    return decode_with(Decoder(limit_bytes), *chunks)


def decode_with(decoder: Decoder, *chunks: bytes) -> list[UIPart | Failure]:
    items = [item for chunk in chunks for item in decoder.feed(chunk)]
    decoder.end()
    return items


def cut(stream: bytes, places: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:stop] for start, stop in pairwise(edges)]


# Parts


def test_the_header_that_the_client_looks_for() -> None:
    assert HEADERS["x-vercel-ai-ui-message-stream"] == "v1"


@pytest.mark.parametrize("kind", PARTS)
def test_a_part_is_written_with_what_it_must_have_and_what_it_may(kind: str) -> None:
    item = {**full(kind, PARTS[kind].keys), "providerMetadata": {}}
    assert read(encode(item)) == [item]


@pytest.mark.parametrize(("kind", "key"), [(kind, key) for kind, rule in PARTS.items() for key in rule.keys])
def test_a_part_without_what_it_must_have_is_refused(kind: str, key: str) -> None:
    item = full(kind, PARTS[kind].keys)
    wrong = {**item, key: 1}
    if key not in VALUES:
        with pytest.raises(ValueError, match=f"ui_messages.encode: {kind} must have {key}, a str, not 1: add it"):
            encode(wrong)
    del item[key]
    with pytest.raises(ValueError, match=f"ui_messages.encode: {kind} must have {key}, .*, not None: add it"):
        encode(item)


def test_data_of_the_application_has_a_type_of_its_own() -> None:
    assert read(encode(part("data-weather", id="1", data=None))) == [part("data-weather", id="1", data=None)]
    with pytest.raises(ValueError, match="data-weather must have data, anything, not None: add it"):
        encode(part("data-weather"))


@pytest.mark.parametrize("item", [{}, {"type": None}, {"type": 1}, {"type": "text"}, {"type": "data"}])
def test_a_part_of_an_unknown_type_is_refused(item: UIPart) -> None:
    with pytest.raises(ValueError, match="a part's type must be in PARTS, or begin with data-, not "):
        encode(item)


def test_a_part_may_be_a_model_or_a_dataclass() -> None:
    encoder = Encoder()
    parts = [Delta(type="data-x", data={"day": date(2026, 1, 2)}), End("finish")]
    assert decode(b"".join(map(encoder.encode, parts)) + encoder.end()) == [
        {"type": "data-x", "data": {"day": "2026-01-02"}},
        {"type": "finish"},
    ]
    assert encode(End("finish")) == b'data: {"type":"finish"}\n\n'


def test_what_is_no_part_is_refused() -> None:
    with pytest.raises(
        TypeError, match=r"ui_messages.encode takes an object, a Failure or a Done, not 'x': make it a dict"
    ):
        encode("x")
    with pytest.raises(ValueError, match=r"ui_messages.encode takes what JSON can say, not "):
        encode(part("data-x", data=float("nan")))


def test_a_failure_is_an_error_and_the_end_mark_as_the_SDK_writes_them() -> None:
    assert encode(Failure("db", "gone")) == b'data: {"type":"error","errorText":"gone"}\n\ndata: [DONE]\n\n'


def test_done_is_finish_and_the_end_mark() -> None:
    assert encode(Done(3)) == b'data: {"type":"finish"}\n\ndata: [DONE]\n\n'


# The order


def test_a_message_in_order_is_written_as_it_is() -> None:
    message: list[UIPart] = [
        part("start", messageId="m"),
        STEP,
        part("reasoning-start", id="t"),  # another thing than a text of that id
        START,
        part("reasoning-delta", id="t", delta="hm"),
        DELTA,
        part("reasoning-end", id="t"),
        END,
        part("tool-input-start", toolCallId="c", toolName="f"),
        part("tool-input-delta", toolCallId="c", inputTextDelta="{}"),
        part("tool-input-available", toolCallId="c", toolName="f", input={}),
        STEPPED,
        STEP,
        part("tool-output-available", toolCallId="c", output=1),
        START,  # an id may come again
        DELTA,
        END,
        STEPPED,
        part("finish", finishReason="stop"),
    ]
    assert write(*message) == [*message, "[DONE]"]


def test_end_closes_what_is_open_in_its_order() -> None:
    other = part("reasoning-start", id="r")
    closed = [END, part("reasoning-end", id="r"), STEPPED, FINISH, "[DONE]"]
    call = part("tool-input-start", toolCallId="c", toolName="f")  # which no part closes
    assert (
        write(STEP, START, call, other)
        == write(STEP, START, call, other, Done(4))
        == [STEP, START, call, other, *closed]
    )
    assert write() == write(Done(0)) == [FINISH, "[DONE]"]


@pytest.mark.parametrize("last", [FINISH, part("abort"), part("error", errorText="x")])
def test_after_a_last_part_end_writes_the_mark_alone(last: UIPart) -> None:
    opened = [] if last is FINISH else [STEP, START]
    assert write(*opened, last) == [*opened, last, "[DONE]"]


def test_after_a_failure_or_a_done_end_writes_nothing() -> None:
    for last in (Failure(), Done(1)):
        encoder = Encoder()
        assert encoder.encode(START)
        assert encoder.encode(last)
        assert encoder.end() == encoder.end() == b""


def test_after_a_failure_nothing_is_closed_as_the_client_keeps_what_came() -> None:
    assert write(STEP, START, Failure("db", "gone")) == [STEP, START, part("error", errorText="gone"), "[DONE]"]


@pytest.mark.parametrize(
    ("before", "item", "match"),
    [
        ([], DELTA, "text-delta 't' must have its text open, and it is not: send its start before"),
        ([], END, "text-end 't' must have its text open"),
        ([START, END], DELTA, "text-delta 't' must have its text open"),
        ([part("text-start", id="u")], DELTA, "text-delta 't' must have its text open"),
        ([START], part("reasoning-delta", id="t", delta=""), "reasoning-delta 't' must have its reasoning open"),
        (
            [],
            part("tool-input-delta", toolCallId="c", inputTextDelta=""),
            "tool-input-delta 'c' must have its tool-input",
        ),
        ([], STEPPED, "finish-step must have its step open"),
        ([START], START, "text-start 't' opens what is open: close that before, or take another id"),
        ([STEP], STEP, "start-step opens what is open"),
        ([STEP, START], STEPPED, "finish-step must find nothing open, not text 't': close that before"),
        ([START], FINISH, "finish must find nothing open, not text 't'"),
        ([STEP], FINISH, "finish must find nothing open, not step: close that before"),
        (
            [START],
            part("start"),
            "start must be the first part, and others came before it: send it first, or not at all",
        ),
        ([FINISH], START, "nothing may follow finish, not "),
        ([part("abort")], Failure(), "nothing may follow abort, not Failure"),
        ([part("error", errorText="x")], Failure(), "nothing may follow error, not Failure"),
        ([Failure()], START, "nothing may follow a Failure, not "),
        ([Done(0)], START, "nothing may follow a Done, not "),
    ],
)
def test_what_the_client_would_throw_upon_is_refused_and_writes_nothing(
    before: list[UIPart | Failure | Done], item: UIPart | Failure | Done, match: str
) -> None:
    encoder = Encoder()
    for other in before:
        encoder.encode(other)
    with pytest.raises(ValueError, match="Encoder.encode: " + match):
        encoder.encode(item)
    whole = Encoder()
    for other in before:
        whole.encode(other)
    assert encoder.end() == whole.end()


def test_a_part_that_JSON_cannot_say_opens_nothing() -> None:
    encoder = Encoder()
    with pytest.raises(ValueError, match="takes what JSON can say"):
        encoder.encode({**START, "providerMetadata": float("nan")})
    assert read(encoder.encode(START)) == [START]


def test_nothing_follows_end() -> None:
    encoder = Encoder()
    encoder.end()
    with pytest.raises(ValueError, match=r"nothing may follow end\(\), not "):
        encoder.encode(START)
    assert encoder.end() == b""


# Decode


@given(
    st.lists(st.builds(lambda text: part("text-delta", id="t", delta=text), st.text())),
    st.sampled_from([Done(0), Failure(message="x")]),
    st.lists(st.integers(0, 1000)),
)
def test_reads_back_what_was_written_however_it_is_cut(
    parts: list[UIPart], ending: Done | Failure, places: list[int]
) -> None:
    stream = b"".join(map(encode, parts)) + encode(ending)
    wanted = [*parts, FINISH if isinstance(ending, Done) else ending]
    for pieces in ([stream], cut(stream, range(len(stream))), cut(stream, places)):
        decoder = Decoder()
        assert decode_with(decoder, *pieces) == wanted
        assert decoder.done


def test_parts_may_follow_an_error_of_others_and_a_newer_type_may_come() -> None:
    newer = part("text-shimmer", id=1)
    stream = b'data: {"type":"error"}\n\ndata: ' + json.dumps(newer).encode() + b"\n\n"
    assert decode(stream) == [Failure(message="the stream failed"), newer]


def test_nothing_is_read_after_the_end_mark() -> None:
    stream = encode(START) + b"data: [DONE]\n\ndata: no JSON\n\n" + b"x" * 2000
    assert decode(stream, limit_bytes=1000) == decode(*cut(stream, range(len(stream))), limit_bytes=1000) == [START]


@pytest.mark.parametrize("stream", [b"", encode(START), encode(FINISH), b"data: [DONE]\n", b": ping\n\n"])
def test_a_stream_that_was_cut_off_is_told_from_a_whole_one(stream: bytes) -> None:
    decoder = Decoder()
    decoder.feed(stream)
    assert not decoder.done
    for _ in range(2):
        with pytest.raises(CutOff, match=r"a stream of parts must end with \[DONE\], and this one did not") as raised:
            decoder.end()
        assert raised.value.items == []
    with pytest.raises(CutOff):
        decoder.feed(b"")


@pytest.mark.parametrize(
    "data", [b"[DONE", b"[]", b"1", b"{}", b'{"type": 1}', b'{"type": "file", "url": NaN}', b"\xff"]
)
def test_what_is_no_part_ends_the_decoder(data: bytes) -> None:
    decoder = Decoder()
    with pytest.raises(
        NotObject, match=r"a part must be a JSON object with a type, not '.*': the sender has to"
    ) as raised:
        decoder.feed(encode(START) + b"data: " + data + b"\n\n")
    assert raised.value.items == [START]
    for again in (decoder.end, lambda: decoder.feed(encode(Done(1)))):
        with pytest.raises(NotObject) as raised:
            again()
        assert raised.value.items == []


def test_a_part_that_is_too_large_ends_the_decoder() -> None:
    decoder = Decoder(limit_bytes=40)
    with pytest.raises(TooLarge, match="a part must fit in 40 bytes") as raised:
        decoder.feed(encode(STEP) + encode(DELTA) + encode(part("text-delta", id="t", delta="too large")))
    assert raised.value.items == [STEP]
    for again in (decoder.end, lambda: decoder.feed(b"")):
        with pytest.raises(TooLarge) as raised:
            again()
        assert raised.value.items == []


def test_time_is_linear_in_the_stream() -> None:
    def whole(size: int) -> None:
        encoder = Encoder()
        stream = encoder.encode(START) + b"".join([encoder.encode(DELTA) for _ in range(size)]) + encoder.end()
        decode(stream)

    def pieces(size: int) -> None:
        decoder = Decoder(10_000_000)
        for _ in range(size):
            decoder.feed(b"data: x\n")

    assert growth(whole, 50, 800) < 100  # 16 if linear, 256 if quadratic
    assert growth(pieces, 500, 8_000) < 100


@pytest.mark.parametrize("last", [{"type": "finish"}, {"type": "abort"}, {"type": "error", "errorText": "x"}])
def test_who_has_said_the_last_part_himself_is_done_too(last: UIPart) -> None:
    encoder = Encoder()
    text = encoder.encode(last)
    assert text + encoder.encode(Done(1)) == text + b"data: [DONE]\n\n"
    assert encoder.end() == b""
    with pytest.raises(ValueError, match="nothing may follow"):
        encoder.encode(Done(1))
