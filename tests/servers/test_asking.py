"""Requests, websockets and forms of real clients on real servers, in each place that an app may have."""

import asyncio
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from browsing import browsing
from serving import Server, curl
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PLACES = ("/plain", "/behind", "/decompressed", "/fastapi/ours")
# How each server is told that it stands behind the prefix /api of a proxy, which it strips, or which it keeps.
ROOTED = {
    "uvicorn": ("--root-path=/api",),
    "hypercorn": ("--root-path=/api",),
    "granian": ("--url-path-prefix=/api",),
    "daphne": ("--root-path=/api",),
}
DATA = bytes(range(256)) * 8000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asking")
    (folder / "index.html").write_text("<title>page</title>")
    (folder / "app.js").write_text("1")
    (folder / "数据.bin").write_bytes(DATA)
    return folder


def running(name: str, folder: Path, *options: str) -> Iterator[Server]:
    started = Server(name, "asking:app", folder / "log", *options)
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module", params=list(ROOTED))
def server(request: pytest.FixtureRequest, folder: Path) -> Iterator[Server]:
    yield from running(request.param, folder)


@pytest.fixture(scope="module", params=list(ROOTED))
def rooted(request: pytest.FixtureRequest, folder: Path) -> Iterator[Server]:
    yield from running(request.param, folder, *ROOTED[request.param])


def client_of(server: Server) -> httpx.Client:
    return httpx.Client(base_url=server.url(""), cookies={"sid": "1"})


@pytest.mark.parametrize("place", PLACES)
def test_a_request_knows_itself(server: Server, place: str) -> None:
    with client_of(server) as client:
        path = f"{place}/head/7?q=1&q=2&r=%E4%BD%A0%2F"
        found = client.get(path).json()
    assert found.pop("client")[0] == "127.0.0.1"
    assert found == {
        "url": server.url(path),
        "cookies": {"sid": "1"},
        "q": [1, 2],
        "id": 7,
        "link": f"{place}/head/8",
        "home": "/home",
    }


@pytest.mark.parametrize("place", PLACES)
def test_a_link_has_the_root_path(rooted: Server, place: str) -> None:
    with client_of(rooted) as client:
        # uvicorn and daphne are asked as by a proxy that strips the prefix, granian as by one that keeps it.
        prefix = "/api" if rooted.name == "granian" else ""
        found = client.get(f"{prefix}{place}/head/7").json()
        assert (found["link"], found["home"]) == (f"/api{place}/head/8", "/api/home")
        assert httpx.URL(found["url"]).path == f"/api{place}/head/7"
        assert client.get(f"{prefix}/fastapi/link/7").json() == "/api/fastapi/link/8"


def test_a_link_of_fastapi_inside_ours_leads_back(server: Server) -> None:
    with client_of(server) as client:
        link = client.get("/fastapi/link/7").json()
        assert (link, client.get(link).status_code) == ("/fastapi/link/8", 200)


@pytest.mark.parametrize("place", PLACES)
def test_a_bad_body_is_refused_with_the_place_or_the_limit(server: Server, place: str) -> None:
    with client_of(server) as client:
        assert client.post(f"{place}/json", json={"a": [1, "你"]}).json() == {"a": [1, "你"]}
        bad = client.post(f"{place}/json", content=b'{"a": 1,\n}')
        assert (bad.status_code, bad.headers["content-type"]) == (400, "text/plain; charset=utf-8")
        assert "line 2 column 1" in bad.text or "line 1 column 8" in bad.text
        problem = client.post(f"{place}/json", content=b"", headers={"accept": "application/json"})
        assert problem.headers["content-type"] == "application/problem+json"
        assert problem.json()["detail"] == "the body must be JSON (RFC 8259): it is empty"
        assert client.post(f"{place}/json", content=b" " * 1001).status_code == 413
        assert client.post(f"{place}/count", content=iter([b"x" * 50_000] * 2)).text == "100000"
        assert client.post(f"{place}/count", content=iter([b"x" * 50_000, b"x" * 50_001])).status_code == 413


def test_the_error_function_of_the_outermost_router_holds_in_all_of_ours(server: Server) -> None:
    with client_of(server) as client:
        for path in ("/own", "/plain/own", "/decompressed/own", "/behind/own"):
            answer = client.get(path)
            assert (answer.status_code, answer.json()) == (404, {"own": 404})


# Forms


def wanted() -> list[list[object]]:
    return [
        ["word", None, "text/plain", 6, hashlib.sha256("你好".encode()).hexdigest()],
        ["file", "数据.bin", "application/octet-stream", len(DATA), hashlib.sha256(DATA).hexdigest()],
    ]


