"""map."""

from collections.abc import AsyncGenerator

import clock
import pytest

from rawasgi.streams import map


async def numbers(count: int) -> AsyncGenerator[int, None]:
    for number in range(count):
        yield number


def test_it_calls_the_function_once_for_each_item() -> None:
    async def main() -> None:
        assert [item async for item in map(numbers(3), lambda number: f"{number}!")] == ["0!", "1!", "2!"]

    clock.run(main())


def test_it_awaits_what_the_function_returns_if_it_can_be_awaited() -> None:
    class Awaitable:
        def __await__(self) -> AsyncGenerator[None, None]:
            raise LookupError("awaited")

    async def double(number: int) -> int:
        return 2 * number

    async def main() -> None:
        assert [item async for item in map(numbers(3), double)] == [0, 2, 4]
        stream = map(numbers(1), lambda _: Awaitable())
        with pytest.raises(LookupError, match="awaited"):
            await anext(stream)

    clock.run(main())


def test_the_function_may_return_now_one_now_the_other() -> None:
    async def later(number: int) -> str:
        return f"later {number}"

    async def main() -> None:
        stream = map(numbers(5), lambda number: later(number) if number % 2 else [number, None][number // 2 % 2])
        assert [item async for item in stream] == [0, "later 1", None, "later 3", 4]

    clock.run(main())


def test_an_error_of_the_function_comes_unchanged_and_closes_the_source() -> None:
    async def main() -> None:
        source = numbers(3)
        stream = map(source, lambda number: 1 // (1 - number))
        assert await anext(stream) == 1
        with pytest.raises(ZeroDivisionError):
            await anext(stream)
        with pytest.raises(StopAsyncIteration):
            await anext(source)

    clock.run(main())


def test_a_source_that_is_not_async_is_refused_and_left() -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match="async"):
            await anext(map([1, 2], lambda number: number))  # type: ignore[call-overload]  # so it is refused before, too

    clock.run(main())
