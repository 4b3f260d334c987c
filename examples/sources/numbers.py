"""Document 001: numbers and messages, at a pace, sometimes failing, slow or silent."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Literal

from examples.sources.items import Item
from examples.sources.pace import pause


async def numbers(count: int = 5) -> AsyncGenerator[int, None]:
    """0 to *count* - 1, 0.5 s after each."""
    for number in range(count):
        yield number
        await pause(0.5)


async def collected(count: int = 5) -> list[int]:
    """The same numbers, only when all are there."""
    data = []
    for number in range(count):
        await pause(0.5)
        data.append(number)
    return data


async def failing() -> AsyncGenerator[int, None]:
    """0 to 4, then RuntimeError."""
    for number in range(10):
        if number == 5:
            raise RuntimeError("模拟错误")
        yield number
        await pause(0.5)


async def robust(fail: Literal["validation", "system", "none"] = "validation") -> AsyncGenerator[Item, None]:
    """init, ten messages and done; at the fifth a ValueError, some other error, or none."""
    try:
        yield Item({"status": "started"}, "init")
        for number in range(10):
            if number == 5 and fail == "validation":
                raise ValueError("数据验证失败")
            if number == 5 and fail == "system":
                raise ConnectionResetError("postgres://app:secret@10.0.0.7/orders: connection reset")
            yield Item({"id": number, "message": f"Message {number}"})
            await pause(0.5)
        yield Item({"status": "completed"}, "done")
    finally:
        print("清理资源", flush=True)


async def slow_numbers(slow: float = 0.0) -> AsyncGenerator[int, None]:
    """0 to 9, 0.5 s before each, and *slow* seconds, not scaled, before number 5."""
    for number in range(10):
        await pause(0.5)
        if number == 5:
            await asyncio.sleep(slow)
        yield number


async def messages(count: int = 100, every: float = 0.01) -> AsyncGenerator[str, None]:
    """*count* messages, *every* seconds after each."""
    for number in range(count):
        yield f"Message {number}"
        await pause(every)


async def halting(count: int = 100) -> AsyncGenerator[int, None]:
    """0 to *count* - 1, 1 s after each, and 5 s of silence after each fourth."""
    for number in range(count):
        yield number
        await pause(5 if number % 4 == 3 else 1)


async def blocks() -> AsyncGenerator[str, None]:
    """Ten blocks of a thousand letters, 0.5 s after each: there is something to compress."""
    for _ in range(10):
        yield "x" * 1000
        await pause(0.5)
