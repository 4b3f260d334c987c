"""Each format and each coding over the wire, as curl and httpx read it."""

import csv
import gzip
import json
import zlib
from collections.abc import Callable
from importlib import import_module
from random import randbytes
from typing import Any, TypeVar

import httpx
import pytest
from known import on_all
from serving import TRIES, Server

from rawasgi import codings
from rawasgi.formats import chat_chunks, json_array, json_seq, multipart, ndjson, sse, ui_messages

T = TypeVar("T")
READINGS = [{"id": number, "celsius": 20 + number / 2, "room": "厨房"} for number in range(5)]
DONE = {"done": {"items": 5}}
CODINGS = ["zstd", "br", "gzip", "deflate"]
CHAT = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]}


@on_all()
def test_curl_reads_each_format(server: Server) -> None:
    def fetched(path: str, *options: str) -> bytes:
        return server.curl(f"/rows/formats/{path}", "--no-buffer", *options)

    assert json.loads(fetched("array")) == READINGS
    failed = json.loads(fetched("array?fail=true"))
    assert (failed[:3], list(failed[3])) == (READINGS[:3], ["error"])
    assert json_seq.Decoder().feed(fetched("json-seq")) == [*READINGS, DONE]
    rows = list(csv.reader(fetched("csv").decode().splitlines()))
    assert (rows[0], rows[-1]) == (["0", "20.0", "厨房"], ["#done", "5"])
    assert ndjson.Decoder().feed(fetched("negotiated", "-H", "accept: application/x-ndjson")) == [*READINGS, DONE]
    assert json.loads(fetched("negotiated", "-H", "accept: application/json")) == READINGS
    *_, last = sse.Decoder().feed(fetched("negotiated"))
    assert last.event == "done"
    assert b"406" in fetched("negotiated", "-H", "accept: text/html", "-w", "%{http_code}")
    parts = [part for part in ui_messages.Decoder().feed(fetched("ui?text=ok")) if isinstance(part, dict)]
    assert [part["type"] for part in parts][-2:] == ["finish-step", "finish"]
    chunks = chat_chunks.Decoder()
    chunks.feed(server.curl("/rows/v1/chat/completions", "--json", json.dumps(CHAT)))
    assert chunks.done


def piece_by_piece(read: Callable[[], list[T]], at_least: int) -> list[T]:
    """What is read, in so many pieces: those that come while the machine is held up, come as one."""
    for _ in range(TRIES):
        if len(pieces := read()) >= at_least:
            return pieces
    pytest.fail(f"{len(pieces)} pieces, not {at_least}: {pieces}")


def items(server: Server, path: str, decoder: Any, **headers: str) -> list[list[Any]]:
    """What httpx has read of *path*, piece by piece."""
    with server.httpx() as client, client.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200
        return [found for piece in answer.iter_raw() if (found := decoder.feed(piece))]


FORMATS: list[tuple[str, str, Callable[[], Any]]] = [
    ("/rows/formats/array", "", json_array.Decoder),
    ("/rows/formats/json-seq", "", json_seq.Decoder),
    ("/rows/formats/negotiated", "application/x-ndjson", ndjson.Decoder),
    ("/rows/formats/negotiated", "text/event-stream", sse.Decoder),
    ("/rows/formats/ui", "", ui_messages.Decoder),
]


@pytest.mark.parametrize(("path", "accept", "decoder"), FORMATS)
@on_all()
def test_httpx_reads_each_item_when_it_comes(
    server: Server, path: str, accept: str, decoder: Callable[[], Any]
) -> None:
    piece_by_piece(lambda: items(server, path, decoder(), accept=accept or "*/*"), 3)


@on_all()
def test_httpx_reads_each_picture_when_it_comes(server: Server) -> None:
    def read() -> list[list[multipart.Part]]:
        with server.httpx() as client, client.stream("GET", "/rows/formats/frames?count=4") as answer:
            decoder = multipart.Decoder(multipart.boundary_of(answer.headers["content-type"]))
            pieces = [found for piece in answer.iter_raw() if (found := decoder.feed(piece))]
        decoder.end()
        return pieces

    pieces = piece_by_piece(read, 2)
    assert sum(map(len, pieces)) == 4
    assert all(part.body.startswith(b"\x89PNG") for found in pieces for part in found)


# Codings


@pytest.mark.parametrize("coding", CODINGS)
@on_all()
def test_curl_unpacks_each_coding(server: Server, coding: str) -> None:
    answer = server.curl(f"/coded/{coding}", "--compressed", "--include")
    assert f"content-encoding: {coding}".encode() in answer.lower()
    assert sse.Decoder().feed(answer.partition(b"\r\n\r\n")[2])[-1].data == '{"tick": 4}'


@pytest.mark.parametrize("coding", CODINGS)
@on_all()
def test_each_event_can_be_unpacked_when_it_comes(server: Server, coding: str) -> None:
    def read() -> list[list[sse.Event]]:
        decode = unpacker(coding)
        with server.httpx() as client, client.stream("GET", f"/coded/{coding}") as answer:
            assert answer.headers["content-encoding"] == coding
            assert "content-length" not in answer.headers
            decoder = sse.Decoder()
            return [found for piece in answer.iter_raw() if (found := decoder.feed(decode(piece)))]

    pieces = piece_by_piece(read, 3)
    assert [event.data for found in pieces for event in found] == [f'{{"tick": {number}}}' for number in range(5)]


def unpacker(coding: str) -> Callable[[bytes], Any]:
    if coding == "br":
        return import_module("brotli").Decompressor().process  # type: ignore[no-any-return]
    if coding == "zstd":
        return codings.zstd().ZstdDecompressor().decompress  # type: ignore[no-any-return]
    return zlib.decompressobj(31 if coding == "gzip" else 15).decompress


@on_all()
def test_httpx_unpacks_by_itself(server: Server) -> None:
    with server.httpx() as client:
        answer = client.get("/rows/formats/compressed", headers={"accept-encoding": "gzip, deflate, br"})
    assert answer.headers["content-encoding"] in ("gzip", "br")
    assert ndjson.Decoder().feed(answer.content) == [*READINGS, DONE]


@on_all()
def test_a_compressed_body_is_read_as_it_comes(server: Server) -> None:
    with server.httpx() as client:
        assert posted(client, gzip.compress(bytes(1_000_000))).json() == {"bytes": 1_000_000}
        assert posted(client, gzip.compress(randbytes(300_000))).json() == {"bytes": 300_000}  # many pieces


@on_all("early answer")
def test_what_is_wrong_is_answered_before_all_of_it_came(server: Server) -> None:
    with server.httpx() as client:
        assert posted(client, b"no gzip").status_code == 400
        assert posted(client, gzip.compress(bytes(50_000_000))).status_code == 413
        unknown = posted(client, b"x", "lzma")
    assert (unknown.status_code, "gzip" in unknown.headers["accept-encoding"]) == (415, True)


def posted(client: httpx.Client, content: bytes, coding: str = "gzip") -> httpx.Response:
    return client.post("/rows/formats/upload", content=content, headers={"content-encoding": coding})