@pytest.mark.parametrize("place", PLACES)
def test_httpx_sends_a_form_as_parts(server: Server, place: str) -> None:
    with client_of(server) as client:
        files = {"file": ("数据.bin", DATA, "application/octet-stream")}
        assert client.post(f"{place}/parts", data={"word": "你好"}, files=files).json() == wanted()
        found = client.post(f"{place}/form", data={"word": "你好"}, files={"file": ("a", b"1")}).json()
        assert found == {"fields": {"word": ["你好"]}, "files": {"file": [["a", 1]]}}
        assert client.post(f"{place}/form", data={"a": ["1", "2"]}).json() == {"fields": {"a": ["1", "2"]}, "files": {}}
        assert client.post(f"{place}/parts", data={"a": "1"}).status_code == 415


def test_fastapi_reads_a_form_inside_ours(server: Server) -> None:
    with client_of(server) as client:
        answer = client.post("/fastapi/upload", data={"word": "w"}, files={"file": ("a", DATA)})
        assert answer.json() == ["a", len(DATA), "w"]


@pytest.mark.parametrize("place", PLACES)
def test_curl_sends_a_form_as_parts(server: Server, folder: Path, place: str) -> None:
    file = folder / "数据.bin"
    answer = curl("-F", "word=你好", "-F", f"file=@{file}", server.url(f"{place}/parts"))
    assert json.loads(answer) == wanted()
    quoted = curl("-F", 'a=1;filename="say \\"hi\\".txt"', server.url(f"{place}/parts"))
    assert json.loads(quoted)[0][:2] == ["a", 'say "hi".txt']
    assert json.loads(curl("-d", "a=1&b=x+y", server.url(f"{place}/form")))["fields"] == {"a": ["1"], "b": ["x y"]}


# Websockets


@pytest.mark.parametrize("place", PLACES)
def test_a_websocket_knows_itself_and_speaks_json(server: Server, place: str) -> None:
    url = server.url(f"{place}/talk/7?word=w").replace("http", "ws")

    async def script() -> None:
        async with connect(url, additional_headers={"cookie": "sid=1"}, ping_interval=None) as client:
            hello = json.loads(await client.recv())
            assert hello == [True, {"sid": "1"}, "w", f"{place}/head/7", url]
            await client.send('{"a": "你"}')
            assert await client.recv() == '{"a":"你"}'.encode()
            await client.send(b"[1]")
            assert await client.recv() == b"[1]"
            if server.name == "daphne":  # autobahn lets an app close with 1000, and 3000 to 4999, and raises else
                return
            await client.send("{")
            with pytest.raises(ConnectionClosedError) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1007
            assert "line 1 column 2" in closed.value.rcvd.reason

    asyncio.run(script())
    assert "Traceback" not in server.log


@pytest.mark.parametrize("place", PLACES)
def test_a_websocket_is_denied_with_the_error(server: Server, place: str) -> None:
    async def denied(path: str) -> tuple[int, bytes | bytearray | None]:
        with pytest.raises(InvalidStatus) as refused:
            await connect(server.url(path).replace("http", "ws"))
        return refused.value.response.status_code, refused.value.response.body

    status, body = asyncio.run(denied(f"{place}/talk/7?word=no"))
    if status != 403:  # without the extension, it is all that there is
        assert (status, body) == (409, b"taken")
    status, body = asyncio.run(denied("/none"))
    assert status in (403, 404)


# A browser


@pytest.fixture
def browser() -> "Iterator[Browser]":
    yield from browsing()


SENT = """async (path) => {
  const form = new FormData();
  form.append("word", "你好");
  form.append('na"me\\n', "x");
  form.append("file", new File(["a\\r\\n--b"], 'say "hi"\\\\.txt', {type: "text/plain"}));
  form.append("none", new File([], ""));
  const sent = await fetch(path, {method: "POST", body: form});
  return await sent.json();
}"""


def test_a_browser_sends_a_form_and_shows_a_page_of_a_single_page_app(browser: "Browser", server: Server) -> None:
    page = browser.new_page()
    try:
        answer = page.goto(server.url("/some/page"))
        assert answer is not None
        assert (answer.status, page.title(), answer.headers["cache-control"]) == (200, "page", "no-cache")
        found: Any = page.evaluate(SENT, "/plain/form")
        parts: Any = page.evaluate(SENT, "/plain/parts")
        missing = page.evaluate("async () => [(await fetch('/none.js')).status, (await fetch('/app.js')).status]")
    finally:
        page.close()
    assert found["fields"] == {"word": ["你好"], 'na"me\r\n': ["x"]}
    assert found["files"] == {"file": [['say "hi"\\.txt', 6]]}
    assert [part[:3] for part in parts[2:]] == [
        ["file", 'say "hi"\\.txt', "text/plain"],
        ["none", "", "application/octet-stream"],
    ]
    assert missing == [404, 200]
