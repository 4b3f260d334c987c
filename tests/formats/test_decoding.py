"""What the decoders share: an error ends a decoder, and each further call raises one like it."""

from collections.abc import Callable
from traceback import extract_tb
from typing import Any

import pytest

from rawasgi.formats import chat_chunks, csv, json_array, json_seq, multipart, ndjson, sse, ui_messages

BROKEN: list[tuple[Callable[[], Any], bytes]] = [
    (ndjson.Decoder, b"{\n"),
    (lambda: json_seq.Decoder(limit_bytes=1), b"\x1e[1]"),
    (csv.Decoder, b'"a"b\n'),
    (json_array.Decoder, b"{"),
    (lambda: multipart.Decoder("b"), b"--b!"),
    (chat_chunks.Decoder, b"data: 1\n\n"),
    (ui_messages.Decoder, b"data: 1\n\n"),
    (lambda: sse.Decoder(limit_bytes=1), b"data: 12\n\n"),
]
CUT_OFF: list[Callable[[], Any]] = [json_array.Decoder, lambda: multipart.Decoder("b"), chat_chunks.Decoder]


def errors_of(call: Callable[[], object]) -> list[ValueError]:
    errors = []
    for _ in range(5):
        with pytest.raises(ValueError) as raised:
            call()
        errors.append(raised.value)
    return errors


@pytest.mark.parametrize(("make", "chunk"), BROKEN)
def test_each_call_raises_an_error_of_its_own_with_no_longer_a_traceback(make: Callable[[], Any], chunk: bytes) -> None:
    decoder = make()
    first, second, *others = errors_of(lambda: decoder.feed(chunk))
    assert len({id(error) for error in (first, second, *others)}) == 5
    assert {(type(error), str(error)) for error in (second, *others)} == {(type(first), str(first))}
    assert {len(extract_tb(error.__traceback__)) for error in others} == {len(extract_tb(second.__traceback__))}


@pytest.mark.parametrize("make", CUT_OFF)
def test_so_does_each_end_of_a_stream_that_was_cut_off(make: Callable[[], Any]) -> None:
    decoder = make()
    first, second, *others = errors_of(decoder.end)
    assert len({id(error) for error in (first, second, *others)}) == 5
    assert {len(extract_tb(error.__traceback__)) for error in others} == {len(extract_tb(second.__traceback__))}
