"""When a response calls receive() anew, in virtual seconds: a server may have stopped reading, and its client left."""

import asyncio
from collections.abc import AsyncIterator

import clock
import pytest
from test_driving import SCOPE

from rawasgi import respond
from rawasgi.asgi import Received, Sent


async def calls(source: AsyncIterator[str], heartbeat: float | None = None) -> list[float]:
    """The times at which receive() is called, after the request."""
    times: list[float] = []
    asked = False

    async def receive() -> Received:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        times.append(round(clock.now()))
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def send(message: Sent) -> None:
        pass

    await respond.sse(source, heartbeat=heartbeat)(SCOPE, receive, send)
    return times


async def paced(seconds: float, count: int) -> AsyncIterator[str]:
    for _ in range(count):
        await asyncio.sleep(seconds)
        yield "item"


@pytest.mark.parametrize(
    ("pause", "count", "heartbeat", "wanted"),
    [
        (1, 110, None, [0]),
        (110, 1, 1, [0]),
        (25, 4, None, [0, 2, 10]),
    ],
    ids=["sends", "beats", "sends now and then"],
)
def test_it_is_called_anew_only_when_nothing_was_sent(
    pause: float, count: int, heartbeat: float | None, wanted: list[float]
) -> None:
    assert clock.run(calls(paced(pause, count), heartbeat)) == wanted
