"""The raw app, rows 23 to 42: what must hold of each, beside the bytes that the replay compares."""

import asyncio
import itertools
import json
import threading
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from pathlib import Path

import clock
import pytest

from examples.raw import app
from examples.raw.parameters import own_url
from examples.sources import chat, pipeline, text
from rawasgi import streams
from rawasgi.dev.client import connect, fetch, websocket
from rawasgi.inbox import Inbox
from rawasgi.request import Request
from rawasgi.streams import Stream


@pytest.fixture(autouse=True)
def _as_in_the_documents(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAWASGI_CACHE", str(tmp_path))
    monkeypatch.setenv("CHAT_BACKEND", "embedded")
    monkeypatch.delenv("STREAM_TIME_SCALE", raising=False)


async def arrivals(target: str) -> list[tuple[float, str]]:
    """What came, and when."""
    async with connect(app, "GET", target) as client:
        return [(round(clock.now(), 3), chunk.decode()) async for chunk in client]


# Document 003


def test_a_line_comes_when_it_is_there() -> None:
    assert clock.run(arrivals("/simple")) == [((number + 1) / 2, f"数据 {number}\n") for number in range(10)]


def test_a_client_says_how_many_and_how_fast() -> None:
    came = clock.run(arrivals("/parameterized/3?delay=2"))
    assert came == [(2 * number, f"第 {number}/3 条数据\n") for number in range(1, 4)]


def test_a_line_is_an_object() -> None:
    came = clock.run(arrivals("/json/4"))
    assert [(at, json.loads(line)["id"]) for at, line in came] == [(0.3, 0), (0.6, 1), (0.9, 2), (1.2, 3)]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("/cleanup", "获取资源: 数据库连接\n释放资源: 数据库连接\n"),
        ("/disconnect", "客户端断开连接，停止生成数据\n生成器结束，资源已清理\n"),
        ("/cancel", "流被取消\n"),
    ],
)
def test_a_source_stops_at_once_when_the_client_leaves(
    target: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def main() -> None:
        async with connect(app, "GET", target) as client:
            for _ in range(5):
                assert await client.chunk()
            await asyncio.sleep(0.01)
            await client.leave()
            await client.finished()
            assert clock.now() < 5 * 0.2 + 0.02

    clock.run(main())
    assert capsys.readouterr().out == said


def test_who_stays_is_told_that_the_resource_was_released() -> None:
    assert clock.run(arrivals("/cleanup"))[-1] == (1.0, "资源已释放\n")


def test_ten_blocking_generators_block_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(10)
    monkeypatch.setattr(text, "hold", lambda _: together.wait(20))  # nobody goes on before ten are there

    async def main() -> None:
        answers = await asyncio.gather(*(fetch(app, "/sync") for _ in range(10)))
        assert {answer.text for answer in answers} == {"".join(f"同步数据 {number}\n" for number in range(5))}

    asyncio.run(main())


# Document 004


def test_each_message_is_whole_characters() -> None:
    said = "né 👩‍👩‍👧🇫🇷"
    came = clock.run(arrivals(f"/text?text={said}&delay=1"))
    assert [chunk for _, chunk in came] == ["n", "é", " ", "👩‍👩‍👧", "🇫🇷"]
    assert [at for at, _ in came] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("server", "url"),
    [
        (("127.0.0.1", 8000), "http://127.0.0.1:8000/v1"),
        (("::1", 8000), "http://[::1]:8000/v1"),
        (("/run/app.sock", None), None),
        (None, None),
    ],
)
def test_the_apps_own_address_is_the_servers(server: object, url: str | None) -> None:
    async def main() -> None:
        async with connect(app, "GET", "/", headers={"host": "evil.example"}, scope={"server": server}) as client:
            scope = client.scope
            assert scope["type"] == "http"
            assert own_url(Request(scope, Inbox.of(client.receive))) == url

    clock.run(main())


class Noted:
    """A stage that notes when it is closed."""

    def __init__(self, stage: Stream[object], name: str, closed: list[str]) -> None:
        self._stage, self._name, self._closed = stage, name, closed

    def __aiter__(self) -> "Noted":
        return self

    def __anext__(self) -> Awaitable[object]:
        return anext(self._stage)

    async def aclose(self) -> None:
        if self._name not in self._closed:
            self._closed.append(self._name)
        await self._stage.aclose()


