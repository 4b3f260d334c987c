"""conclude: the last word."""

import asyncio
from collections.abc import AsyncIterator

import clock
import pytest

from rawasgi.streams import conclude


async def source(items: int, wait: float | None = None, error: Exception | None = None) -> AsyncIterator[int]:
    for number in range(items):
        if wait is not None:
            await asyncio.sleep(wait)
        yield number
    if wait is not None:
        await asyncio.sleep(wait)
    if error is not None:
        raise error


def done(count: int) -> str:
    return f"{count} in all"


async def collected(stream: AsyncIterator[object]) -> list[object]:
    return [item async for item in stream]


@pytest.mark.parametrize("wait", [None, 0, 1.0])
def test_what_ends_says_how_much_it_was(wait: float | None) -> None:
    assert clock.run(collected(conclude(source(2, wait), done, repr))) == [0, 1, "2 in all"]
    assert clock.run(collected(conclude(source(0, wait), done, repr))) == ["0 in all"]


@pytest.mark.parametrize("wait", [None, 0, 1.0])
def test_what_fails_says_so_instead(wait: float | None) -> None:
    stream = conclude(source(2, wait, LookupError("x")), done, repr)
    assert clock.run(collected(stream)) == [0, 1, "LookupError('x')"]


def test_an_error_before_the_first_item_and_the_first_wait_is_raised() -> None:
    with pytest.raises(LookupError):
        clock.run(collected(conclude(source(0, None, LookupError("x")), done, repr)))
    assert clock.run(collected(conclude(source(0, 0, LookupError("x")), done, repr))) == ["LookupError('x')"]


def test_who_has_nothing_to_say_says_nothing() -> None:
    assert clock.run(collected(conclude(source(1), lambda count: None, repr))) == [0]
    assert clock.run(collected(conclude(source(1, 0, LookupError()), done, lambda error: None))) == [0]


def test_the_last_word_comes_when_the_source_is_closed() -> None:
    happened: list[str] = []

    async def noted() -> AsyncIterator[int]:
        try:
            yield 1
            raise LookupError
        finally:
            happened.append("closed")

    def failed(error: Exception) -> str:
        happened.append("said")
        return "failed"

    assert clock.run(collected(conclude(noted(), done, failed))) == [1, "failed"]
    assert happened == ["closed", "said"]


def test_an_error_that_is_not_to_be_told_is_raised() -> None:
    def refused(error: Exception) -> str:
        raise error

    with pytest.raises(LookupError):
        clock.run(collected(conclude(source(1, 0, LookupError()), done, refused)))


def test_what_closing_raises_is_no_good_end() -> None:
    class Source:
        def __aiter__(self) -> "Source":
            return self

        async def __anext__(self) -> int:
            raise StopAsyncIteration

        async def aclose(self) -> None:
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        clock.run(collected(conclude(Source(), done, repr)))
