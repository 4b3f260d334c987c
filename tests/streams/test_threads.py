"""from_thread: real threads, under virtual time. ``outside()`` keeps time from jumping while one of them works."""

import asyncio
import gc
import random
import sqlite3
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import AsyncIterable, Callable, Coroutine, Generator, Iterable, Iterator
from contextvars import ContextVar
from typing import TypeVar

import clock
import pytest

from rawasgi.streams import Threads, TooManyThreads, from_thread, threads

T = TypeVar("T")
PATIENCE = 5.0


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert threads._SHARED.running == 0


class Source:
    """A generator that says what becomes of it, and in which thread."""

    def __init__(self, count: int = 5, error: BaseException | None = None) -> None:
        self.count = count
        self.error = error
        self.given = 0
        self.log: list[str] = []
        self.threads: list[threading.Thread] = []

    def items(self) -> Generator[int, None, None]:
        self.note("opened")
        try:
            for number in range(self.count):
                self.given += 1
                yield number
            if self.error is not None:
                raise self.error
        finally:
            self.note("closed")

    def note(self, word: str) -> None:
        self.log.append(word)
        self.threads.append(threading.current_thread())


async def collect(stream: AsyncIterable[T]) -> list[T]:
    return [item async for item in stream]


def run(main: Coroutine[object, object, T]) -> T:
    """As clock.run(), but time stands still: the threads work all the while."""

    async def standing_still() -> T:
        with clock.outside():
            return await main

    return clock.run(standing_still())


