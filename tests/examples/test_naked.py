"""The naked app: its messages, one by one, and what it does when the client leaves."""

import asyncio
import json
from collections.abc import AsyncGenerator, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from examples import naked
from examples.catalogue import ROWS
from examples.sources import files

T = TypeVar("T")
Message = dict[str, Any]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STREAM_TIME_SCALE", "0")
    monkeypatch.setenv("RAWASGI_CACHE", str(tmp_path))
    monkeypatch.setenv("RAWASGI_SAMPLE_BYTES", "200000")


def run(coroutine: Coroutine[object, object, T]) -> T:
    return asyncio.run(asyncio.wait_for(coroutine, 10))


class Client:
    """Gives the app its messages and notes what it sends; leaves after *leaves_after* of them."""

    def __init__(self, *messages: Message, leaves_after: int | None = None) -> None:
        self.sent: list[Message] = []
        self._messages = list(messages)
        self._leaves_after = leaves_after
        self._gone = asyncio.Event()
        self._told = False

    async def receive(self) -> Message:
        if self._messages:
            return self._messages.pop(0)
        assert not self._told, "receive() after http.disconnect blocks for ever on some servers"
        await self._gone.wait()
        self._told = True
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        if len(self.sent) == self._leaves_after:
            self._gone.set()

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


BODY = ({"type": "http.request", "body": b"a", "more_body": True}, {"type": "http.request", "body": b"b"})


async def request(path: str, client: Client, method: str = "GET", **scope: object) -> Client:
    await naked.app({"type": "http", "method": method, "path": path, **scope}, client.receive, client.send)
    return client


def get(path: str, method: str = "GET", leaves_after: int | None = None, **scope: object) -> Client:
    async def main() -> Client:
        return await request(path, Client(*BODY, leaves_after=leaves_after), method, **scope)

    return run(main())


@pytest.mark.parametrize("path", [row.example for row in ROWS if row.naked and row.kind != "websocket"])
def test_a_row_is_one_start_and_a_body_that_ends(path: str) -> None:
    client = get(path)
    start, *bodies = client.sent
    assert start["type"] == "http.response.start"
    assert start["status"] == 200
    assert all(name == name.lower() for name, _ in start["headers"])
    assert {message["type"] for message in bodies} == {"http.response.body"}
    assert [message.get("more_body", False) for message in bodies] == [True] * (len(bodies) - 1) + [False]


def test_the_bodies_are_those_of_the_documents() -> None:
    assert get("/infer/home").body == b'"OK"'
    assert get("/infer/predict").body.decode() == "你好\n這是\n測試\nStream\n輸出\n並且\n同步\n發送\n訊息\n"
    assert get("/stream").body == b"data: 0\n\ndata: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\n"
    assert get("/simple").body.decode() == "".join(f"数据 {number}\n" for number in range(10))
    assert [json.loads(line)["message"] for line in get("/json/2").body.splitlines()] == ["数据项 0", "数据项 1"]
    assert get("/async").body.decode().startswith("异步数据 0\n")


def test_a_file_is_sent_whole_with_its_length() -> None:
    client = get("/download/sample")
    assert client.body == b"".join(files.chunks(files.sample()))
    assert (b"content-length", b"200000") in client.sent[0]["headers"]
    assert max(len(message.get("body", b"")) for message in client.sent) == naked.CHUNK_BYTES


def test_what_is_not_there_is_404_and_what_is_not_done_is_405() -> None:
    assert get("/nothing").sent[0]["status"] == 404
    refused = get("/stream", "POST")
    assert refused.sent[0]["status"] == 405
    assert (b"allow", b"GET") in refused.sent[0]["headers"]
    assert refused.body == b"Method Not Allowed"


@pytest.mark.parametrize("count", ["x", "-1", "10001", "99999999", "%C2%B2", ""])
def test_a_bad_count_is_422_and_says_why(count: str) -> None:
    client = get(f"/json/{count}")
    assert client.sent[0]["status"] == 422
    assert b"count" in client.body


def test_the_root_path_may_be_in_the_path_or_not() -> None:
    assert get("/api/infer/home", root_path="/api").body == b'"OK"'
    assert get("/infer/home", root_path="/api").body == b'"OK"'


