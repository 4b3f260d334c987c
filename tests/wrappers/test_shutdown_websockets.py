"""Stopping: open websockets are closed with 1012, whatever their apps are doing."""

import asyncio
from typing import cast

import clock
import pytest
from fastapi import FastAPI
from fastapi import WebSocket as TheirWebSocket
from starlette.websockets import WebSocketDisconnect

from rawasgi import Disconnected
from rawasgi.app_types import App
from rawasgi.asgi import Receive, Received, Scope, Send, Sent
from rawasgi.dev.client import WebSocketClient, websocket
from rawasgi.dev.scopes import request_scope
from rawasgi.shutdown import Drain
from rawasgi.websocket import WebSocket, websocket_app

SCOPE = request_scope("websocket", "/", {}, scheme="ws")
CLOSED = (1012, "the server is shutting down: connect again")


def closed(app: App, drain: Drain | None = None, begin_after: float = 1.5, **options: object) -> WebSocketClient:
    """The client of *app*, which is drained after 1.5 seconds."""
    drain = drain or Drain()

    async def script() -> WebSocketClient:
        async with websocket(drain(app), **options) as client:  # type: ignore[arg-type]
            await asyncio.sleep(begin_after)
            assert drain.open == 1
            drain.begin()
            drain.begin()
            await drain.wait()
            await client.finished()
        assert drain.open == 0
        return client

    return clock.run(script())


def ended_with(client: WebSocketClient) -> tuple[int, str]:
    return client.code, client.reason


def test_an_app_that_waits_for_a_message_gets_a_disconnect_and_its_client_1012() -> None:
    log: list[object] = []

    @websocket_app
    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            async for message in websocket:
                await websocket.send(message)
        finally:
            await asyncio.sleep(1)
            log.append((websocket.disconnected, websocket.code, websocket.reason, clock.now()))

    assert ended_with(closed(echo)) == CLOSED
    assert log == [(True, *CLOSED, 2.5)], "at once, and its clean-up is awaited"


