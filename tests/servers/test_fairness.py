"""A source that never awaits or ends: others are answered meanwhile, and it is closed when its client leaves."""

import asyncio
import statistics
import time

import pytest
from known import on_all
from serving import PATIENCE, Server

ENDLESS = ["hot/16", "hot/1000", "hot/65536", "grinding"]


async def asked_meanwhile(server: Server, source: str) -> tuple[list[float], float]:
    """Return how long /ping took, while *source* streamed to somebody, and how long *source* outlived that reader."""
    before = (await server.counts()).opened.get(source, 0)
    client = await server.open(f"/{source}")
    await client.until(b"\r\n\r\n")
    reading = asyncio.create_task(client.drain())
    seconds = []
    for _ in range(20 if server.gateway is None else 5):  # a handshake each
        start = time.monotonic()
        assert b"pong" in await server.get("/ping")  # an endless source that is not fair would never let it be
        seconds.append(time.monotonic() - start)
    assert not reading.done()
    reading.cancel()
    await asyncio.wait([reading])
    left = time.monotonic()
    client.leave()
    return seconds, await server.released(source, before + 1, left)


@pytest.mark.parametrize("source", ENDLESS)
@on_all("fairness")
def test_others_are_answered_and_it_is_closed(server: Server, source: str) -> None:
    seconds, outlived = asyncio.run(asyncio.wait_for(asked_meanwhile(server, source), PATIENCE))
    print(
        f"{server.name} /{source}: /ping median {statistics.median(seconds) * 1000:.1f} ms,"
        f" max {max(seconds) * 1000:.1f} ms; released after {outlived * 1000:.0f} ms"
    )


@on_all("fairness")
def test_ten_of_them_leave_room_for_others(server: Server) -> None:
    async def script() -> list[float]:
        found = await asyncio.gather(*(asked_meanwhile_of_many(server) for _ in range(10)))
        return [seconds for many in found for seconds in many]

    async def asked_meanwhile_of_many(server: Server) -> list[float]:
        client = await server.open("/hot/1000")
        reading = asyncio.create_task(client.drain())
        seconds = []
        for _ in range(3):
            start = time.monotonic()
            assert b"pong" in await server.get("/ping")
            seconds.append(time.monotonic() - start)
        reading.cancel()
        await asyncio.wait([reading])
        client.leave()
        return seconds

    async def released() -> None:
        while (counts := await server.counts()).opened["hot/1000"] > counts.released.get("hot/1000", 0):
            await asyncio.sleep(0.005)

    async def main() -> list[float]:
        seconds = await script()
        await released()
        return seconds

    seconds = asyncio.run(asyncio.wait_for(main(), PATIENCE))
    print(f"{server.name} 10 x /hot/1000: /ping median {statistics.median(seconds) * 1000:.0f} ms")
