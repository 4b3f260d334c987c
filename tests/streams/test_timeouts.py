"""timeout."""

import asyncio
from collections.abc import AsyncGenerator

import clock
import pytest

from rawasgi.streams import DeadlineExceeded, timeout

log: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    log.clear()


async def paced(*pauses: float) -> AsyncGenerator[float, None]:
    try:
        for pause in pauses:
            await asyncio.sleep(pause)
            yield clock.now()
    except asyncio.CancelledError:
        log.append(f"cancelled at {clock.now():g}")
        raise
    finally:
        await asyncio.sleep(1)
        log.append(f"closed at {clock.now():g}")


def test_each_item_has_its_own_time() -> None:
    async def main() -> None:
        assert [item async for item in timeout(paced(9, 9, 0, 9), 10)] == [9, 18, 18, 27]

    clock.run(main())


def test_an_item_that_takes_longer_cancels_and_closes_the_source_before_it_raises() -> None:
    async def main() -> None:
        stream = timeout(paced(9, 11), 10)
        assert await anext(stream) == 9
        with pytest.raises(DeadlineExceeded, match=r"^no item came for 10 s") as raised:
            await anext(stream)
        assert raised.value.which == "idle"
        assert log == ["cancelled at 19", "closed at 20"]

    clock.run(main())


@pytest.mark.parametrize(("seconds", "first"), [(10, None), (100, 10), (1, 10)])
def test_a_first_item_that_takes_longer_is_told_from_the_others(seconds: float, first: float | None) -> None:
    async def main() -> None:
        with pytest.raises(DeadlineExceeded, match=r"^no first item came for 10 s") as raised:
            await anext(timeout(paced(11), seconds, first))
        assert raised.value.which == "first"
        assert log == ["cancelled at 10", "closed at 11"]

    clock.run(main())


def test_the_first_item_may_take_longer_than_the_others_and_is_no_excuse_for_them() -> None:
    async def main() -> None:
        stream = timeout(paced(50, 4, 6), 5, first=60)
        assert [await anext(stream), await anext(stream)] == [50, 54]
        with pytest.raises(DeadlineExceeded, match=r"^no item came for 5 s"):
            await anext(stream)
        assert log == ["cancelled at 59", "closed at 60"]

    clock.run(main())


def test_an_empty_source_is_not_late() -> None:
    async def main() -> None:
        assert [item async for item in timeout(paced(), 5, first=1)] == []
        assert log == ["closed at 1"]

    clock.run(main())


def test_the_time_of_a_slow_reader_does_not_count() -> None:
    async def main() -> None:
        stream = timeout(paced(9, 9, 9), 10)
        async for _ in stream:
            await asyncio.sleep(100)
        assert log == ["closed at 328"]

    clock.run(main())


def test_a_source_that_goes_on_or_ends_when_it_is_cancelled_is_too_late_all_the_same() -> None:
    async def stubborn(goes_on: bool) -> AsyncGenerator[str, None]:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            if goes_on:
                yield "all the same"

    async def main() -> None:
        for goes_on in (False, True):
            with pytest.raises(TimeoutError, match="for 10 s"):
                await anext(timeout(stubborn(goes_on), 10))

    clock.run(main())


def test_what_the_source_raises_when_it_is_cancelled_comes_instead() -> None:
    async def failing() -> AsyncGenerator[str, None]:
        try:
            await asyncio.sleep(100)
            yield "too late"
        finally:
            raise OSError("clean-up")

    async def main() -> None:
        with pytest.raises(OSError, match="clean-up"):
            await anext(timeout(failing(), 10))

    clock.run(main())


def test_a_reader_that_is_cancelled_meanwhile_is_cancelled_and_not_late() -> None:
    async def slow() -> AsyncGenerator[str, None]:
        try:
            await asyncio.sleep(100)
            yield "too late"
        finally:
            await asyncio.sleep(20)

    async def main() -> None:
        stream = timeout(slow(), 10)
        reader = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(9)
        reader.cancel()
        await asyncio.wait([reader])
        assert reader.cancelled()
        assert clock.now() == 29

    clock.run(main())


def test_a_reader_that_is_cancelled_while_the_late_source_is_closed_is_cancelled() -> None:
    async def main() -> None:
        reader = asyncio.ensure_future(anext(timeout(paced(100), 10)))
        await asyncio.sleep(10.5)
        reader.cancel()
        await asyncio.wait([reader])
        assert reader.cancelled()
        assert log == ["cancelled at 10"]

    clock.run(main())


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_it_must_be_more_than_0_seconds(seconds: float) -> None:
    async def main() -> None:
        source = paced(1)
        with pytest.raises(ValueError, match=f"more than 0 seconds, not {seconds}"):
            timeout(source, seconds)
        with pytest.raises(ValueError, match=f"more than 0 seconds, not {seconds}"):
            timeout(source, 10, first=seconds)
        await source.aclose()

    clock.run(main())