def soon(condition: Callable[[], bool]) -> None:
    """Let the other threads run until *condition*."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.0005)


def test_items_come_in_order_and_the_generator_is_closed_in_its_own_thread() -> None:
    source = Source(1000)
    assert run(collect(from_thread(source.items()))) == list(range(1000))
    assert source.log == ["opened", "closed"]
    assert len(set(source.threads)) == 1
    assert source.threads[0] is not threading.main_thread()
    assert source.threads[0].daemon  # so that one that blocks cannot keep the interpreter from ending
    assert source.threads[0].name == "rawasgi items"


@pytest.mark.parametrize("max_items", [1, 2, 3, 7, 256])
def test_nothing_is_lost_whatever_the_pace_of_either_side(max_items: int) -> None:
    def items(draw: random.Random) -> Generator[int, None, None]:
        for number in range(1000):
            if draw.random() < 0.02:
                time.sleep(draw.choice([0, 0.0001]))
            yield number

    async def main(seed: int) -> None:
        draw = random.Random(seed)
        expected = 0
        async for item in from_thread(items(random.Random(seed)), max_items):
            assert item == expected
            expected += 1
            if draw.random() < 0.02:
                await asyncio.sleep(0)
        assert expected == 1000

    for seed in range(3):
        run(main(seed))


@pytest.mark.parametrize("error", [ValueError("mine"), StopAsyncIteration("mine"), SystemExit("mine"), TimeoutError()])
def test_an_error_comes_unchanged_after_the_items_before_it(error: BaseException) -> None:
    async def main() -> None:
        source = Source(3, error)
        stream = from_thread(source.items())
        assert [await anext(stream) for _ in range(3)] == [0, 1, 2]
        if isinstance(error, StopAsyncIteration):  # no async generator can raise it
            with pytest.raises(RuntimeError) as wrapped:
                await anext(stream)
            assert wrapped.value.__cause__ is error
        else:
            with pytest.raises(type(error)) as raised:
                await anext(stream)
            assert raised.value is error
        assert source.log == ["opened", "closed"]

    run(main())


def test_a_stop_iteration_ends_the_stream_whatever_its_value() -> None:
    class Stops(Iterator[int]):
        def __next__(self) -> int:
            raise StopIteration("a value")

    assert run(collect(from_thread(Stops()))) == []


def test_what_cannot_be_iterated_is_an_error() -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match="not iterable"):
            await collect(from_thread(1))  # type: ignore[arg-type]  # so it is refused before, too

    run(main())


def test_a_reader_that_breaks_off_closes_the_generator_in_its_thread_before_aclose_returns() -> None:
    async def main() -> None:
        source = Source(1_000_000)
        stream = from_thread(source.items(), max_items=10)
        assert await anext(stream) == 0
        await stream.aclose()
        assert source.log == ["opened", "closed"]
        assert len(set(source.threads)) == 1
        assert source.given < 30
        await stream.aclose()

    run(main())


def test_a_clean_up_that_takes_long_is_waited_for() -> None:
    async def main() -> None:
        leave, log = threading.Event(), list[str]()

        def items() -> Generator[int, None, None]:
            try:
                yield 0
                yield 1
            finally:
                log.append("closing")
                leave.wait(PATIENCE)
                log.append("closed")

        stream = from_thread(items(), max_items=1)
        await anext(stream)
        closing = asyncio.create_task(stream.aclose())
        await asyncio.sleep(0)
        soon(lambda: log == ["closing"])
        for _ in range(10):  # ten times as long as it would wait for an item
            clock.loop().selector.now += 0.1
            await asyncio.sleep(0)
        assert not closing.done()
        leave.set()
        await closing
        assert log == ["closing", "closed"]

    run(main())


def test_a_reader_that_is_cancelled_while_it_waits_closes_the_generator() -> None:
    async def main() -> None:
        asked, log = threading.Event(), []

        def items() -> Generator[int, None, None]:
            try:
                yield 0
                asked.wait(PATIENCE)
                yield 1
            finally:
                log.append("closed")

        stream = from_thread(items())
        await anext(stream)
        reader = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        reader.cancel()
        asked.set()
        await asyncio.wait([reader])
        assert reader.cancelled()
        assert log == ["closed"]

    run(main())


def test_a_stream_that_was_never_started_starts_no_thread_and_closes_the_iterable() -> None:
    class Rows(Iterable[int]):
        closed = 0

        def __iter__(self) -> Iterator[int]:
            raise AssertionError("never started")

        def close(self) -> None:
            self.closed += 1

    async def main() -> None:
        rows, before = Rows(), threading.active_count()
        stream = from_thread(rows)
        assert threading.active_count() == before
        await stream.aclose()
        assert rows.closed == 1
        await from_thread([1, 2]).aclose()  # what has no close needs none

    run(main())


def test_an_iterable_is_closed_as_well_as_its_iterator_and_after_it() -> None:
    log: list[object] = []

    class Rows(Iterable[int]):
        def __iter__(self) -> Iterator[int]:
            try:
                yield from range(3)
            finally:
                log.append("iterator")

        def close(self) -> None:
            log.append(("iterable", threading.current_thread() is threading.main_thread()))

    async def main() -> None:
        stream = from_thread(Rows())
        await anext(stream)
        await stream.aclose()
        assert log == ["iterator", ("iterable", False)]

    run(main())


def test_what_closing_raises_is_raised() -> None:
    class Rows(Iterable[int]):
        def __iter__(self) -> Iterator[int]:
            return iter(range(3))

        def close(self) -> None:
            raise OSError("closing")

    async def main() -> None:
        with pytest.raises(OSError, match="closing"):
            await collect(from_thread(Rows()))
        stream = from_thread(Rows())
        await anext(stream)
        with pytest.raises(OSError, match="closing"):
            await stream.aclose()

    run(main())


def blocking(release: threading.Event, log: list[str], error: Exception | None = None) -> Generator[int, None, None]:
    try:
        yield 0
        yield 1
        yield 2
        log.append("blocked")
        release.wait(PATIENCE)
        yield 3
    finally:
        log.append("closed")
        if error is not None:
            raise error


def test_an_item_that_blocks_is_not_waited_for_when_the_reader_breaks_off() -> None:
    async def main() -> None:
        release, log = threading.Event(), list[str]()
        stream = from_thread(blocking(release, log))
        with clock.outside():
            await anext(stream)
        soon(lambda: log == ["blocked"])
        await stream.aclose()
        assert clock.now() == pytest.approx(0.1)
        assert log == ["blocked"]
        assert threads._SHARED.running == 1  # it still counts
        release.set()
        soon(lambda: log == ["blocked", "closed"])

    clock.run(main())


def test_an_item_that_blocks_is_not_waited_for_when_the_reader_is_cancelled_twice() -> None:
    async def main() -> None:
        release, log = threading.Event(), list[str]()
        with clock.outside():
            stream = from_thread(blocking(release, log))
            assert [await anext(stream) for _ in range(3)] == [0, 1, 2]
            reader = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)
            reader.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            reader.cancel()
            await asyncio.wait([reader])
        assert reader.cancelled()
        assert clock.now() == 0
        release.set()
        soon(lambda: log == ["blocked", "closed"])

    clock.run(main())


def test_what_fails_when_nobody_waits_any_more_is_told_by_the_threads_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[BaseException | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append(args.exc_value))
    error = OSError("clean-up")

    async def main() -> None:
        release, log = threading.Event(), list[str]()
        stream = from_thread(blocking(release, log, error))
        with clock.outside():
            await anext(stream)
        soon(lambda: log == ["blocked"])
        await stream.aclose()
        release.set()
        soon(lambda: threads._SHARED.running == 0)

    clock.run(main())
    soon(lambda: told == [error])


def test_a_loop_that_was_closed_is_no_error_of_the_thread() -> None:
    release, log = threading.Event(), list[str]()

    async def main() -> None:
        stream = from_thread(blocking(release, log))
        with clock.outside():
            await anext(stream)
        soon(lambda: log == ["blocked"])
        await stream.aclose()

    clock.run(main())
    release.set()
    soon(lambda: log == ["blocked", "closed"])


def test_it_reads_no_further_ahead_than_it_may() -> None:
    async def main() -> None:
        for max_items in (1, 2, 5, 100):
            source = Source(10_000)
            stream = from_thread(source.items(), max_items)
            await anext(stream)
            for taken in range(1, 300):
                if taken % 50 == 0:
                    soon(lambda: source.given >= taken + max_items // 2)  # noqa: B023  called at once
                assert source.given <= taken + max_items
                await anext(stream)
            await stream.aclose()

    run(main())


def test_an_item_that_comes_when_the_reader_is_about_to_wait_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(50)

    class News(asyncio.Event):
        def clear(self) -> None:
            super().clear()
            given = source.given
            soon(lambda: source.given > given or "closed" in source.log)

    monkeypatch.setattr(asyncio, "Event", News)
    assert run(collect(from_thread(source.items(), 1))) == list(range(50))


def test_room_that_comes_when_the_thread_is_about_to_wait_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(50)
    taken: list[int] = []

    class Room(threading.Event):
        def clear(self) -> None:
            super().clear()
            if taken:  # else the reader is still being woken
                soon(lambda: len(taken) == source.given)

    async def main() -> None:
        async for item in from_thread(source.items(), 1):
            taken.append(item)
        assert taken == list(range(50))

    monkeypatch.setattr(threading, "Event", Room)
    run(main())


def test_the_loop_runs_while_the_iterable_blocks() -> None:
    async def main() -> None:
        release, log = threading.Event(), list[str]()
        stream = from_thread(blocking(release, log))
        reader = asyncio.create_task(collect(stream))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not reader.done()
        release.set()
        assert await reader == [0, 1, 2, 3]

    run(main())


def test_a_cursor_of_sqlite_stays_in_its_thread() -> None:
    def rows() -> Generator[tuple[int], None, None]:
        connection = sqlite3.connect(":memory:")  # refuses to be used, and closed, in another thread
        try:
            connection.execute("create table numbers (number integer)")
            connection.executemany("insert into numbers values (?)", [(number,) for number in range(1000)])
            yield from connection.execute("select number from numbers order by number")
        finally:
            connection.close()

    async def main() -> None:
        assert await collect(from_thread(rows(), 10)) == [(number,) for number in range(1000)]
        stream = from_thread(rows(), 10)
        assert await anext(stream) == (0,)
        await stream.aclose()

    run(main())


def test_a_thread_local_and_a_token_of_a_context_variable_stay_valid() -> None:
    local = threading.local()
    var = ContextVar("var", default="unset")

    def items() -> Generator[str, None, None]:
        token = var.set("the thread's")
        local.value = 0
        try:
            for _ in range(3):
                local.value += 1
                yield f"{var.get()} {local.value}"
        finally:
            var.reset(token)
            yield_last.append(var.get())

    yield_last: list[str] = []

    async def main() -> None:
        var.set("the caller's")
        assert await collect(from_thread(items())) == ["the thread's 1", "the thread's 2", "the thread's 3"]
        stream = from_thread(items(), 1)
        await anext(stream)
        await stream.aclose()
        assert yield_last == ["the caller's"] * 2
        assert var.get() == "the caller's"

    run(main())


def test_many_blocked_streams_starve_nobody() -> None:
    async def main() -> None:
        release, logs = threading.Event(), [list[str]() for _ in range(120)]
        readers = [asyncio.create_task(collect(from_thread(blocking(release, log)))) for log in logs]
        await asyncio.sleep(0)  # each starts its thread
        soon(lambda: all(logs))
        assert await collect(from_thread(range(10))) == list(range(10))
        release.set()
        assert await asyncio.gather(*readers) == [[0, 1, 2, 3]] * 120

    run(main())


def test_one_too_many_is_refused_before_its_first_item_and_closed() -> None:
    two = Threads(limit=2)

    async def main() -> None:
        streams = [from_thread(Source(100).items(), 1, two) for _ in range(2)]
        for stream in streams:
            await anext(stream)
        source = Source()
        items = source.items()
        third = from_thread(items, threads=two)
        with pytest.raises(TooManyThreads, match="no more than 2 blocking streams"):
            await anext(third)
        await third.aclose()
        assert source.log == []
        assert next(items, None) is None  # it is closed
        assert await collect(from_thread(range(3))) == [0, 1, 2]  # of other threads
        await streams[0].aclose()
        assert await collect(from_thread(range(3), threads=two)) == [0, 1, 2]
        await streams[1].aclose()
        assert two.running == 0

    run(main())


def test_a_limit_is_1_or_more() -> None:
    with pytest.raises(ValueError, match=r"Threads\.limit must be 1 or more, not 0"):
        Threads(0)


def test_a_system_that_gives_no_thread_is_one_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: object) -> None:
        raise RuntimeError("can't start new thread")

    async def main() -> None:
        monkeypatch.setattr(threading.Thread, "start", start)
        stream = from_thread(range(3))
        with pytest.raises(TooManyThreads, match="the system gives no more threads"):
            await anext(stream)
        await stream.aclose()
        assert threads._SHARED.running == 0

    run(main())


def test_the_loop_is_not_woken_for_items_that_nobody_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        wakes = 0
        wake = clock.loop().call_soon_threadsafe

        def counted(callback: Callable[..., object], *args: object, **options: object) -> asyncio.Handle:
            nonlocal wakes
            wakes += 1
            return wake(callback, *args, **options)  # type: ignore[arg-type]  # passed on as it came

        source = Source(50)
        stream = from_thread(source.items(), 100)
        monkeypatch.setattr(clock.loop(), "call_soon_threadsafe", counted)
        assert await anext(stream) == 0
        soon(lambda: source.log == ["opened", "closed"])
        assert await collect(stream) == list(range(1, 50))
        assert wakes <= 2  # for the first item, and for the end

    run(main())


def test_it_must_be_allowed_to_read_an_item_ahead() -> None:
    with pytest.raises(ValueError, match="1 item or more, not 0"):
        from_thread([], 0)


def test_a_closed_stream_leaves_no_trace() -> None:
    class Item:
        pass

    seen: list[weakref.ref[Item]] = []

    def items() -> Generator[Item, None, None]:
        for _ in range(100):
            item = Item()
            seen.append(weakref.ref(item))
            yield item

    async def main() -> None:
        stream = from_thread(items())
        await anext(stream)
        await stream.aclose()

    run(main())
    gc.collect()
    assert not [ref for ref in seen if ref() is not None]


def test_the_interpreter_ends_though_an_item_never_comes() -> None:
    program = """if True:
        import asyncio, threading
        from rawasgi.streams import from_thread

        def items():
            yield 1
            threading.Event().wait()

        async def main():
            stream = from_thread(items())
            print(await anext(stream))
            await stream.aclose()
            print("closed")

        asyncio.run(main())
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert (done.stdout, done.stderr) == ("1\nclosed\n", "")
