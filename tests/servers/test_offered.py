"""What a real server offers is used: early hints, pushes and trailers over HTTP/2 and HTTP/3."""

import asyncio
import base64
import hashlib

import pytest
from http2 import fetch
from serving import Server, curl, need

SERVER = pytest.mark.parametrize("server", ["hypercorn"], indirect=True)


def value(headers: list[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    return dict(headers).get(name)


@SERVER
def test_hints_come_before_the_headers(server: Server) -> None:
    answer = asyncio.run(fetch(server.port, "/hinted"))
    assert answer.order == ["hint", "headers"]
    (hint,) = answer.hints
    link = b"</style.css>; rel=preload; as=style"
    assert (value(hint, b":status"), value(hint, b"link")) == (b"103", link)
    assert (value(answer.headers, b":status"), value(answer.headers, b"link")) == (b"200", link)
    assert answer.body == b"0\n1\n2\n"


@SERVER
def test_curl_shows_the_hints(server: Server) -> None:
    shown = curl("--http2-prior-knowledge", "--include", f"http://127.0.0.1:{server.port}/hinted")
    assert shown.startswith(b"HTTP/2 103")
    assert b"HTTP/2 200" in shown


@SERVER
def test_what_is_pushed_is_promised_with_the_answer(server: Server) -> None:
    answer = asyncio.run(fetch(server.port, "/pushing"))
    (pushed,) = answer.pushed
    assert (value(pushed, b":path"), value(pushed, b":method")) == (b"/ping", b"GET")
    assert value(answer.headers, b"link") is None


@SERVER
def test_trailers_come_to_who_asks_for_them(server: Server) -> None:
    answer = asyncio.run(fetch(server.port, "/trailing", ("te", "trailers")))
    assert answer.order == ["headers", "trailers"]
    assert value(answer.headers, b"trailer") == b"content-digest, server-timing"
    digest = base64.b64encode(hashlib.sha256(answer.body).digest())
    assert value(answer.trailers, b"content-digest") == b"sha-256=:" + digest + b":"
    assert b"total;dur=" in (value(answer.trailers, b"server-timing") or b"")


@SERVER
def test_and_to_nobody_else(server: Server) -> None:
    answer = asyncio.run(fetch(server.port, "/trailing"))
    assert (answer.order, value(answer.headers, b"trailer")) == (["headers"], None)
    assert answer.body == b"0\n1\n2\n"


def test_hints_come_over_http_3_and_what_would_break_there_does_not(tmp_path_factory: pytest.TempPathFactory) -> None:
    need("aioquic")
    from http3 import asked  # it imports aioquic

    hinted, trailing = asked(tmp_path_factory.mktemp("http3"), [("/hinted", ()), ("/trailing", (("te", "trailers"),))])
    assert [value(headers, b":status") for headers in hinted.headers] == [b"103", b"200"]
    assert (hinted.body, trailing.body) == (b"0\n1\n2\n", b"0\n1\n2\n")
    assert len(trailing.headers) == 1
