"""The twin's own helpers: frames, limits, heartbeats, batches and compression, under a clock that jumps."""

import asyncio
import gzip
import selectors
import zlib
from collections.abc import AsyncGenerator, AsyncIterable, Coroutine
from contextlib import aclosing
from typing import TypeVar

import pytest

from examples.twin.events import connection, frame
from examples.twin.wrappers import batched, gzipped, heartbeat, limited, wants_gzip

T = TypeVar("T")


class Jumping(selectors.DefaultSelector):
    """Does not wait: lets the clock jump to when the waiting would have ended."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0.0
        return super().select(0)


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = Jumping()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


def run(coroutine: Coroutine[object, object, T]) -> T:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(coroutine)


async def collect(source: AsyncIterable[T]) -> list[T]:
    return [item async for item in source]


class Script:
    """A source of the strings among *steps*, which waits as many seconds as the numbers say, and raises the errors."""

    def __init__(self, *steps: float | str | Exception) -> None:
        self.closed = False
        self._steps = steps

    async def stream(self) -> AsyncGenerator[str, None]:
        try:
            for step in self._steps:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, str):
                    yield step
                else:
                    await asyncio.sleep(step)
        finally:
            self.closed = True


def script(*steps: float | str | Exception) -> AsyncGenerator[str, None]:
    return Script(*steps).stream()


def test_a_frame_cannot_be_broken_by_its_text() -> None:
    assert frame("a\r\nb\rc\nd") == "data: a\ndata: b\ndata: c\ndata: d\n\n"
    assert frame("", "e", "1") == "event: e\nid: 1\ndata: \n\n"
    assert frame({"text": "a\nb"}) == 'data: {"text": "a\\nb"}\n\n'


def test_connection_is_for_http_1() -> None:
    assert connection("1.1") == {"Connection": "keep-alive"}
    assert connection("2") == connection("3") == {}


def test_a_beat_goes_out_whenever_the_source_is_silent() -> None:
    assert run(collect(heartbeat(script("a", 10, "b", 3, "c"), 4, "~"))) == ["a", "~", "~", "b", "c"]


def test_a_batch_goes_out_by_size_and_the_rest_at_the_end() -> None:
    assert run(collect(batched(script("a", "b", "c"), 2, 60))) == [["a", "b"], ["c"]]
    assert run(collect(batched(script(), 2, 60))) == []


def test_a_batch_goes_out_by_the_age_of_its_first_item() -> None:
    assert run(collect(batched(script("a", 2, "b", 2, "c"), 9, 3))) == [["a", "b"], ["c"]]


def test_what_came_before_a_failure_goes_out_before_it() -> None:
    async def main() -> list[str]:
        batches = batched(script("a", ValueError("broken")), 9, 60)
        first = await anext(batches)
        with pytest.raises(ValueError, match="broken"):
            await anext(batches)
        return first

    assert run(main()) == ["a"]


def test_a_failure_without_items_before_it_is_only_raised() -> None:
    with pytest.raises(ValueError, match="broken"):
        run(collect(batched(script(ValueError("broken")), 9, 60)))


def test_each_item_has_the_limit_for_itself() -> None:
    assert run(collect(limited(script("a", 3, "b", 3, "c"), 4))) == ["a", "b", "c"]
    with pytest.raises(TimeoutError):
        run(collect(limited(script("a", 5, "b"), 4)))


def test_leaving_a_wrapper_closes_its_source() -> None:
    async def main() -> list[bool]:
        sources = [Script("a", 100) for _ in range(4)]
        for wrapped in (
            heartbeat(sources[0].stream(), 1, "~"),
            batched(sources[1].stream(), 9, 1),
            limited(sources[2].stream(), 1),
            gzipped(sources[3].stream()),
        ):
            async with aclosing(wrapped):
                await anext(wrapped)
        return [source.closed for source in sources]

    assert run(main()) == [True, True, True, True]


def test_each_compressed_item_can_be_read_when_it_comes() -> None:
    parts = run(collect(gzipped(script("a", "b"))))
    assert zlib.decompressobj(wbits=31).decompress(parts[0]) == b"a"
    assert gzip.decompress(b"".join(parts)) == b"ab"


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", False),
        ("gzip", True),
        ("br, GZIP ;q=0.5", True),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("gzip;q=x", False),
    ],
)
def test_gzip_is_wanted_by_name_or_by_star_unless_refused(header: str, wanted: bool) -> None:
    assert wants_gzip(header) is wanted
