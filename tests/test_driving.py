"""The driver's clocks, on a loop of uvloop's: its timers are up to half a millisecond early."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from known_server import KnownServer
from serving import PATIENCE, need

from rawasgi import clocks, respond
from rawasgi.asgi import HTTPScope, Received, Sent
from rawasgi.response import Response
from rawasgi.suspension import Suspension

ODD = 0.0033  # seconds, which uvloop rounds down
SCOPE: HTTPScope = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "GET",
    "path": "/",
    "query_string": b"",
    "headers": [],
}


async def endless() -> AsyncIterator[str]:
    while True:
        yield "item"


class Unwilling:
    """One item; its clean-up hangs."""

    def __init__(self) -> None:
        self.items = iter(["item"])

    def __aiter__(self) -> "Unwilling":
        return self

    async def __anext__(self) -> str:
        for item in self.items:
            return item
        raise StopAsyncIteration

    async def aclose(self) -> None:
        await asyncio.sleep(PATIENCE)


async def answer(response: Response, holds_up: bool) -> None:
    async def receive() -> Received:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Sent) -> None:
        if holds_up and message["type"] == "http.response.body":
            await asyncio.sleep(PATIENCE)

    server = KnownServer(receive, send)
    await response(SCOPE, server.receive, server.send)


@pytest.mark.parametrize("limit", ["send", "cleanup"])
def test_a_limit_holds_though_its_alarm_is_early(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    need("uvloop")
    import uvloop  # it may be missing

    monkeypatch.setattr(clocks, "_REFRESH", 3600.0)  # or that would look again, and hide it

    async def script() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(20):
            began = loop.time()
            if limit == "send":
                await answer(respond.stream(endless(), send=ODD), holds_up=True)
            else:
                with pytest.raises(TimeoutError, match="was cut off"):
                    await answer(respond.stream(Unwilling(), cleanup=ODD), holds_up=False)
            assert loop.time() - began < PATIENCE, "only when the send, or the clean-up, was over"

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(script())


def test_a_wait_of_a_paced_source_is_hardly_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """The short way round is taken: nothing else would show if it were not, but the time."""
    looks = 0
    look = Suspension.handle_events

    def counted(suspension: Suspension) -> bool:
        nonlocal looks
        looks += 1
        return look(suspension)

    async def paced() -> AsyncIterator[str]:
        for _ in range(100):
            future = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(future.set_result, None)
            await future
            yield "item"

    monkeypatch.setattr(Suspension, "handle_events", counted)
    asyncio.run(answer(respond.stream(paced()), holds_up=False))
    assert looks < 10


def test_a_receive_that_only_gives_way_is_asked_once_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was asked once more in each turn than in the one before."""
    asked = turns = 0

    async def receive() -> Received:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"", "more_body": True}

    async def send(message: Sent) -> None:
        nonlocal turns
        for _ in range(300):
            turns += 1
            future = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(future.set_result, None)
            await future

    async def source() -> AsyncIterator[str]:
        await asyncio.sleep(0)
        yield "item"

    asyncio.run(respond.stream(source())(SCOPE, receive, send))
    assert asked < 10 * turns
