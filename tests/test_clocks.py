"""When a response calls receive() anew, in virtual seconds: a server may have stopped reading, and its client left.

And how many timers that takes, where many responses wait.
"""

import asyncio
from collections.abc import AsyncIterator

import clock
import pytest
from test_driving import SCOPE

from rawasgi import clocks, respond
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


async def silent() -> AsyncIterator[str]:
    await asyncio.sleep(3600)
    yield "too late"


class Crowd:
    """Silent responses with a heartbeat each 10 seconds. ``beats``: when each has sent one."""

    def __init__(self) -> None:
        self.beats: dict[int, list[float]] = {}

    def begin(self, number: int) -> "asyncio.Task[None]":
        self.beats[number] = []

        async def receive() -> Received:
            await asyncio.get_running_loop().create_future()
            raise AssertionError

        async def send(message: Sent) -> None:
            if message["type"] == "http.response.body" and message["body"]:
                self.beats[number].append(clock.now())

        return asyncio.create_task(respond.sse(silent(), heartbeat=10)(SCOPE, receive, send))


async def ended(tasks: list["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def test_responses_that_begin_together_share_a_timer(rings: list[clocks.Ring]) -> None:
    async def script() -> None:
        crowd = Crowd()
        tasks = [crowd.begin(number) for number in range(100)]
        await asyncio.sleep(35)
        assert all(beats == [10, 20, 30] for beats in crowd.beats.values())
        assert len(rings) == 5  # at 2, 10, 20, 30, and one to come
        await ended(tasks)
        assert rings[-1]._timer is None  # cancelled
        assert clocks._rings[clock.loop()] == {}

    clock.run(script())


def test_who_ends_leaves_the_others_their_timer() -> None:
    async def script() -> None:
        crowd = Crowd()
        tasks = [crowd.begin(number) for number in range(10)]
        await asyncio.sleep(5)
        await ended(tasks[1:])
        await asyncio.sleep(10)
        assert crowd.beats == {0: [10], **{number: [] for number in range(1, 10)}}
        await ended(tasks[:1])

    clock.run(script())


def test_who_begins_at_another_time_beats_at_another_time() -> None:
    async def script() -> None:
        crowd = Crowd()
        tasks = []
        for number in range(3):
            tasks.append(crowd.begin(number))
            await asyncio.sleep(0.25)
        await asyncio.sleep(11)
        assert crowd.beats == {0: [10], 1: [10.25], 2: [10.5]}
        await ended(tasks)

    clock.run(script())
