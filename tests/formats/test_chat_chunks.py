"""Chunks of chat completions, both ways, against what OpenAI's clients do with them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import pytest
from cost import growth
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from rawasgi.formats import chat_chunks, sse
from rawasgi.formats.chat_chunks import Chunk, Decoder, collect, encode
from rawasgi.formats.done_events import NotObject
from rawasgi.formats.endings import CutOff, Done, Failure
from rawasgi.formats.limits import TooLarge


@dataclass
class Delta:
    content: str


def chunk(content: str | None = None, **more: object) -> Chunk:
    return chat_chunks.chunk("c1", "m", 7, content=content, **more)  # type: ignore[arg-type]


def decode(*chunks: bytes, limit_bytes: int = 1024 * 1024) -> list[Chunk | Failure]:
    return decode_with(Decoder(limit_bytes), *chunks)


def decode_with(decoder: Decoder, *chunks: bytes) -> list[Chunk | Failure]:
    items = [item for chunk in chunks for item in decoder.feed(chunk)]
    decoder.end()
    return items


def cut(stream: bytes, places: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:stop] for start, stop in pairwise(edges)]


# Encode


def test_a_chunk_has_what_came_and_nothing_else() -> None:
    assert chat_chunks.chunk("c1", "m", 7, role="assistant", content="") == {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 7,
        "model": "m",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}],
    }
    assert chunk(index=1, finish_reason="stop")["choices"] == [{"index": 1, "delta": {}, "finish_reason": "stop"}]
    calls = ({"index": 0, "id": "t", "function": {"name": "f", "arguments": ""}},)
    assert chunk(tool_calls=calls)["choices"] == [
        {"index": 0, "delta": {"tool_calls": list(calls)}, "finish_reason": None}
    ]


def test_usage_is_null_until_it_comes_in_a_chunk_without_a_choice() -> None:
    assert "usage" not in chunk("a")
    assert chunk("a", usage=None)["usage"] is None
    assert len(chunk("a", usage=None)["choices"]) == 1  # type: ignore[arg-type]
    last = chunk(usage={"total_tokens": 3})
    assert (last["usage"], last["choices"]) == ({"total_tokens": 3}, [])
    assert len(chunk("a", usage={"total_tokens": 1})["choices"]) == 1  # type: ignore[arg-type]
    assert len(chunk(finish_reason="stop", usage={"total_tokens": 1})["choices"]) == 1  # type: ignore[arg-type]


def test_writes_each_chunk_as_an_event() -> None:
    assert encode({"a": "你\n"}) == 'data: {"a":"你\\n"}\n\n'.encode()
    assert encode(Done(3)) == b"data: [DONE]\n\n"


def test_a_failure_is_an_error_that_no_DONE_follows() -> None:
    (event,) = sse.Decoder().feed(encode(Failure("db", "the database left", "7", retry=True)))
    assert json.loads(event.data or "") == {
        "error": {
            "message": "the database left",
            "type": "server_error",
            "code": "db",
            "param": None,
            "id": "7",
            "retry": True,
        }
    }
    (event,) = sse.Decoder().feed(encode(Failure()))
    assert sorted(json.loads(event.data or "")["error"]) == ["code", "message", "param", "type"]


def test_a_chunk_of_openais_own_client_is_passed_on_as_it_was_sent() -> None:
    sent = chunk("你", finish_reason="stop")
    received = ChatCompletionChunk.model_validate(sent)
    assert decode(encode(received), encode(Done(1))) == [sent]
    assert encode(Delta("你")) == 'data: {"content":"你"}\n\n'.encode()


def test_what_is_no_chunk_is_refused() -> None:
    with pytest.raises(TypeError, match=r"chat_chunks.encode takes an object, a Failure or a Done, not \[1\]: "):
        encode([1])
    with pytest.raises(ValueError, match=r"chat_chunks.encode takes what JSON can say, not "):
        encode({"a": float("inf")})


# Decode

items = st.lists(st.text().map(chunk) | st.dictionaries(st.sampled_from("ab"), st.integers()))


@given(items, st.sampled_from([Done(0), Failure("db", "x", "7", True), Failure()]), st.lists(st.integers(0, 1000)))
def test_reads_back_what_was_written_however_it_is_cut(
    chunks: list[Chunk], ending: Done | Failure, places: list[int]
) -> None:
    stream = b"".join(map(encode, [*chunks, ending]))
    wanted = [*chunks, ending] if isinstance(ending, Failure) else chunks
    for pieces in ([stream], cut(stream, range(len(stream))), cut(stream, places)):
        decoder = Decoder()
        assert decode_with(decoder, *pieces) == wanted
        assert decoder.done == isinstance(ending, Done)


@pytest.mark.parametrize(
    ("event", "failure"),
    [
        (b'data: {"error": {"message": "m", "type": "t", "code": null}}', Failure("t", "m")),
        (b'data: {"error": {"message": "m", "code": 400, "id": 7}}', Failure("400", "m", "7")),
        (b'data: {"error": "m"}', Failure("internal", "m")),
        (b'data: {"error": {}, "message": "m"}\nevent: error', Failure("internal", "m")),
        (b'event: error\ndata: {"code": 400, "details": "d"}', Failure("400")),
    ],
)
def test_reads_the_errors_of_others(event: bytes, failure: Failure) -> None:
    assert decode(encode({"a": 1}) + event + b"\n\n") == [{"a": 1}, failure]


def test_an_error_that_is_null_is_none() -> None:
    assert decode(encode({"error": None}) + encode(Done(1))) == [{"error": None}]


@pytest.mark.parametrize("ending", [Done(0), Failure()])
def test_nothing_is_read_after_an_ending(ending: Done | Failure) -> None:
    stream = encode({"a": 1}) + encode(ending) + b"data: no JSON\n\n" + b"x" * 2000
    assert decode(stream, limit_bytes=1000) == decode(*cut(stream, range(len(stream))), limit_bytes=1000)
    assert decode(stream)[0] == {"a": 1}


def test_comments_other_fields_and_line_ends_are_no_chunks() -> None:
    assert decode(b': ping\r\n\r\nid: 1\r\nretry: 1\r\ndata:{"a":\r\ndata:1}\r\n\r\ndata: [DONE]\r\n\r\n') == [{"a": 1}]


@pytest.mark.parametrize("stream", [b"", b'data: {"a": 1}\n\n', b"data: [DONE]", b"data: [DONE]\n", b": x\n\n"])
def test_a_stream_that_was_cut_off_is_told_from_a_whole_one(stream: bytes) -> None:
    decoder = Decoder()
    decoder.feed(stream)
    assert not decoder.done
    for _ in range(2):
        with pytest.raises(CutOff, match=r"a stream of chunks must end with \[DONE\], and this one did not") as raised:
            decoder.end()
        assert raised.value.items == []
    with pytest.raises(CutOff):
        decoder.feed(b"")


@pytest.mark.parametrize("data", [b"[DONE", b"[]", b"1", b"null", b'{"a": NaN}', b'"[DONE]"', b"\xff"])
def test_what_is_no_chunk_ends_the_decoder(data: bytes) -> None:
    decoder = Decoder()
    with pytest.raises(
        NotObject, match=r"a chunk must be a JSON object, not '.*': the sender has to mend it"
    ) as raised:
        decoder.feed(encode({"a": 1}) + b"data: " + data + b"\n\n")
    assert raised.value.items == [{"a": 1}]
    for again in (decoder.end, lambda: decoder.feed(encode(Done(1)))):
        with pytest.raises(NotObject) as raised:
            again()
        assert raised.value.items == []


def test_a_chunk_that_is_too_large_ends_the_decoder() -> None:
    decoder = Decoder(limit_bytes=16)
    with pytest.raises(TooLarge, match="a chunk must fit in 16 bytes") as raised:
        decoder.feed(b'data: {"a": 1}\n\ndata: {"a": 123456}\n\n')
    assert raised.value.items == [{"a": 1}]
    for again in (decoder.end, lambda: decoder.feed(b"")):
        with pytest.raises(TooLarge) as raised:
            again()
        assert raised.value.items == []


# Collect


def test_collects_what_would_have_come_without_streaming() -> None:
    chunks = [
        chunk("", role="assistant", usage=None),
        chunk("Hel", usage=None),
        chunk("a", index=1, role="assistant"),
        chunk("lo", usage=None),
        chunk(finish_reason="length", index=1),
        chunk(finish_reason="stop", usage=None),
        chunk(usage={"total_tokens": 5}),
    ]
    assert collect(chunks) == {
        "id": "c1",
        "object": "chat.completion",
        "created": 7,
        "model": "m",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"},
            {"index": 1, "message": {"role": "assistant", "content": "a"}, "finish_reason": "length"},
        ],
        "usage": {"total_tokens": 5},
    }


def test_collects_tool_calls_by_their_index() -> None:
    def call(index: int, arguments: str, **more: object) -> Chunk:
        return chunk(tool_calls=[{"index": index, **more, "function": {"arguments": arguments}}])

    named = {"index": 0, "id": "t0", "type": "function", "function": {"name": "f", "arguments": ""}}
    chunks = [
        chunk(tool_calls=[named], role="assistant"),
        call(1, '{"b"', id="t1", type="function"),
        call(0, '{"a":'),
        call(1, ": 2}"),
        call(0, " 1}", id="t0"),  # some servers repeat it
        chunk(finish_reason="tool_calls"),
    ]
    assert collect(chunks)["choices"] == [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "t0", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
                    {"id": "t1", "type": "function", "function": {"arguments": '{"b": 2}'}},
                ],
            },
            "finish_reason": "tool_calls",
        }
    ]


def test_collects_what_other_servers_add() -> None:
    def piece(**choice: object) -> Chunk:
        return {"id": "c1", "choices": [{"index": 0, **choice}]}

    chunks: list[Chunk] = [
        {"id": "", "model": "", "choices": [], "prompt_filter_results": [{"x": 1}]},
        piece(delta={"reasoning_content": "wh", "n": 1}, logprobs={"content": [{"token": "a"}], "refusal": None}),
        piece(delta={"reasoning_content": "y", "n": 2}, logprobs={"content": [{"token": "b"}], "refusal": None}),
        piece(delta={"refusal": None, "tool_calls": ["no object"]}),
        piece(delta=None, finish_reason="stop"),
        {"choices": None},
    ]
    whole = collect(chunks)
    assert (whole["id"], whole["prompt_filter_results"]) == ("c1", [{"x": 1}])
    assert whole["choices"] == [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": None,
                "reasoning_content": "why",
                "n": 2,
                "refusal": None,
                "tool_calls": ["no object"],
            },
            "logprobs": {"content": [{"token": "a"}, {"token": "b"}], "refusal": None},
            "finish_reason": "stop",
        }
    ]
    assert collect([{"id": "c1", "choices": [{"finish_reason": "stop"}]}])["choices"] == [
        {"finish_reason": "stop", "message": {"role": "assistant", "content": None}}
    ]


@given(st.lists(st.tuples(st.integers(0, 2), st.text())))
def test_collects_the_text_of_each_choice_whatever_the_order(pieces: list[tuple[int, str]]) -> None:
    chunks = [chunk(text, index=index) for index, text in pieces] + [chunk(usage={"total_tokens": 1})]
    read = decode(b"".join(map(encode, chunks)) + encode(Done(0)))
    choices = collect(read)["choices"]
    assert [(choice["index"], choice["message"]["content"]) for choice in choices] == [  # type: ignore[attr-defined]
        (index, "".join(text for other, text in pieces if other == index)) for index in sorted(dict(pieces))
    ]


def test_a_completion_that_failed_or_never_came_is_none() -> None:
    with pytest.raises(ValueError, match=r"takes a whole completion, and this one failed \(db: gone\): ask again"):
        collect([chunk("a"), Failure("db", "gone")])
    with pytest.raises(ValueError, match="takes the chunks of one completion, and there is none"):
        collect([])


def test_time_is_linear_in_the_stream() -> None:
    def read(size: int) -> None:
        collect(decode(b"".join([encode(chunk("word")) * size, encode(Done(0))])))

    def pieces(size: int) -> None:
        decoder = Decoder(10_000_000)
        for _ in range(size):
            decoder.feed(b"data: x\n")

    assert growth(read, 50, 800) < 100  # 16 if linear, 256 if quadratic
    assert growth(pieces, 500, 8_000) < 100
