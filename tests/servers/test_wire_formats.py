"""Each format and each coding over the wire, as curl and httpx read it."""

import csv
import gzip
import json
import zlib
from collections.abc import Callable
from importlib import import_module
from random import randbytes
from typing import Any

import httpx
import pytest
from known import on_all
from serving import Server

from rawasgi import codings
from rawasgi.formats import chat_chunks, json_array, json_seq, multipart, ndjson, sse, ui_messages

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
    assert (rows[:2], rows[-1]) == ([["id", "celsius", "room"], ["0", "20.0", "厨房"]], ["#done", "5"])
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


PARTS = [{"type": "data-word", "data": word} for word in ("你", "好", "！")]


def step_by_step(
    server: Server, path: str, decoding: Callable[[httpx.Headers], Any], decode: Callable[[bytes], bytes] = bytes
) -> tuple[httpx.Headers, list[Any], list[Any]]:
    """The head, what comes with each of three items of *path*, and after them: its source waits until one is read."""
    with server.httpx() as client, client.stream("GET", path) as answer:
        assert answer.status_code == 200
        decoder = decoding(answer.headers)
        pieces = answer.iter_raw()
        items = []
        for _ in range(3):
            while not (found := decoder.feed(decode(next(pieces)))):
                pass
            items += found
            assert client.get("/took").status_code == 200
        return answer.headers, items, [item for piece in pieces for item in decoder.feed(decode(piece))]


FORMATS: list[tuple[str, Callable[[], Any]]] = [
    ("array", json_array.Decoder),
    ("json-seq", json_seq.Decoder),
    ("ndjson", ndjson.Decoder),
    ("ui", ui_messages.Decoder),
]


@pytest.mark.parametrize(("name", "decoder"), FORMATS)
@on_all()
def test_httpx_reads_each_item_before_the_next_is_made(server: Server, name: str, decoder: Callable[[], Any]) -> None:
    _, items, rest = step_by_step(server, f"/steps/{name}", lambda _: decoder())
    assert items == PARTS
    assert [item["type"] for item in rest if isinstance(item, dict)] == (["finish"] if name == "ui" else [])


@on_all()
def test_httpx_reads_each_event_before_the_next_is_made(server: Server) -> None:
    _, events, rest = step_by_step(server, "/steps/sse", lambda _: sse.Decoder())
    assert ([json.loads(event.data) for event in events], rest) == (PARTS, [])


@on_all()
def test_httpx_reads_each_picture_before_the_next_is_made(server: Server) -> None:
    decoders = []

    def decoding(head: httpx.Headers) -> multipart.Decoder:
        decoders.append(multipart.Decoder(multipart.boundary_of(head["content-type"])))
        return decoders[0]

    _, pictures, rest = step_by_step(server, "/steps/pictures", decoding)
    decoders[0].end()
    assert ([picture.body for picture in pictures], rest) == ([b"picture 0", b"picture 1", b"picture 2"], [])


@on_all()
def test_httpx_reads_the_pictures_of_the_demo(server: Server) -> None:
    with server.httpx() as client:
        answer = client.get("/rows/formats/frames?count=4")
    decoder = multipart.Decoder(multipart.boundary_of(answer.headers["content-type"]))
    pictures = decoder.feed(answer.content)
    decoder.end()
    assert len(pictures) == 4
    assert all(picture.body.startswith(b"\x89PNG") for picture in pictures)


# Codings


@pytest.mark.parametrize("coding", CODINGS)
@on_all()
def test_curl_unpacks_each_coding(server: Server, coding: str) -> None:
    answer = server.curl(f"/coded/{coding}", "--compressed", "--include")
    assert f"content-encoding: {coding}".encode() in answer.lower()
    events = sse.Decoder().feed(answer.partition(b"\r\n\r\n")[2])
    assert [event.data for event in events] == [f'{{"tick": {number}}}' for number in range(5)]


@pytest.mark.parametrize("coding", CODINGS)
@on_all()
def test_each_event_can_be_unpacked_before_the_next_is_made(server: Server, coding: str) -> None:
    head, events, rest = step_by_step(server, f"/coded/steps/{coding}", lambda _: sse.Decoder(), unpacker(coding))
    assert head["content-encoding"] == coding
    assert "content-length" not in head
    assert ([json.loads(event.data) for event in events], rest) == (PARTS, [])


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
