"""What all three apps stream."""

import asyncio
from collections.abc import AsyncGenerator

CHUNK = "一行示例数据，用来比较每块开销\n".encode()  # 46 bytes
FEW = 5


async def ready(count: int) -> AsyncGenerator[bytes, None]:
    """Yield *count* chunks, all of them ready."""
    for _ in range(count):
        yield CHUNK


async def paced(count: int) -> AsyncGenerator[bytes, None]:
    """Yield *count* chunks, each after a turn of the event loop."""
    for _ in range(count):
        await asyncio.sleep(0)
        yield CHUNK
