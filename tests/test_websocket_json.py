"""JSON over a websocket."""

import json
import logging
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import clock
import pytest

from rawasgi import WebSocket, json_input
from rawasgi.asgi import App, Sent
from rawasgi.dev.client import WebSocketClient, websocket
from rawasgi.errors import Disconnected, InvalidMessage
from rawasgi.websocket import websocket_app

Talk = Callable[[WebSocket], Awaitable[None]]


def talk(function: Talk, *said: str | bytes, leaves: bool = False) -> WebSocketClient:
    """The client that has said *said* to *function*."""

    async def script() -> WebSocketClient:
        async with websocket(websocket_app(function)) as client:
            await client.accepted()
            for message in said:
                await client.say(message)
            if leaves:
                await client.leave()
            await client.finished()
        return client

    return clock.run(script())


def sent(client: WebSocketClient) -> list[Sent]:
    return [each.message for each in client.messages if each.message["type"] == "websocket.send"]  # type: ignore[misc]


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        while True:
            await websocket.send_json(await websocket.receive_json())
    except Disconnected:
        return


def test_json_comes_back_as_it_went_from_text_and_from_binary() -> None:
    client = talk(echo, '{"a": [1, null, "你"]}', '"你"'.encode(), "1", leaves=True)
    texts = ['{"a":[1,null,"你"]}', '"你"', "1"]
    assert sent(client) == [{"type": "websocket.send", "text": text} for text in texts]


def test_json_may_go_in_a_binary_message_and_by_another_encoder() -> None:
    async def function(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_json(["你"], binary=True)
        await websocket.send_json(date(2026, 1, 2), dumps=lambda value: json.dumps(str(value)))
        await websocket.send_json(1, dumps=lambda value: repr(value).encode())

    binary, day, number = sent(talk(function))
    assert binary == {"type": "websocket.send", "bytes": '["你"]'.encode()}
    assert (day, number) == (
        {"type": "websocket.send", "text": '"2026-01-02"'},
        {"type": "websocket.send", "text": "1"},
    )


@pytest.mark.parametrize("value", [float("nan"), {"a": float("inf")}, object(), b"bytes"])
def test_what_is_not_json_is_not_sent(value: object) -> None:
    async def function(websocket: WebSocket) -> None:
        await websocket.accept()
        with pytest.raises((ValueError, TypeError)):
            await websocket.send_json(value)
        await websocket.send_json("still open")

    assert sent(talk(function)) == [{"type": "websocket.send", "text": '"still open"'}]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("", "it is empty"),
        (b"", "it is empty"),
        ("{", "Expecting property name enclosed in double quotes: line 1 column 2"),
        ("NaN", "JSON has no NaN"),
        (b"\xff", "byte 1 is not UTF-8"),
        ("[" * 100_000, "nested too deep"),
        ("secret", "Expecting value: line 1 column 1"),
    ],
    ids=lambda part: repr(part[:9]),
)
def test_what_is_not_json_closes_with_1007_that_names_the_place(
    message: str | bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    client = talk(echo, "1", message)
    assert (client.code, client.reason) == (1007, f"a message must be JSON (RFC 8259): {reason}")
    assert client.exception is None
    assert caplog.records == []


def test_the_reason_fits_whatever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    client = talk(echo, "\n" * 123_456 + " " * 1_234_567 + "{'")
    assert (client.code, client.reason[-26:]) == (1007, "line 123457 column 1234569")

    def wordy(text: bytes) -> None:
        raise ValueError("x" * 200)

    monkeypatch.setattr(json_input, "decode", wordy)
    assert len(talk(echo, "{").reason) == 123


def test_what_is_not_json_may_be_forgiven() -> None:
    async def function(websocket: WebSocket) -> None:
        await websocket.accept()
        with pytest.raises(InvalidMessage, match="line 1 column 1") as caught:
            await websocket.receive_json()
        assert "secret" not in str(caught.value)
        await websocket.send_json(await websocket.receive_json())

    client = talk(function, "secret", "2")
    assert (sent(client), client.code) == ([{"type": "websocket.send", "text": "2"}], 1000)


def test_an_invalid_message_before_it_accepts_is_an_error() -> None:
    async def function(websocket: WebSocket) -> None:
        raise InvalidMessage("of another websocket")

    async def script() -> None:
        async with websocket(websocket_app(function)) as client:
            with pytest.raises(InvalidMessage):
                await client.finished()
            assert client.status == 403

    clock.run(script())


def test_a_client_that_leaves_after_what_is_not_json_is_no_error() -> None:
    async def function(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            await websocket.receive_json()
        finally:
            with pytest.raises(Disconnected):
                await websocket.receive()

    client = talk(function, "{", leaves=True)
    assert client.exception is None


def test_a_send_that_fails_while_it_closes_with_1007_is_no_error() -> None:
    async def function(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.receive_json()

    messages: Any = iter([{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "{"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        if message["type"] == "websocket.close":
            raise OSError("gone")

    scope = {"type": "websocket", "asgi": {"version": "3.0"}, "path": "/", "headers": []}
    clock.run(called(websocket_app(function), scope, receive, send))


async def called(app: App, scope: object, receive: Any, send: Any) -> None:
    await app(scope, receive, send)
