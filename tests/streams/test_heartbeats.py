"""heartbeat: time is virtual, and t is when something came."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable

import clock
import pytest

from rawasgi.streams import heartbeat


async def paced(*pauses: float) -> AsyncGenerator[str, None]:
    for pause in pauses:
        await asyncio.sleep(pause)
        yield f"item at {clock.now():g}"


async def collect(stream: AsyncIterable[str]) -> list[str]:
    return [item async for item in stream]


def beat() -> str:
    return f"beat at {clock.now():g}"


def run(source: AsyncIterable[str], every: float) -> list[str]:
    return clock.run(collect(heartbeat(source, every, beat)))


def test_it_beats_only_while_the_source_is_silent() -> None:
    assert run(paced(5, 25, 5), every=10) == [
        "item at 5",
        "beat at 15",
        "beat at 25",
        "item at 30",
        "item at 35",
    ]


def test_it_does_not_beat_for_a_source_that_is_never_silent_for_so_long() -> None:
    assert [item for item in run(paced(*[9.0] * 50), every=10) if "beat" in item] == []


def test_it_counts_from_the_last_item_though_its_timer_is_older() -> None:
    assert run(paced(9, 9, 9, 15), every=10) == ["item at 9", "item at 18", "item at 27", "beat at 37", "item at 42"]


def test_it_beats_for_a_source_that_only_gives_way() -> None:
    async def busy() -> AsyncGenerator[str, None]:
        until = clock.now() + 2.5
        asyncio.get_running_loop().call_later(2.5, int)
        while clock.now() < until:
            await asyncio.sleep(0)
            clock.loop().selector.now += 0.01
        yield "item"

    assert [item.split()[0] for item in run(busy(), every=1)] == ["beat", "beat", "item"]


def test_a_reader_that_is_slow_itself_gets_no_beats_for_that_time() -> None:
    async def main() -> list[str]:
        seen = []
        async for item in heartbeat(paced(1, 35), 10, beat):
            seen.append(f"{item}, read at {clock.now():g}")
            await asyncio.sleep(25)
        return seen

    assert clock.run(main()) == [
        "item at 1, read at 1",
        "beat at 36, read at 36",
        "item at 61, read at 61",
    ]


def test_one_timer_does_for_many_items() -> None:
    async def main() -> None:
        timers = 0
        call_at = clock.loop().call_at

        def counted(when: float, callback: object, *args: object, **options: object) -> asyncio.TimerHandle:
            nonlocal timers
            if getattr(callback, "__name__", "") == "_ring":
                timers += 1
            return call_at(when, callback, *args, **options)  # type: ignore[arg-type]  # passed on as it came

        clock.loop().call_at = counted  # type: ignore[method-assign]  # it is what is counted
        assert len(await collect(heartbeat(paced(*[0.1] * 1000), 10, beat))) == 1000
        assert timers == 11

    clock.run(main())


def test_its_timer_does_not_outlive_it() -> None:
    async def main() -> None:
        await collect(heartbeat(paced(1, 1), 10, beat))
        with pytest.raises(clock.Deadlock):
            await asyncio.get_running_loop().create_future()
        assert clock.now() == 2

    with pytest.raises(clock.Deadlock):
        clock.run(main())


def test_closing_after_a_beat_cancels_the_source_and_waits_for_its_clean_up() -> None:
    log: list[str] = []

    async def source() -> AsyncGenerator[str, None]:
        try:
            await asyncio.sleep(100)
            yield "too late"
        except asyncio.CancelledError:
            log.append(f"cancelled at {clock.now():g}")
            raise
        finally:
            await asyncio.sleep(3)
            log.append(f"closed at {clock.now():g}")

    async def main() -> None:
        stream = heartbeat(source(), 10, beat)
        assert await anext(stream) == "beat at 10"
        await stream.aclose()

    clock.run(main())
    assert log == ["cancelled at 10", "closed at 13"]


def test_closing_after_a_beat_does_not_mind_that_the_source_ends_or_goes_on() -> None:
    async def source(goes_on: bool) -> AsyncGenerator[str, None]:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            if goes_on:
                yield "all the same"

    async def main() -> None:
        for goes_on in (False, True):
            stream = heartbeat(source(goes_on), 10, beat)
            await anext(stream)
            await stream.aclose()

    clock.run(main())


def test_a_source_in_its_clean_up_after_a_cancellation_is_not_disturbed_by_beats() -> None:
    async def source() -> AsyncGenerator[str, None]:
        try:
            await asyncio.sleep(100)
            yield "too late"
        finally:
            await asyncio.sleep(30)

    async def main() -> None:
        reader = asyncio.create_task(collect(heartbeat(source(), 10, beat)))
        await asyncio.sleep(5)
        reader.cancel()
        await asyncio.wait([reader])
        assert reader.cancelled()
        assert clock.now() == 35

    clock.run(main())


def test_a_source_that_caught_its_own_timeout_is_silent_again() -> None:
    async def source() -> AsyncGenerator[str, None]:
        try:
            async with asyncio.timeout(5):
                await asyncio.sleep(100)
        except TimeoutError:
            await asyncio.sleep(20)
        yield "item"

    assert run(source(), every=10) == ["beat at 10", "beat at 20", "item"]


def test_a_timeout_of_the_source_that_ends_while_a_beat_is_being_sent_comes_from_closing() -> None:
    async def source() -> AsyncGenerator[str, None]:
        async with asyncio.timeout(12):
            await asyncio.sleep(100)
        yield "too late"

    async def main() -> None:
        stream = heartbeat(source(), 10, beat)
        await anext(stream)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(5)
        with pytest.raises(TimeoutError):
            await stream.aclose()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    clock.run(main())


def test_an_error_of_beat_comes_unchanged_and_closes_the_source() -> None:
    async def main() -> None:
        source = paced(30)
        with pytest.raises(ZeroDivisionError):
            await anext(heartbeat(source, 10, lambda: 1 // 0))
        with pytest.raises(StopAsyncIteration):
            await anext(source)

    clock.run(main())


@pytest.mark.parametrize("every", [0, -1, float("nan")])
def test_it_must_be_more_than_0_seconds(every: float) -> None:
    async def main() -> None:
        source = paced(1)
        with pytest.raises(ValueError, match=f"every so many seconds, not {every}"):
            heartbeat(source, every, beat)
        await source.aclose()

    clock.run(main())
