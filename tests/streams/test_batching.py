"""batch."""

import asyncio
from collections.abc import AsyncGenerator

import clock
import pytest

from rawasgi.streams import batch


async def paced(*pauses: float, error: Exception | None = None) -> AsyncGenerator[int, None]:
    for number, pause in enumerate(pauses):
        if pause:
            await asyncio.sleep(pause)
        yield number
    if error is not None:
        raise error


def test_a_batch_goes_out_when_it_is_full_and_the_rest_at_the_end() -> None:
    async def main() -> None:
        assert [items async for items in batch(paced(*[0] * 7), 3)] == [[0, 1, 2], [3, 4, 5], [6]]
        assert [items async for items in batch(paced(*[5] * 4), 2)] == [[0, 1], [2, 3]]

    clock.run(main())


def test_no_items_make_no_batch() -> None:
    async def main() -> None:
        assert [items async for items in batch(paced(), 3, 1)] == []

    clock.run(main())


def test_a_batch_goes_out_when_its_first_item_is_so_old() -> None:
    async def main() -> None:
        seen = [(clock.now(), items) async for items in batch(paced(1, 4, 4, 4, 100, 100), 10, max_age=10)]
        assert seen == [(11, [0, 1, 2]), (23, [3]), (123, [4]), (213, [5])]

    clock.run(main())


def test_the_rest_does_not_wait_for_its_age() -> None:
    async def main() -> None:
        assert [(clock.now(), items) async for items in batch(paced(1, 1), 10, max_age=10)] == [(2, [0, 1])]

    clock.run(main())


def test_a_source_that_never_waits_makes_no_older_batches() -> None:
    async def slow() -> AsyncGenerator[int, None]:
        for number in range(5):
            clock.loop().selector.now += 1
            yield number

    async def main() -> None:
        assert [items async for items in batch(slow(), 10, max_age=2)] == [[0, 1, 2], [3, 4]]

    clock.run(main())


@pytest.mark.parametrize("pause", [0, 1])
def test_what_was_collected_comes_before_the_error_of_the_source(pause: float) -> None:
    async def main() -> None:
        error = ValueError("mine")
        stream = batch(paced(pause, pause, error=error), 10)
        assert await anext(stream) == [0, 1]
        with pytest.raises(ValueError, match="mine") as raised:
            await anext(stream)
        assert raised.value is error
        stream = batch(paced(error=error), 10)
        with pytest.raises(ValueError, match="mine"):
            await anext(stream)

    clock.run(main())


def test_each_batch_is_a_list_of_its_own() -> None:
    async def main() -> None:
        async for items in batch(paced(0, 0, 0, 0), 2):
            assert len(items) == 2
            items.clear()

    clock.run(main())


def test_it_must_hold_an_item_and_have_an_age() -> None:
    async def main() -> None:
        source = paced()
        with pytest.raises(ValueError, match="1 item or more, not 0"):
            batch(source, 0)
        with pytest.raises(ValueError, match="more than 0 seconds, not 0"):
            batch(source, 1, 0)
        await source.aclose()

    clock.run(main())
