"""What one does to a stream, by hand: a limit, a heartbeat, batches, compression."""

import asyncio
import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


async def limited(source: AsyncGenerator[T, None], limit: float) -> AsyncGenerator[T, None]:
    """Yield from *source*. Raises: TimeoutError when an item takes longer than *limit*. Closes: *source*."""
    async with aclosing(source):
        while True:
            try:
                async with asyncio.timeout(limit):
                    item = await anext(source)
            except StopAsyncIteration:
                return
            yield item


class _Ahead(Generic[T]):
    """A source read one item ahead, so that one can wait for it for a while and come back."""

    def __init__(self, source: AsyncGenerator[T, None]) -> None:
        self._source = source
        self._step: asyncio.Future[T] | None = None

    async def ready(self, seconds: float | None) -> bool:
        """Whether the next item, or the end, came within *seconds*."""
        if self._step is None:
            self._step = asyncio.ensure_future(anext(self._source))
        done, _ = await asyncio.wait([self._step], timeout=seconds)
        return bool(done)

    def take(self) -> T:
        """The item that is ready. Raises: what the source raised, StopAsyncIteration at its end."""
        assert self._step is not None
        step, self._step = self._step, None
        return step.result()

    async def aclose(self) -> None:
        if self._step is not None:
            self._step.cancel()
            await asyncio.gather(self._step, return_exceptions=True)
        await self._source.aclose()


@asynccontextmanager
async def _ahead(source: AsyncGenerator[T, None]) -> AsyncGenerator[_Ahead[T], None]:
    ahead = _Ahead(source)
    try:
        yield ahead
    finally:
        await ahead.aclose()


async def heartbeat(source: AsyncGenerator[str, None], every: float, beat: str) -> AsyncGenerator[str, None]:
    """Yield from *source*, and *beat* after each *every* seconds of silence. Closes: *source*."""
    async with _ahead(source) as ahead:
        while True:
            if not await ahead.ready(every):
                yield beat
                continue
            try:
                item = ahead.take()
            except StopAsyncIteration:
                return
            yield item


async def batched(source: AsyncGenerator[T, None], max_items: int, max_age: float) -> AsyncGenerator[list[T], None]:
    """Lists of *max_items* items, or of fewer when the first is *max_age* seconds old; the rest at the end.

    Closes: *source*. Raises: what *source* raises, after the items that came before it.
    """
    batch: list[T] = []
    clock, born = asyncio.get_running_loop().time, 0.0
    async with _ahead(source) as ahead:
        while True:
            left = max(0.0, born + max_age - clock()) if batch else None
            if await ahead.ready(left):
                try:
                    batch.append(ahead.take())
                except StopAsyncIteration:
                    break
                except Exception:
                    if batch:
                        yield batch
                    raise
                if len(batch) == 1:
                    born = clock()
                if len(batch) < max_items:
                    continue
            yield batch
            batch = []
    if batch:
        yield batch


def wants_gzip(accept_encoding: str) -> bool:
    """Whether the header allows gzip: by name, or by ``*``, and not with a q of 0 (RFC 9110, section 12.5.3)."""
    qualities: dict[str, float] = {}
    for entry in accept_encoding.lower().split(","):
        coding, *parameters = (part.strip() for part in entry.split(";"))
        quality = next((parameter[2:] for parameter in parameters if parameter.startswith("q=")), "1")
        try:
            qualities[coding] = float(quality)
        except ValueError:
            qualities[coding] = 0.0
    return qualities.get("gzip", qualities.get("x-gzip", qualities.get("*", 0.0))) > 0


async def gzipped(source: AsyncGenerator[str, None]) -> AsyncGenerator[bytes, None]:
    """One gzip stream, flushed at each item, so that each arrives when it was sent. Closes: *source*."""
    compressor = zlib.compressobj(wbits=31)
    async with aclosing(source):
        async for item in source:
            yield compressor.compress(item.encode()) + compressor.flush(zlib.Z_SYNC_FLUSH)
    yield compressor.flush()