def test_a_client_that_leaves_stops_the_source_at_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAM_TIME_SCALE", "1000")
    client = get("/disconnect", leaves_after=2)  # the start, and the empty body that makes servers send it
    assert client.body == b""
    assert capsys.readouterr().out == "客户端断开连接，停止生成数据\n生成器结束，资源已清理\n"


async def hot(closed: list[str], failure: Exception | None = None) -> AsyncGenerator[bytes, None]:
    """A source that never waits."""
    try:
        for number in range(1_000_000):
            if failure and number == 3:
                raise failure
            yield b"x"
    finally:
        await asyncio.sleep(0)  # a cleanup that waits must come to its end too
        closed.append("closed")


def test_a_source_that_never_waits_lets_others_run_and_hears_of_the_disconnect() -> None:
    async def main() -> tuple[int, list[str]]:
        client, closed = Client(leaves_after=5), list[str]()
        await naked.stream(client.receive, client.send, hot(closed), bytes)
        return len(client.sent), closed

    sent, closed = run(main())
    assert sent < 1_000_000
    assert closed == ["closed"]


@pytest.mark.parametrize("failure", [ValueError("broken"), OSError("disk")])
def test_a_source_that_fails_is_never_a_body_that_ends_well(failure: Exception) -> None:
    async def main() -> tuple[bool, list[str]]:
        client, closed = Client(), list[str]()
        with pytest.raises(type(failure), match=str(failure)):
            await naked.stream(client.receive, client.send, hot(closed, failure), bytes)
        return all(message["more_body"] for message in client.sent), closed

    assert run(main()) == (True, ["closed"])


@pytest.mark.parametrize("how", ["raises", "blocks"])
def test_a_send_that_raises_or_never_returns_is_a_client_that_left(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naked, "SEND_LIMIT", 0.01)

    async def send(message: Message) -> None:
        if how == "raises":
            raise ConnectionResetError("gone")
        await asyncio.Event().wait()

    async def main() -> list[str]:
        client, closed = Client(), list[str]()
        source = hot(closed)
        await anext(source)
        await naked.stream(client.receive, send, source, bytes)
        return closed

    assert run(main()) == ["closed"]


def test_a_cancelled_request_closes_its_source() -> None:
    async def main() -> list[str]:
        client, closed = Client(), list[str]()
        answer = asyncio.create_task(naked.stream(client.receive, client.send, hot(closed), bytes))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert client.sent
        answer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await answer
        return closed

    assert run(main()) == ["closed"]


def test_lifespan_is_answered_both_times() -> None:
    async def main() -> list[Message]:
        client = Client({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
        await naked.app({"type": "lifespan"}, client.receive, client.send)
        return client.sent

    assert run(main()) == [{"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}]


def test_an_unknown_scope_raises() -> None:
    client = Client()
    with pytest.raises(ValueError, match="telnet"):
        run(naked.app({"type": "telnet"}, client.receive, client.send))


def websocket(path: str, *messages: Message) -> list[Message]:
    async def main() -> list[Message]:
        client = Client({"type": "websocket.connect"}, *messages)
        await naked.app({"type": "websocket", "path": path}, client.receive, client.send)
        return client.sent

    return run(main())


def test_the_websocket_echoes_text_and_bytes() -> None:
    assert websocket(
        "/ws",
        {"type": "websocket.receive", "text": "你好", "bytes": None},
        {"type": "websocket.receive", "bytes": b"\x00"},
        {"type": "websocket.receive", "text": ""},
        {"type": "websocket.disconnect", "code": 1001},
    ) == [
        {"type": "websocket.accept"},
        {"type": "websocket.send", "text": "你好"},
        {"type": "websocket.send", "bytes": b"\x00"},
        {"type": "websocket.send", "text": ""},
    ]


def test_a_websocket_elsewhere_is_refused_before_it_is_accepted() -> None:
    assert websocket("/other") == [{"type": "websocket.close", "code": 1000}]


def test_an_echo_to_a_client_that_left_is_no_error() -> None:
    async def send(message: Message) -> None:
        if message["type"] == "websocket.send":
            raise ConnectionResetError("gone")

    client = Client({"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hi"})
    run(naked.app({"type": "websocket", "path": "/ws"}, client.receive, send))
