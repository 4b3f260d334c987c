"""What the page of the demo is made of: itself, the list of streams, the code of each, and the checker's findings."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from examples import demo
from examples.catalogue import MORE, ROWS
from examples.lab import serving
from examples.lab.checks import Checks
from examples.lab.checks import asked as checked
from examples.lab.excerpts import excerpts
from examples.lab.lines import ROOT
from examples.lab.shown import shown, text_of
from rawasgi.dev.client import fetch
from rawasgi.formats.sse import Event

SIDES = ("rawasgi", "FastAPI", "naked")
SYNC = ROWS[27]


# The code of a row


@pytest.mark.parametrize("side", SIDES)
def test_every_row_has_its_code(side: str) -> None:
    rows = [row for row in ROWS + MORE if side != "naked" or row.naked]
    for row in rows:
        pieces = excerpts(side, row)
        assert pieces, row
        for piece in pieces:
            lines = (ROOT / piece.file).read_text(encoding="utf-8").splitlines()
            assert lines[piece.first - 1].strip() == piece.text.splitlines()[0].strip()
        if row.document != "extensions" and row.number != 52 and side != "naked":
            assert row.path.removeprefix("/infer") in pieces[0].text.replace("/files", "/files/{path}"), row


def test_what_a_row_stands_on_comes_with_it() -> None:
    row = ROWS[12]
    assert [piece.name for piece in excerpts("rawasgi", row)] == ["stream_heartbeat", "halting"]
    assert {"stream_heartbeat", "heartbeat", "_Ahead", "halting"} <= {piece.name for piece in excerpts("FastAPI", row)}
    assert excerpts("naked", row) == ()
    assert {"simple", "stream", "send_all", "wait_until_gone"} <= {piece.name for piece in excerpts("naked", ROWS[22])}


@pytest.mark.parametrize(
    ("path", "status"),
    [("/lab/source/django/3", 404), ("/lab/source/rawasgi/61", 422), ("/lab/messages/short", 422), ("/lab/none", 404)],
)
def test_what_is_not_there_is_refused(path: str, status: int) -> None:
    assert asyncio.run(fetch(demo.both, path)).status == status


# The page


def test_the_page_loads_nothing_from_elsewhere() -> None:
    answer = asyncio.run(fetch(demo.both, "/", headers={"accept": "text/html"}))
    assert "default-src 'self'" in (answer.header("content-security-policy") or "")
    again = {"accept": "text/html", "if-none-match": answer.header("etag") or ""}
    assert asyncio.run(fetch(demo.both, "/", headers=again)).status == 304
    for path in sorted(serving.PAGE.iterdir()):
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not any(mark in text for mark in ("http://", "https://", "url(", 'style="', "innerHTML", "eval(")), path
        served = asyncio.run(fetch(demo.both, f"/lab/page/{path.name}"))
        assert (served.status, served.body) == (200, path.read_bytes())
        assert served.header("etag")
        assert served.header("cache-control") == "no-cache"


def test_the_list_has_every_row_and_the_sides_that_have_it() -> None:
    rows = cast(list[dict[str, Any]], asyncio.run(fetch(demo.both, "/lab/streams")).json())
    assert [row["number"] for row in rows] == list(range(1, 61))
    assert rows[2]["paths"] == {"rawasgi": "/stream", "FastAPI": "/fastapi/stream", "naked": "/naked/stream"}
    assert all(rows[number - 1]["lesson"] for number in (2, 9, 13, 14, 20, 21, 27, 28))
    assert json.loads(rows[33]["body"])["stream"] is True


def test_a_message_is_shown_as_it_is_written_and_cut_where_it_is_long() -> None:
    start = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"1"), (b"b", b"2")]}
    assert eval(shown(start)) == start
    body = {"type": "http.response.body", "body": b"x" * 100_000, "more_body": True}
    assert "100,000 bytes" in shown(body)
    assert len(shown(body)) < 600
    assert (text_of(body), text_of({"body": "数".encode()}), text_of({"body": b"\0\1"})) == ("x" * 400, "数", "")


# The checker


def checker(tmp_path: Path, code: str) -> Checks:
    script = tmp_path / "checker.py"
    script.write_text(code)
    return Checks((sys.executable, str(script)))


async def collected(stream: AsyncIterator[Event]) -> list[tuple[str | None, dict[str, Any]]]:
    return [(event.event, json.loads(event.data or "")) async for event in stream]


def test_findings_come_as_the_checker_says_them(tmp_path: Path) -> None:
    checks = checker(
        tmp_path,
        "import json, sys\n"
        "print(json.dumps({'id': 'open', 'path': sys.argv[2], 'server': 'uvicorn', 'probe': 'leave', 'what': 'x'}))\n"
        "print('not JSON')\nprint(json.dumps({'summary': {'found': 1}}))\nsys.exit(1)\n",
    )
    found = asyncio.run(collected(checks.check("FastAPI", SYNC)))
    assert [kind for kind, _ in found] == ["begun", "finding", "said", "summary", "over"]
    assert found[1][1]["path"] == "/sync"
    assert found[-1][1] == {"status": 1, "error": ""}


def test_the_checker_is_told_how_to_ask() -> None:
    assert [checked(ROWS[number - 1]) for number in (28, 41)] == [[], ["--method", "WS"]]
    assert checked(MORE[8])[-2:] == ["--data", "12345"]


def test_nothing_found_is_status_0_and_a_failure_says_why(tmp_path: Path) -> None:
    well = checker(tmp_path, "")
    assert asyncio.run(collected(well.check("rawasgi", SYNC)))[-1] == ("over", {"status": 0, "error": ""})
    ill = checker(tmp_path, "import sys; sys.exit('no such command')")
    status, said = asyncio.run(collected(ill.check("rawasgi", SYNC)))[-1]
    assert (status, said["status"]) == ("over", 1)


def test_the_process_is_killed_when_nobody_reads(tmp_path: Path) -> None:
    checks = checker(tmp_path, "import os, time\nprint('{\"what\": %d}' % os.getpid(), flush=True)\ntime.sleep(600)\n")

    async def main() -> int:
        stream = checks.check("FastAPI", SYNC)
        await anext(stream)
        pid = json.loads((await anext(stream)).data or "")["what"]
        await stream.aclose()
        return int(pid)

    pid = asyncio.run(main())
    assert not Path(f"/proc/{pid}").exists()


def test_one_at_a_time(tmp_path: Path) -> None:
    checks = checker(tmp_path, "import time\nprint('{\"what\": 1}', flush=True)\ntime.sleep(600)\n")

    async def main() -> str | None:
        first, second = checks.check("FastAPI", SYNC), checks.check("rawasgi", SYNC)
        await anext(first)
        waiting = asyncio.ensure_future(anext(second))
        await anext(first)
        assert not waiting.done()
        await first.aclose()
        event = (await waiting).event
        await second.aclose()
        return event

    assert asyncio.run(main()) == "begun"


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/lab/check/naked/3", {}, 404),
        ("/lab/check/FastAPI/3", {"sec-fetch-site": "cross-site"}, 403),
    ],
)
def test_another_page_starts_no_process(path: str, headers: dict[str, str], status: int) -> None:
    assert asyncio.run(fetch(demo.both, path, headers=headers)).status == status
