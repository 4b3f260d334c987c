"""What extensions do on the servers that have them, and what the others do instead."""

import asyncio
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256

import over_h3
import pytest
from aioquic.h3.events import DataReceived, HeadersReceived, PushPromiseReceived
from h2.events import DataReceived as H2DataReceived
from h2.events import PingAckReceived
from known import on_http_1
from over_h2 import H2
from serving import PATIENCE, Server

BODY = b"line 0\nline 1\nline 2\n"
DIGEST = b"sha-256=:" + b64encode(sha256(BODY).digest()) + b":"
LINKS = [b"</style.css>; rel=preload; as=style", b"<https://example.com>; rel=preconnect"]


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server of that name, with extended.py."""
    server = Server(request.param, "extended:app", tmp_path_factory.mktemp("extended") / "log")
    try:
        yield server
    finally:
        server.stop()


def on(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("server", [name], indirect=True)


def links(headers: list[tuple[bytes, bytes]]) -> list[bytes]:
    return [value for name, value in headers if name == b"link"]


async def asked(server: Server, path: str, te: bool = True, pushes: bool = True) -> H2:
    async with H2(server.port, path, te, pushes) as client:
        await client.ended()
    return client


# HTTP/2


@on("hypercorn")
def test_hints_come_before_the_headers(server: Server) -> None:
    client = asyncio.run(asked(server, "/hinted"))
    assert client.seen[:3] == ["InformationalResponseReceived", "ResponseReceived", "DataReceived"]
    [hint] = client.hints
    assert dict(hint)[b":status"] == b"103"
    assert links(hint) == links(client.headers[1]) == LINKS


@on("hypercorn")
def test_what_is_pushed_comes_along(server: Server) -> None:
    client = asyncio.run(asked(server, "/pushed"))
    [(path, stream)] = client.pushed.items()
    assert path == b"/style.css"
    assert client.bodies == {1: b"<p>hello", stream: b"p { color: red }"}
    assert dict(client.headers[stream])[b"content-type"] == b"text/css"


@on("hypercorn")
def test_who_refuses_pushes_is_told_by_a_link(server: Server) -> None:
    """RFC 9113, 8.4. hypercorn offers push all the same, and says nothing."""
    client = asyncio.run(asked(server, "/pushed", pushes=False))
    assert client.pushed == {}
    assert links(client.headers[1]) == LINKS[:1]
    assert client.bodies == {1: b"<p>hello"}


@on("hypercorn")
def test_trailers_come_and_the_digest_is_right(server: Server) -> None:
    client = asyncio.run(asked(server, "/lines"))
    assert client.seen[-2:] == ["TrailersReceived", "StreamEnded"]
    assert dict(client.headers[1])[b"trailer"] == b"content-digest, server-timing"
    assert client.bodies[1] == BODY
    assert [name for name, _ in client.trailers] == [b"content-digest", b"server-timing"]
    assert client.trailers[0][1] == DIGEST
    first, total = (float(each.split(b"dur=")[1]) for each in client.trailers[1][1].split(b", "))
    assert 0 <= first <= total
    assert total >= 20


@on("hypercorn")
def test_who_did_not_ask_gets_no_trailers(server: Server) -> None:
    client = asyncio.run(asked(server, "/lines", te=False))
    assert b"trailer" not in dict(client.headers[1])
    assert (client.bodies[1], client.trailers) == (BODY, [])


@on("hypercorn")
def test_an_answer_that_breaks_off_has_no_trailers(server: Server) -> None:
    async def script() -> list[str]:
        async with H2(server.port, "/failing") as client:
            await client.until(H2DataReceived)
            await server.said("LookupError: a secret")
            client.ping()
            await client.until(PingAckReceived)  # all that was sent before has come
        return client.seen

    assert asyncio.run(script()) == ["ResponseReceived", "DataReceived"]


@on("hypercorn")
def test_all_of_them_at_once(server: Server) -> None:
    client = asyncio.run(asked(server, "/all"))
    assert client.seen[0] == "InformationalResponseReceived"
    assert set(client.pushed) == {b"/style.css"}
    assert client.trailers == [(b"content-digest", DIGEST)]
    assert client.bodies[1] == BODY


@on("hypercorn")
def test_curl_sees_hints_and_trailers(server: Server) -> None:
    curl = shutil.which("curl")
    if curl is None or "HTTP2" not in subprocess.run([curl, "--version"], capture_output=True, text=True).stdout:
        pytest.skip("curl with HTTP/2 is not installed")
    url = f"http://127.0.0.1:{server.port}/all"
    command = [curl, "--http2-prior-knowledge", "--silent", "--verbose", "--header", "te: trailers", url]
    answer = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=True)
    said = [line[2:] for line in answer.stderr.splitlines() if line.startswith(b"< ")]
    assert said[0].startswith(b"HTTP/2 103")
    assert any(line.startswith(b"HTTP/2 200") for line in said)
    assert said[-1] == b"content-digest: " + DIGEST
    assert answer.stdout == BODY


# HTTP/3


def asked_3(server: Server, path: str) -> list[object]:
    """What came: the headers, the pieces of bodies, the promises."""
    return list(asyncio.run(over_h3.ask(server.port, path)))


@on("hypercorn-h3")
def test_hints_come_over_http_3(server: Server) -> None:
    hint, start = [event for event in asked_3(server, "/hinted") if isinstance(event, HeadersReceived)]
    assert [dict(event.headers)[b":status"] for event in (hint, start)] == [b"103", b"200"]
    assert links(hint.headers) == links(start.headers) == LINKS


@on("hypercorn-h3")
def test_pushes_come_over_http_3(server: Server) -> None:
    events = asked_3(server, "/pushed")
    [promise] = [event for event in events if isinstance(event, PushPromiseReceived)]
    assert dict(promise.headers)[b":path"] == b"/style.css"
    pieces = [event for event in events if isinstance(event, DataReceived)]
    assert b"".join(event.data for event in pieces if event.push_id is None) == b"<p>hello"
    assert b"".join(event.data for event in pieces if event.push_id is not None) == b"p { color: red }"


@on("hypercorn-h3")
def test_over_http_3_there_are_no_trailers_and_the_answer_ends(server: Server) -> None:
    """hypercorn offers them and fails: rawasgi.trailers says how."""
    events = asked_3(server, "/lines")
    [start] = [event for event in events if isinstance(event, HeadersReceived)]
    assert b"trailer" not in dict(start.headers)
    assert b"".join(event.data for event in events if isinstance(event, DataReceived)) == BODY


@on("hypercorn-h3")
def test_hypercorn_says_no_word_of_its_tls(server: Server) -> None:
    pieces = [event.data for event in asked_3(server, "/tls") if isinstance(event, DataReceived)]
    assert b"".join(pieces) == b"no word of it"


# Elsewhere


@on_http_1()
@pytest.mark.parametrize(("path", "expected"), [("/hinted", LINKS), ("/pushed", LINKS[:1])])
def test_over_http_1_hints_and_pushes_are_links(server: Server, path: str, expected: list[bytes]) -> None:
    answer = asyncio.run(server.get(path))
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    assert status.split(b" ")[1] == b"200"
    assert [line[len(b"link: ") :] for line in lines if line.lower().startswith(b"link: ")] == expected
    assert b"<p>hello" in body


@on_http_1()
def test_over_http_1_there_are_no_trailers(server: Server) -> None:
    async def script() -> bytes:
        client = await server.open("/lines", extra="connection: close\r\nte: trailers\r\n")
        async with asyncio.timeout(PATIENCE):
            answer = await client.reader.read(-1)
        client.leave()
        return answer

    answer = asyncio.run(script())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"trailer" not in head.lower()
    assert b"content-digest" not in body
    assert body.endswith(b"\r\n0\r\n\r\n")


@on_http_1()
def test_a_websocket_is_denied_with_an_answer_or_else_with_403(server: Server) -> None:
    async def script() -> bytes:
        upgrade = (
            "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
            "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        )
        client = await server.open("/denied", extra=upgrade)
        answer = await client.until(b"\r\n\r\n" if server.name == "daphne" else b"who are you?")
        client.leave()
        return answer

    answer = asyncio.run(script())
    if server.name == "daphne":
        assert answer.split(b" ")[1] == b"403"
    else:
        assert answer.split(b" ")[1] == b"401"
        assert b"www-authenticate: basic" in answer.lower()
