"""Beats of a response: what it sends while its source is silent. Time is virtual, and t is when something came."""

import asyncio
from collections.abc import AsyncIterator

import clock
import pytest

from rawasgi import Response, respond
from rawasgi.clocks import Ring
from rawasgi.dev.client import connect
from rawasgi.sending import Streaming


async def paced(*pauses: float) -> AsyncIterator[str]:
    for pause in pauses:
        await asyncio.sleep(pause)
        yield f"item at {clock.now():g}"


def beating(source: AsyncIterator[str], every: float = 10) -> Response:
    return Response(Streaming(source, beat=b"beat", every=every))


async def arrivals(response: Response) -> list[str]:
    async with connect(response) as client:
        return [chunk.decode() + ("" if b"item" in chunk else f" at {clock.now():g}") async for chunk in client]


def run(source: AsyncIterator[str], every: float = 10) -> list[str]:
    return clock.run(arrivals(beating(source, every)))


def test_it_beats_only_while_the_source_is_silent() -> None:
    assert run(paced(5, 25, 5)) == ["item at 5", "beat at 15", "beat at 25", "item at 30", "item at 35"]


def test_it_does_not_beat_for_a_source_that_is_never_silent_for_so_long() -> None:
    assert [item for item in run(paced(*[9.0] * 50)) if "beat" in item] == []


def test_it_counts_from_the_last_item_though_its_timer_is_older() -> None:
    assert run(paced(9, 9, 9, 15)) == ["item at 9", "item at 18", "item at 27", "beat at 37", "item at 42"]


def test_it_beats_for_a_source_that_only_gives_way() -> None:
    async def busy() -> AsyncIterator[str]:
        yield "item"
        until = clock.now() + 2.5
        while clock.now() < until:
            await asyncio.sleep(0)
            clock.loop().selector.now += 0.01
        yield "item"

    assert [item.split()[0] for item in run(busy(), every=1)] == ["item", "beat", "beat", "item"]


def test_a_client_that_does_not_read_gets_no_beats_for_that_time() -> None:
    async def script() -> list[str]:
        async with connect(beating(paced(1, 35))) as client:
            client.stall()
            await asyncio.sleep(20)
            client.resume()
            return [f"{chunk.decode()} at {clock.now():g}" async for chunk in client]

    assert clock.run(script()) == [
        "item at 1 at 20",
        *["beat at 30", "beat at 40", "beat at 50"],
        "item at 55 at 55",
    ]


def test_one_timer_does_for_many_items(rings: list[Ring]) -> None:
    async def script() -> None:
        assert len(await arrivals(beating(paced(*[0.1] * 1000)))) == 1000
        assert 0 < len(rings) < 20

    clock.run(script())


def test_no_timer_outlives_it() -> None:
    async def script() -> None:
        await arrivals(beating(paced(1, 1)))
        with pytest.raises(clock.Deadlock):
            await asyncio.get_running_loop().create_future()
        assert clock.now() == 2

    with pytest.raises(clock.Deadlock):
        clock.run(script())


def test_a_source_in_its_clean_up_is_not_spoken_for() -> None:
    async def source() -> AsyncIterator[str]:
        try:
            await asyncio.sleep(100)
            yield "too late"
        finally:
            await asyncio.sleep(30)

    async def script() -> int:
        response = Response(Streaming(source(), beat=b"beat", every=10, cleanup=60))
        async with connect(response, patience=60) as client:
            await asyncio.sleep(15)
            before = client.body.count(b"beat")
            await client.cancel()
            assert clock.now() == 45
            return client.body.count(b"beat") - before

    assert clock.run(script()) == 0


def test_a_source_that_caught_its_own_timeout_is_silent_again() -> None:
    async def source() -> AsyncIterator[str]:
        try:
            async with asyncio.timeout(5):
                await asyncio.sleep(100)
        except TimeoutError:
            await asyncio.sleep(20)
        yield "item"

    assert run(source()) == ["beat at 10", "beat at 20", "item"]


def test_a_timeout_of_the_source_ends_while_a_beat_is_held_up() -> None:
    async def source() -> AsyncIterator[str]:
        try:
            async with asyncio.timeout(12):
                await asyncio.sleep(100)
        except TimeoutError:
            yield f"item at {clock.now():g}"

    async def script() -> list[str]:
        async with connect(beating(source())) as client:
            client.stall()
            await asyncio.sleep(15)
            client.resume()
            return [chunk.decode() async for chunk in client]

    assert clock.run(script())[-1] == "item at 12"


@pytest.mark.parametrize("every", [0, -1, float("nan")])
def test_it_must_be_more_than_0_seconds(every: float) -> None:
    with pytest.raises(ValueError, match=f"every so many seconds, not {every}"):
        respond.sse(paced(1), heartbeat=every)
