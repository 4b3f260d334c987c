"""A source is closed once, whoever holds it; and an item of a Stream costs no call of ours."""

import sys
from collections.abc import AsyncGenerator, AsyncIterator
from types import FrameType

import clock
import pytest
from wrapping import Plain, Rows, Source, collect, later

from rawasgi import respond, streams
from rawasgi.dev.client import fetch
from rawasgi.streams.base import CloseOnce, Stream, close, owned
from rawasgi.streams.reading import Pull


class Cursor:
    """Iterates over itself, and must not be closed twice, as a connection that goes back to its pool."""

    def __init__(self, *items: str) -> None:
        self.items = list(items)
        self.is_closed = False

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        if not self.items:
            raise StopAsyncIteration
        return self.items.pop(0)

    async def aclose(self) -> None:
        assert not self.is_closed
        self.is_closed = True


async def numbers(count: int) -> AsyncGenerator[int, None]:
    for number in range(count):
        yield number


def test_a_stream_is_its_own_iterator() -> None:
    stream = Stream(numbers(1))
    assert aiter(stream) is stream


def test_owned_and_pull_close_a_source_once() -> None:
    async def main() -> None:
        for _ in range(2):
            cursors = Cursor("a"), Cursor("a"), Cursor("a")
            async with owned(cursors[0]) as items:
                assert await anext(items) == "a"
            async with Pull(cursors[1]) as pull:
                assert pull.advance()
            async with owned(CloseOnce(cursors[2])) as items:
                assert await anext(items) == "a"
            assert [cursor.is_closed for cursor in cursors] == [True] * 3

    clock.run(main())


def test_a_stream_and_its_iterator_are_closed_once() -> None:
    async def main() -> None:
        cursor = Cursor()
        stream = streams.map(cursor, str)
        await close(stream, aiter(stream))
        assert cursor.is_closed

    clock.run(main())


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_response_closes_its_source_once(method: str) -> None:
    async def main() -> None:
        cursors = [Cursor("a", "b") for _ in range(4)]
        bodies = [
            respond.stream(cursors[0]),
            respond.stream(streams.map(streams.timeout(cursors[1], 5), str)),
            respond.sse(cursors[2]),
            respond.json_array(cursors[3]),
        ]
        for body in bodies:
            await fetch(body, method=method)
        assert [cursor.is_closed for cursor in cursors] == [True] * 4
        rows = Source(2)
        await fetch(respond.ndjson(Rows(rows)), method=method)
        assert rows.log.count("left") == 1

    clock.run(main())


def test_begun_closes_its_source_once() -> None:
    async def main() -> None:
        for count in (0, 1, 3):
            cursor, rows = Cursor("a", "b"), Source(3)
            for source in (cursor, Rows(rows)):
                stream = await streams.begun(source)
                for _ in range(min(count, 2)):
                    await anext(stream)
                await stream.aclose()
                await stream.aclose()
            assert cursor.is_closed
            assert rows.log == ["opened", "closed", "left"]

    clock.run(main())


def calls(stream: AsyncIterator[object]) -> int:
    """How many frames of Python begin or go on while *stream* is read, as the interpreter counts them."""
    count = 0

    def note(frame: FrameType, event: str, _: object) -> None:
        nonlocal count
        count += event == "call"

    async def main() -> None:
        sys.setprofile(note)
        try:
            async for _ in stream:
                pass
        finally:
            sys.setprofile(None)

    clock.run(main())
    return count


def test_an_item_of_a_stream_costs_no_call_of_ours() -> None:
    assert calls(Stream(numbers(100))) - calls(Stream(numbers(0))) == calls(numbers(100)) - calls(numbers(0)) == 100
    assert calls(Stream(Stream(numbers(100)))) - calls(Stream(Stream(numbers(0)))) == 100
    inner = [streams.filter(streams.filter(numbers(count), bool), bool) for count in (100, 0)]
    assert calls(inner[0]) - calls(inner[1]) == 300 - 2  # 0 passes neither filter


def test_a_wrapper_reads_the_generator_of_a_stream() -> None:
    async def main() -> None:
        generator = numbers(1)
        async with owned(Stream(Stream(generator))) as items:
            assert items is generator

    clock.run(main())


def test_a_source_whose_closing_fails_is_not_closed_again() -> None:
    async def main() -> None:
        class Failing(Plain):
            async def aclose(self) -> None:
                await super().aclose()
                raise OSError("closing")

        source = Failing(later)
        once = CloseOnce(source)
        assert await collect(once) == [2, 1, 0]
        with pytest.raises(OSError, match="closing"):
            await once.aclose()
        await once.aclose()
        assert source.closed == 1

    clock.run(main())
