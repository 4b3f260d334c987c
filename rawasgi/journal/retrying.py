"""How long a command to a store may take, and when it is sent again."""

import asyncio
import random
from collections.abc import Awaitable, Iterator
from typing import TypeVar

T = TypeVar("T")


async def in_time(seconds: float, reply: Awaitable[T]) -> T:
    """Return what *reply* returns. Raises: TimeoutError after *seconds*."""
    async with asyncio.timeout(seconds):
        return await reply


def retry_delays() -> Iterator[float]:
    """Yield 0, and then seconds that double up to 1, each some part less, so that not all processes retry at once."""
    yield 0
    delay = 0.05
    while True:
        yield delay * random.uniform(0.5, 1)
        delay = min(2 * delay, 1)
