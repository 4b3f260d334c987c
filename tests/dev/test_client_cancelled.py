"""A script that is cancelled while it waits for the app's end."""

import asyncio

import clock
import pytest

from rawasgi.asgi import Receive, Scope, Send
from rawasgi.dev.client import connect


def test_a_cancellation_while_the_app_ends_is_raised() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        await asyncio.sleep(2)

    async def use() -> None:
        async with connect(app) as client:
            assert (await client.message())["type"] == "http.response.start"
            assert (await client.message())["type"] == "http.response.body"

    async def script() -> None:
        task = asyncio.create_task(use())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(2)  # the app ends by itself

    clock.run(script())