def test_an_app_that_only_sends_ends_with_its_next_message() -> None:
    log: list[str] = []

    @websocket_app
    async def ticks(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            while True:
                await websocket.send(f"at {clock.now()}")
                await asyncio.sleep(1)
        except Disconnected:
            log.append(f"ended at {clock.now()}")
            raise

    client = closed(ticks)
    assert ended_with(client) == CLOSED
    sent = [each.message["text"] for each in client.messages if each.message["type"] == "websocket.send"]
    assert sent == ["at 0.0", "at 1.0"]
    assert log == ["ended at 2.0"]


def test_a_plain_app_that_only_sends_ends_without_an_error() -> None:
    async def ticks(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            await send({"type": "websocket.send", "text": "tick"})
            await asyncio.sleep(1)

    assert ended_with(closed(ticks)) == CLOSED


def test_one_that_is_not_accepted_yet_is_closed_once_it_is() -> None:
    @websocket_app
    async def slow(websocket: WebSocket) -> None:
        await asyncio.sleep(3)
        await websocket.accept()
        await websocket.receive()

    assert ended_with(closed(slow)) == CLOSED


@pytest.mark.parametrize("how", ["closes", "denies", "returns"])
def test_what_ends_by_itself_is_left_alone(how: str) -> None:
    @websocket_app
    async def ending(websocket: WebSocket) -> None:
        if how == "denies":
            await websocket.deny(401, "who are you?")
        else:
            await websocket.accept()
        if how == "closes":
            await websocket.close(4000, "its own")
        await asyncio.sleep(3 if how != "returns" else 1)

    client = closed(ending, Drain(websocket_grace=10) if how == "returns" else None, begin_after=0.5)
    assert client.code == {"closes": 4000, "denies": 1000, "returns": 1000}[how]


def test_a_client_that_has_left_is_not_closed() -> None:
    drain = Drain()
    sent: list[object] = []

    @websocket_app
    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        with pytest.raises(Disconnected):
            await websocket.receive()
        await asyncio.sleep(2)

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        async def note(message: Sent) -> None:
            sent.append(message["type"])
            await send(message)

        await drain(echo)(scope, receive, note)

    async def script() -> None:
        async with websocket(noting) as client:
            await client.accepted()
            await client.leave(1001)
            await asyncio.sleep(1)
            drain.begin()
            await client.finished()

    clock.run(script())
    assert sent == ["websocket.accept"]


def test_it_has_a_grace_in_which_it_may_end_by_itself() -> None:
    drain = Drain(websocket_grace=5)

    @websocket_app
    async def answers(websocket: WebSocket) -> None:
        await websocket.accept()
        while not drain.begun:
            await websocket.send(await websocket.receive())
        await websocket.close(1000, "said all")

    async def script() -> tuple[list[tuple[int, str]], float]:
        async with websocket(drain(answers)) as quick, websocket(drain(answers)) as silent:
            await quick.accepted()
            await silent.accepted()
            drain.begin()
            await quick.say("the last")
            assert await quick.hear() == "the last"
            await drain.wait()
            await quick.finished()
            await silent.finished()
        return [ended_with(quick), ended_with(silent)], clock.now()

    assert clock.run(script()) == ([(1000, "said all"), CLOSED], 5)


def test_one_whose_app_has_returned_is_the_servers() -> None:
    drain = Drain(websocket_grace=5)
    sent: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await asyncio.sleep(1)

    async def script() -> None:
        async def note(message: Sent) -> None:
            sent.append(message["type"])

        async def connects() -> Received:
            return {"type": "websocket.connect"}

        serving = asyncio.ensure_future(drain(app)(SCOPE, connects, note))
        await asyncio.sleep(0)
        drain.begin()
        await serving
        await asyncio.sleep(10)

    clock.run(script())
    assert sent == ["websocket.accept"]


def test_a_grace_must_make_sense() -> None:
    with pytest.raises(ValueError, match="websocket_grace must be 0 seconds or more, not -1"):
        Drain(websocket_grace=-1)


@pytest.mark.parametrize("blocks", ["send", "close"])
def test_a_client_that_does_not_read_holds_up_nothing_for_long(blocks: str) -> None:
    drain = Drain()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await receive()

    async def blocked(scope: Scope, receive: Receive, send: Send) -> None:
        async def block(message: Sent) -> None:
            if message["type"] == "websocket.close":
                if blocks == "send":
                    raise OSError("the server has closed it")
                await asyncio.Event().wait()
            await send(message)

        await drain(app)(scope, receive, block)

    async def script() -> float:
        async with websocket(blocked, validated=False) as client:
            await client.accepted()
            drain.begin()
            await drain.wait()
            ended = clock.now()
        return ended

    assert clock.run(script()) == (0 if blocks == "send" else 2)


def test_errors_of_the_app_are_raised() -> None:
    class Other(Disconnected):
        """About another client."""

    def failing(error: Exception) -> App:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            raise error

        return app

    async def script(error: Exception) -> None:
        async with websocket(Drain()(failing(error)), validated=False) as client:
            await client.finished()

    for error in (Other(), TimeoutError("its own"), LookupError()):
        with pytest.raises(type(error)):
            clock.run(script(error))


def test_a_timeout_of_receive_is_raised() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with pytest.raises(TimeoutError, match="the middleware's"):
            await receive()

    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        async def fail() -> object:
            raise TimeoutError("the middleware's")

        await Drain()(app)(scope, fail, send)

    async def script() -> None:
        async with websocket(late, validated=False) as client:
            await client.finished()

    clock.run(script())


def test_a_cancellation_is_the_apps_own() -> None:
    """A timeout around receive() is no disconnect."""
    log: list[str] = []

    @websocket_app
    async def impatient(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            async with asyncio.timeout(1):
                await websocket.receive()
        except TimeoutError:
            log.append("timeout")
        await websocket.receive()

    assert ended_with(closed(impatient)) == CLOSED
    assert log == ["timeout"]


def test_fastapi_gets_its_own_disconnect() -> None:
    app = FastAPI()
    codes: list[int] = []

    @app.websocket("/")
    async def endpoint(websocket: TheirWebSocket) -> None:
        await websocket.accept()
        try:
            await websocket.receive_text()
        except WebSocketDisconnect as error:
            codes.append(error.code)

    assert ended_with(closed(cast(App, app))) == CLOSED
    assert codes == [1012]
