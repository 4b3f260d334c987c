"""The page of all rows, alone and in the demo; and the demo's one life for two apps."""

import asyncio
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import cast

import clock
import pytest

from examples import demo, raw
from examples.catalogue import MORE, ROWS
from examples.raw import document_004 as ours
from examples.raw import resuming
from examples.twin import document_004 as theirs
from rawasgi.dev.client import fetch, lifespan, websocket

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


class Links(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name == "href"]


def test_every_row_is_listed() -> None:
    rows = clock.run(fetch(raw.app, "/")).json()
    assert isinstance(rows, list)
    assert [row["number"] for row in rows] == list(range(1, 61))
    assert rows[2]["paths"] == {"rawasgi": "/stream"}


def test_the_walk_has_each_row_once_and_in_order() -> None:
    walk = (Path(demo.__file__).parent / "README.md").read_text(encoding="utf-8").partition("## Document 000")[2]
    paths = re.findall(r"^    .*localhost:8000(/[^\s'?]*)", walk, re.MULTILINE)
    assert paths == [row.example.partition("?")[0] for row in ROWS + MORE]
    headings = re.findall(r"^\*\*(\d+)\. .*?\*\*(.*naked)?", walk, re.MULTILINE)
    assert [(int(number), bool(naked)) for number, naked in headings] == [
        (row.number, row.naked) for row in ROWS + MORE
    ]


def test_a_browser_gets_links_to_all_rows_of_an_app_alone() -> None:
    answer = clock.run(fetch(raw.app, "/", headers=BROWSER))
    assert answer.header("content-type") == "text/html; charset=utf-8"
    assert answer.header("vary") == "Accept"
    assert Links(answer.text).found == [row.example for row in ROWS + MORE if row.method == "GET"]


def test_a_browser_gets_the_page_of_the_demo_and_everyone_else_the_list() -> None:
    answer = asyncio.run(fetch(demo.app, "/", headers=BROWSER))
    assert answer.header("content-type") == "text/html; charset=utf-8"
    assert answer.header("vary") == "Accept"
    assert "/lab/page/main.js" in answer.text
    rows = cast(list[dict[str, object]], clock.run(fetch(demo.app, "/")).json())
    assert [row["paths"] for row in rows] == [
        {"rawasgi": row.example, "FastAPI": f"/fastapi{row.example}"} for row in ROWS + MORE
    ]


@pytest.mark.parametrize("prefix", ["", "/fastapi"])
def test_the_demo_has_every_row_of_both_apps(prefix: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {"STREAM_TIME_SCALE": "0", "RAWASGI_CACHE": str(tmp_path), "CHAT_BACKEND": "embedded"}.items():
        monkeypatch.setenv(name, value)

    async def main() -> None:
        for row in ROWS + MORE:
            if row.method == "WS":
                async with websocket(demo.app, prefix + row.example) as socket:
                    await socket.accepted()
            else:
                target = prefix + row.example.replace("slow=3&limit=1", "slow=0")
                answer = await fetch(demo.app, target, method=row.method, body=row.body or b"")
                assert answer.status == 200
                assert answer.body

    asyncio.run(main())


@pytest.mark.parametrize(("path", "body"), [("/fastapi/none", b'{"detail":"Not Found"}'), ("/fastapi2", b"Not Found")])
def test_a_path_of_neither_is_not_found_by_its_app(path: str, body: bytes) -> None:
    answer = clock.run(fetch(demo.app, path))
    assert (answer.status, answer.body) == (404, body)


def test_both_apps_live_as_long_as_the_demo() -> None:
    async def main() -> None:
        async with lifespan(demo.app):
            name = theirs.tasks.start(1000)
            await resuming.runs.start(ours.done(1000))
            await asyncio.sleep(1)
        assert len(resuming.runs) == 0
        with pytest.raises(BaseException):  # noqa: B017  however it says that it was stopped
            assert [step async for step in theirs.tasks.follow(name)] == []

    clock.run(main())