def test_closing_a_pipeline_closes_its_stages_last_to_first(monkeypatch: pytest.MonkeyPatch) -> None:
    stages: list[Noted] = []
    closed: list[str] = []

    async def numbers() -> AsyncGenerator[int, None]:
        try:
            for number in itertools.count():
                yield number
        finally:
            closed.append("numbers")

    def noting(name: str, make: Callable[..., Stream[object]]) -> Callable[..., Noted]:
        def made(source: AsyncIterable[object], function: Callable[[object], object]) -> Noted:
            stages.append(Noted(make(source, function), f"{name} {len(stages) + 1}", closed))
            return stages[-1]

        return made

    monkeypatch.setattr(streams, "map", noting("map", streams.map))
    monkeypatch.setattr(streams, "filter", noting("filter", streams.filter))
    monkeypatch.setattr(pipeline, "numbers", numbers)

    async def main() -> None:
        async with connect(app, "GET", "/pipeline") as client:
            assert await client.chunk()
            client.stall()
            await asyncio.sleep(1)

    clock.run(main())
    assert closed == ["map 3", "filter 2", "map 1", "numbers"]


def test_two_sources_come_in_order_of_arrival() -> None:
    came = [(at, line.strip()) for at, line in clock.run(arrivals("/merge"))]
    assert came == [(0.3, "A0"), (0.5, "B0"), (0.6, "A1"), (0.9, "A2"), (1.0, "B1"), (1.5, "B2")]


def test_one_failing_source_ends_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[float] = []

    async def endless() -> AsyncGenerator[str, None]:
        try:
            while True:
                await asyncio.sleep(0.3)
                yield "A\n"
        finally:
            closed.append(clock.now())

    async def failing() -> AsyncGenerator[str, None]:
        await asyncio.sleep(1)
        raise ValueError("B")
        yield "B\n"

    monkeypatch.setattr(pipeline, "letters_a", endless)
    monkeypatch.setattr(pipeline, "letters_b", failing)

    async def main() -> None:
        async with connect(app, "GET", "/merge") as client:
            with pytest.raises(ValueError, match="B"):
                await client.finished()
        assert client.body == b"A\nA\nA\n"
        assert closed == [1]
        assert client.messages[-1].message.get("more_body") is True  # so the client finds out

    clock.run(main())


def test_a_completion_that_fails_says_so_in_its_last_frame(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def failing(*_: object) -> AsyncGenerator[dict[str, object], None]:
        yield {"object": "chat.completion.chunk"}
        raise ConnectionError("secret")

    monkeypatch.setattr(chat, "chunks", failing)
    body = b'{"model": "gpt-4", "stream": true, "messages": [{"role": "user", "content": "hi"}]}'
    answer = clock.run(fetch(app, "/v1/chat/completions", method="POST", body=body))
    assert b"secret" not in answer.body
    assert b"[DONE]" not in answer.body
    assert b"server_error" in answer.body
    assert "secret" in caplog.text


def test_an_answer_is_cancelled_over_the_websocket() -> None:
    async def main() -> None:
        async with websocket(app, "/ws") as client:
            await client.accepted()
            await client.say("你好")
            assert await client.hear() == '{"type": "start"}'
            assert await client.hear() == '{"type": "token", "content": "这是对 "}'
            await client.say('{"type": "cancel"}')
            assert await client.hear() == '{"type": "cancelled"}'
            await client.leave()
            await client.finished()

    clock.run(main())


@pytest.mark.parametrize(
    ("said", "code"),
    [('{"type": "close"}', 1000), (b"\0", 1003), ('{"type": "dance"}', 1008), ("x" * 10_001, 1009)],
)
def test_a_close_code_says_why(said: str | bytes, code: int) -> None:
    async def main() -> None:
        async with websocket(app, "/ws") as client:
            await client.accepted()
            await client.say(said)
            assert await client.closed() == code

    clock.run(main())
