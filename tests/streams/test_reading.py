"""Pull: a cancellation goes first."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from clock import run

from rawasgi.streams.reading import Pull


@pytest.mark.parametrize("result_first", [False, True], ids=["cancellation first", "result first"])
@pytest.mark.parametrize("wait", [1, 2], ids=["first wait", "later wait"])
def test_a_cancellation_goes_to_the_source_before_a_result_of_the_same_turn(result_first: bool, wait: int) -> None:
    """A source's own timeout that ends in the turn in which what it waits for is done."""
    log: list[str] = []

    async def source() -> AsyncIterator[str]:
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()
        if wait == 2:
            await asyncio.sleep(1)
            yield "before"
        future: asyncio.Future[None] = loop.create_future()

        def resolve() -> None:
            if not future.done():
                future.set_result(None)

        for call in (resolve, task.cancel) if result_first else (task.cancel, resolve):
            loop.call_soon(call)
        try:
            await future
            log.append("not cancelled")
        except asyncio.CancelledError:
            log.append("cancelled")
            task.uncancel()
        yield "after"

    async def main() -> None:
        async with Pull(source()) as pull:
            for _ in range(wait):
                if not pull.advance():
                    await pull.wait()
                log.append(pull.item)

    run(main())
    assert log == ["before"] * (wait - 1) + ["cancelled", "after"]
