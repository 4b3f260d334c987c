"""Document 004: sources that wrap sources. Who takes a stream owns it, and closes it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing
from typing import TypeVar

from examples.sources.pace import pause

T = TypeVar("T")
U = TypeVar("U")


async def numbers() -> AsyncGenerator[int, None]:
    """0 to 9, 0.1 s before each."""
    for number in range(10):
        await pause(0.1)
        yield number


async def transform(source: AsyncGenerator[T, None], function: Callable[[T], U]) -> AsyncGenerator[U, None]:
    """function(item) for each item. Closes: *source*."""
    async with aclosing(source):
        async for item in source:
            yield function(item)


async def keep(source: AsyncGenerator[T, None], predicate: Callable[[T], bool]) -> AsyncGenerator[T, None]:
    """The items for which *predicate* holds. Closes: *source*."""
    async with aclosing(source):
        async for item in source:
            if predicate(item):
                yield item


async def letters_a() -> AsyncGenerator[str, None]:
    """A0 to A2, 0.3 s before each."""
    for number in range(3):
        await pause(0.3)
        yield f"A{number}\n"


async def letters_b() -> AsyncGenerator[str, None]:
    """B0 to B2, 0.5 s before each."""
    for number in range(3):
        await pause(0.5)
        yield f"B{number}\n"


async def merge(*sources: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """All items, in order of arrival.

    Order: arrival; within a source, the source's. Reads ahead: one item of each. Closes: every source, also those that
    never ran. Raises: what a source raises, after the others were stopped.
    """
    async with AsyncExitStack() as stack:
        for source in sources:
            await stack.enter_async_context(aclosing(source))
        steps = {asyncio.ensure_future(anext(source)): source for source in sources}
        try:
            while steps:
                done, _ = await asyncio.wait(steps, return_when=asyncio.FIRST_COMPLETED)
                for step in [step for step in steps if step in done]:
                    source = steps.pop(step)
                    try:
                        item = step.result()
                    except StopAsyncIteration:
                        continue
                    yield item
                    steps[asyncio.ensure_future(anext(source))] = source
        finally:
            # A source cannot be closed while a step of it runs.
            for step in steps:
                step.cancel()
            await asyncio.gather(*steps, return_exceptions=True)
