"""What all three apps stream."""

import asyncio
import os
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path

CHUNK = "一行示例数据，用来比较每块开销\n".encode()  # 46 bytes
FEW = 5
FILES = Path(tempfile.gettempdir()) / "rawasgi-benchmarks"


def file(name: str) -> Path:
    """Return the file of as many MiB as *name* says, made on first use. Blocks."""
    path = FILES / name
    if not path.exists():
        FILES.mkdir(exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        with part.open("wb") as out:
            for number in range(int(name)):
                out.write(b"%07d\n" % number * 131_072)
        part.replace(path)
    return path


async def ready(count: int) -> AsyncGenerator[bytes, None]:
    """Yield *count* chunks, all of them ready."""
    for _ in range(count):
        yield CHUNK


async def paced(count: int) -> AsyncGenerator[bytes, None]:
    """Yield *count* chunks, each after a turn of the event loop."""
    for _ in range(count):
        await asyncio.sleep(0)
        yield CHUNK
