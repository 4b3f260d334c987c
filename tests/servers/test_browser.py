"""A browser reads each format and each coding, when it comes, and by its own means: fetch, EventSource, <img>."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from browsing import browsing
from serving import PATIENCE, Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SERVERS = pytest.mark.parametrize("server", ["uvicorn", "hypercorn", "granian"], indirect=True)
FETCHED = """async (paths) => {
  const found = {};
  for (const [path, accept] of paths) {
    const answer = await fetch(path, {headers: {accept}});
    const reader = answer.body.getReader(), decoder = new TextDecoder();
    let text = "", pieces = 0;
    for (let piece = await reader.read(); !piece.done; piece = await reader.read(), pieces++)
      text += decoder.decode(piece.value, {stream: true});
    found[path + " " + accept] = {status: answer.status, type: answer.headers.get("content-type"), text, pieces};
  }
  return found;
}"""
EVENTS = """(path) => new Promise((resolve, reject) => {
  const source = new EventSource(path), data = [];
  source.onmessage = event => data.push(JSON.parse(event.data));
  source.addEventListener("done", event => { source.close(); resolve([data, JSON.parse(event.data)]); });
  source.onerror = () => { source.close(); reject(new Error("the stream broke off: " + JSON.stringify(data))); };
})"""
PICTURE = """(path) => new Promise((resolve, reject) => {
  const picture = new Image();
  picture.onload = () => resolve([picture.naturalWidth, picture.naturalHeight]);
  picture.onerror = () => reject(new Error("no picture"));
  picture.src = path;
})"""


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    yield from browsing()


@pytest.fixture
def page(browser: "Browser", server: Server) -> "Iterator[Page]":
    opened = browser.new_page()
    opened.set_default_timeout(PATIENCE * 1000)
    opened.goto(f"http://127.0.0.1:{server.port}/ping")
    yield opened
    opened.close()


def fetched(page: "Page", *asked: tuple[str, str]) -> list[dict[str, Any]]:
    found = page.evaluate(FETCHED, [list(pair) for pair in asked])
    return [found[f"{path} {accept}"] for path, accept in asked]


@SERVERS
def test_it_reads_each_format_piece_by_piece(page: "Page") -> None:
    rows = "/rows/formats"
    array, sequence, lines, events, message = fetched(
        page,
        (f"{rows}/array", "*/*"),
        (f"{rows}/json-seq", "*/*"),
        (f"{rows}/negotiated", "application/x-ndjson"),
        (f"{rows}/negotiated", "text/event-stream"),
        (f"{rows}/ui?text=ok", "*/*"),
    )
    assert array["text"].count("celsius") == 5
    assert array["text"].endswith("]")
    assert sequence["text"].count("\x1e") == 6
    assert lines["text"].count("\n") == 6
    assert events["text"].endswith('event: done\ndata: {"done": {"items": 5}}\n\n')
    assert message["text"].endswith("data: [DONE]\n\n")
    assert all(each["pieces"] >= 2 for each in (array, sequence, lines, events, message)), "several pieces"


@SERVERS
def test_it_unpacks_each_coding_piece_by_piece(page: "Page") -> None:
    # Chromium takes br and zstd from where nobody in between can break them, as from this machine.
    for answer in fetched(page, *((f"/coded/{coding}", "*/*") for coding in ("gzip", "deflate", "br", "zstd"))):
        assert answer["text"].count("tick") == 5
        assert answer["pieces"] >= 2, "several pieces"


@SERVERS
def test_an_event_source_reads_events_to_their_end(page: "Page") -> None:
    readings, last = page.evaluate(EVENTS, "/rows/formats/negotiated")
    assert [reading["id"] for reading in readings] == [0, 1, 2, 3, 4]
    assert last == {"done": {"items": 5}}


@SERVERS
def test_an_image_shows_parts_that_replace_each_other(page: "Page") -> None:
    assert page.evaluate(PICTURE, "/rows/formats/frames?count=5") == [200, 20]
