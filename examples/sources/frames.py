"""A picture that changes: a bar that fills, as PNG, made by hand."""

import struct
import zlib
from collections.abc import AsyncGenerator

from examples.sources.pace import pause

WIDTH, HEIGHT = 200, 20


async def frames(count: int) -> AsyncGenerator[bytes, None]:
    """*count* pictures, 0.2 s before each; in the last one the bar is full."""
    for number in range(1, count + 1):
        await pause(0.2)
        yield bar(number / count)


def bar(share: float) -> bytes:
    """A PNG of which *share* is blue. Spec: W3C PNG, 5 "Datastream structure"."""
    full = int(WIDTH * share)
    row = b"\0" + b"\x33\x66\xcc" * full + b"\xdd\xdd\xdd" * (WIDTH - full)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(row * HEIGHT)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
