"""filter."""

from collections.abc import AsyncGenerator

import clock
import pytest

from rawasgi.streams import filter


async def numbers(count: int) -> AsyncGenerator[int, None]:
    for number in range(count):
        yield number


def test_it_keeps_what_the_predicate_holds_for_true() -> None:
    async def main() -> None:
        assert [item async for item in filter(numbers(5), lambda number: number % 2)] == [1, 3]
        assert [item async for item in filter(numbers(3), lambda number: "x" * number)] == [1, 2]

    clock.run(main())


def test_it_awaits_the_verdict_if_it_can_be_awaited() -> None:
    async def is_odd(number: int) -> bool:
        return number % 2 == 1

    async def main() -> None:
        assert [item async for item in filter(numbers(5), is_odd)] == [1, 3]
        mixed = filter(numbers(5), lambda number: is_odd(number) if number < 3 else number == 4)
        assert [item async for item in mixed] == [1, 4]

    clock.run(main())


def test_an_error_of_the_predicate_comes_unchanged_and_closes_the_source() -> None:
    async def main() -> None:
        source = numbers(3)
        with pytest.raises(ZeroDivisionError):
            await anext(filter(source, lambda number: 1 // number))
        with pytest.raises(StopAsyncIteration):
            await anext(source)

    clock.run(main())
