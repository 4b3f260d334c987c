"""The iterator over the messages of a websocket: it needs no closing, and can be closed."""

import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress

import pytest
from clock import run

from rawasgi import streams
from rawasgi.dev.client import WebSocketClient, websocket
from rawasgi.errors import Disconnected, OutOfOrder
from rawasgi.websocket import WebSocket, websocket_app

Talk = Callable[[WebSocket], Awaitable[None]]


def talk(function: Talk, *said: str, leaves: bool = False) -> list[object]:
    """Run *function* with a client that says *said*; return the async generators that were left unclosed."""
    left: list[object] = []

    async def main() -> None:
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(finalizer=left.append)
        try:
            async with websocket(websocket_app(function)) as client:
                await script(client)
            gc.collect()
        finally:
            sys.set_asyncgen_hooks(*hooks)

    async def script(client: WebSocketClient) -> None:
        await client.accepted()
        for text in said:
            await client.say(text)
        if leaves:
            await client.leave()
        await client.finished()

    run(main())
    return left


@pytest.mark.parametrize("how", ["break", "return", "raise"])
def test_a_loop_that_is_left_leaves_no_generator_behind(how: str) -> None:
    heard: list[object] = []

    async def function(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            async for message in websocket:
                heard.append(message)
                if how == "break":
                    break
                if how == "return":
                    return
                raise LookupError
        except LookupError:
            pass
        heard.append(await websocket.receive())  # it is as open as before

    assert talk(function, "one", "two") == []
    assert heard == (["one"] if how == "return" else ["one", "two"])


def test_a_loop_that_waits_when_its_handler_is_cancelled_leaves_no_generator_behind() -> None:
    async def function(websocket: WebSocket) -> None:
        await websocket.accept()
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                async for _ in websocket:
                    raise AssertionError

    assert talk(function) == []


def test_a_cancelled_wait_does_not_end_the_iterator() -> None:
    heard: list[object] = []

    async def function(websocket: WebSocket) -> None:
        await websocket.accept()
        messages = aiter(websocket)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await anext(messages)
        heard.extend([message async for message in messages])

    talk(function, "one", "two", leaves=True)
    assert heard == ["one", "two"]


def test_it_ends_when_the_client_closes_and_stays_ended() -> None:
    async def function(websocket: WebSocket) -> None:
        await websocket.accept()
        messages = aiter(websocket)
        assert [message async for message in messages] == ["one"]
        with pytest.raises(StopAsyncIteration):
            await anext(messages)
        with pytest.raises(Disconnected):
            await websocket.receive()

    assert talk(function, "one", leaves=True) == []


@pytest.mark.parametrize("close", [aclosing, streams.owned])
def test_it_can_be_closed_and_the_websocket_stays_open(close: Callable[[object], streams.owned[str]]) -> None:
    async def function(websocket: WebSocket) -> None:
        await websocket.accept()
        messages = aiter(websocket)
        async with close(messages):
            assert await anext(messages) == "one"
        with pytest.raises(StopAsyncIteration):
            await anext(messages)
        assert await websocket.receive() == "two"

    assert talk(function, "one", "two") == []


def test_it_waits_for_the_handshake_as_receive_does() -> None:
    async def function(websocket: WebSocket) -> None:
        with pytest.raises(OutOfOrder, match="must be open to receive"):
            await anext(aiter(websocket))
        await websocket.accept()

    assert talk(function) == []


def test_a_wrapper_of_a_stream_reads_it() -> None:
    heard: list[object] = []

    async def function(websocket: WebSocket) -> None:
        await websocket.accept()
        heard.extend([message async for message in streams.timeout(websocket, 5)])

    talk(function, "one", "two", leaves=True)
    assert heard == ["one", "two"]
