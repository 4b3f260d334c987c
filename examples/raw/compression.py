"""Compression of a stream, as one more function of streams."""

import zlib
from collections.abc import AsyncIterable, AsyncIterator

from rawasgi.streams import Stream, owned


def gzipped(source: AsyncIterable[bytes]) -> Stream[bytes]:
    """One gzip stream, flushed at each item, so that each can be read when it came. Closes: source.

    The document makes each event a gzip member of its own: it compresses worse, and many clients stop after the first.
    """

    async def items() -> AsyncIterator[bytes]:
        compressor = zlib.compressobj(wbits=31)
        async with owned(source) as chunks:
            async for chunk in chunks:
                yield compressor.compress(chunk) + compressor.flush(zlib.Z_SYNC_FLUSH)
        yield compressor.flush()

    return Stream(items(), source)
