"""What all wrappers share: close, end, Stream, owned and Pull."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import suppress

import clock
import pytest

from rawasgi.streams import deadline, timeout
from rawasgi.streams.base import DeadlineExceeded, Stream, close, end, owned
from rawasgi.streams.reading import Pull


class Closed:
    def __init__(self, log: list[str], name: str, error: BaseException | None = None) -> None:
        self.log = log
        self.name = name
        self.error = error

    async def aclose(self) -> None:
        await asyncio.sleep(1)
        self.log.append(self.name)
        if self.error is not None:
            raise self.error


async def paced(*pauses: float) -> AsyncGenerator[float, None]:
    for pause in pauses:
        await asyncio.sleep(pause)
        yield clock.now()


def test_closing_goes_from_last_to_first_and_leaves_out_what_has_no_aclose() -> None:
    async def main() -> None:
        log: list[str] = []
        await close(Closed(log, "a"), Closed(log, "b"), object(), Closed(log, "c"))
        assert log == ["c", "b", "a"]
        await close()

    clock.run(main())


def test_closing_goes_on_after_an_error_and_raises_the_last_with_the_others_as_its_context() -> None:
    async def main() -> None:
        log: list[str] = []
        first, last = OSError("first"), LookupError("last")
        with pytest.raises(LookupError) as raised:
            await close(Closed(log, "a", last), Closed(log, "b"), Closed(log, "c", first))
        assert raised.value is last
        assert last.__context__ is first
        assert log == ["c", "b", "a"]

    clock.run(main())


def test_a_stream_closes_its_items_first_then_its_sources_last_to_first() -> None:
    async def main() -> None:
        log: list[str] = []

        async def items() -> AsyncGenerator[int, None]:
            try:
                yield 1
                yield 2
            finally:
                log.append("items")

        stream = Stream(items(), Closed(log, "a"), Closed(log, "b"))
        assert await anext(stream) == 1
        await stream.aclose()
        assert log == ["items", "b", "a"]

    clock.run(main())


def test_closing_a_stack_of_streams_closes_every_stage_last_to_first() -> None:
    async def main() -> None:
        log: list[str] = []

        async def stage(number: int, source: AsyncGenerator[int, None] | None) -> AsyncGenerator[int, None]:
            try:
                if source is None:
                    yield 1
                    yield 2
                else:
                    async with owned(source) as items:
                        async for item in items:
                            yield item
            finally:
                await asyncio.sleep(1)
                log.append(f"stage {number}")

        stream = Stream(stage(3, stage(2, stage(1, None))))
        assert await anext(stream) == 1
        await stream.aclose()
        assert log == ["stage 1", "stage 2", "stage 3"]

    clock.run(main())


def test_owned_closes_its_source_however_the_block_is_left() -> None:
    async def main() -> None:
        for error in (None, LookupError()):
            source = paced(1, 1)
            with contextlib.suppress(LookupError):
                async with owned(source) as items:
                    assert await anext(items) == clock.now()
                    if error is not None:
                        raise error
            with pytest.raises(StopAsyncIteration):
                await anext(source)

    clock.run(main())


async def worker(seconds: float, clean_up: float = 0, error: Exception | None = None) -> None:
    try:
        await asyncio.sleep(seconds)
    finally:
        await asyncio.sleep(clean_up)
        if error is not None:
            raise error


def tasks(*workers: tuple[float, float, Exception | None]) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(worker(*each)) for each in workers]


def test_ending_tasks_cancels_them_and_waits_for_their_clean_up() -> None:
    async def main() -> None:
        started = tasks((0, 0, None), (100, 0, None), (100, 5, None))
        await asyncio.sleep(1)
        await end(started)
        assert clock.now() == 6
        assert [task.cancelled() for task in started] == [False, True, True]
        await end([])

    clock.run(main())


def test_ending_tasks_raises_the_first_error_and_notes_the_others() -> None:
    async def main() -> None:
        first, second = OSError("first"), OSError("second")
        started = tasks((100, 5, first), (100, 0, None), (1, 0, second))
        await asyncio.sleep(2)
        with pytest.raises(OSError, match="first") as raised:
            await end(started)
        assert raised.value is first
        assert first.__notes__ == ["Then came, in another task: OSError('second')"]

    clock.run(main())


def test_ending_tasks_raises_the_error_it_was_given_before_theirs() -> None:
    async def main() -> None:
        given = LookupError("given")
        started = tasks((100, 0, OSError("theirs")))
        await asyncio.sleep(1)
        with pytest.raises(LookupError) as raised:
            await end(started, given)
        assert raised.value is given
        assert given.__notes__ == ["Then came, in another task: OSError('theirs')"]

    clock.run(main())


def test_ending_tasks_passes_a_cancellation_on_and_still_waits_for_all() -> None:
    async def main() -> None:
        started = tasks((100, 50, None), (100, 50, None))
        await asyncio.sleep(1)
        ending = asyncio.create_task(end(started))
        await asyncio.sleep(1)
        ending.cancel()
        await asyncio.wait([ending])
        assert ending.cancelled()
        assert clock.now() == 2
        assert all(task.done() for task in started)

    clock.run(main())


def test_a_wait_can_be_left_and_gone_on_with() -> None:
    async def main() -> None:
        async with Pull(paced(5, 5)) as pull:
            assert not pull.advance()
            assert not await pull.wait(2)
            await asyncio.sleep(1)
            assert not await pull.wait(4)
            assert await pull.wait()
            assert pull.item == 5
            assert not pull.advance()
            assert await pull.wait(100)
            assert pull.item == 10
            assert pull.advance()
            assert pull.over

    clock.run(main())


def test_a_wait_may_be_shorter_than_the_one_before() -> None:
    async def main() -> None:
        async with Pull(paced(50)) as pull:
            pull.advance()
            assert not await pull.wait(20)
            waiting = asyncio.ensure_future(pull.wait(40))
            await asyncio.sleep(1)
            waiting.cancel()
            await asyncio.wait([waiting])
        async with Pull(paced(1, 50)) as pull:
            pull.advance()
            assert await pull.wait(40)
            pull.advance()
            assert not await pull.wait(30)
            assert clock.now() == 30

    clock.run(main())


def test_a_wait_until_a_time_that_is_past_gives_the_source_one_turn() -> None:
    async def main() -> None:
        async with Pull(paced(0, 5)) as pull:
            pull.advance()
            assert await pull.wait(-1)
            pull.advance()
            assert not await pull.wait(-1)
            assert clock.now() == 0

    clock.run(main())


def test_a_source_that_only_gives_way_is_cancelled_with_its_reader() -> None:
    async def busy(log: list[str]) -> AsyncGenerator[int, None]:
        try:
            for _ in range(1000):
                await asyncio.sleep(0)
            yield 1
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    async def main() -> None:
        log: list[str] = []

        async def read() -> None:
            async with Pull(busy(log)) as pull:
                pull.advance()
                await pull.wait()

        reader = asyncio.create_task(read())
        for _ in range(10):
            await asyncio.sleep(0)
        reader.cancel()
        await asyncio.wait([reader])
        assert reader.cancelled()
        assert log == ["cancelled"]

    clock.run(main())


def test_a_source_that_waits_for_what_is_not_asyncios_is_told_and_can_be_closed() -> None:
    class Foreign:
        def __await__(self) -> AsyncGenerator[None, None]:
            return iter(["foreign"])  # type: ignore[return-value]  # an iterator will do for await

    async def source(log: list[str]) -> AsyncGenerator[int, None]:
        try:
            yield 1
            await Foreign()  # type: ignore[misc]  # nor would asyncio take it
        finally:
            log.append("closed")

    async def main() -> None:
        log: list[str] = []
        pull = Pull(source(log))
        async with pull:
            assert pull.advance()
            with pytest.raises(RuntimeError, match="not for 'foreign': use asyncio"):
                pull.advance()
        assert log == ["closed"]

    clock.run(main())


@pytest.mark.parametrize("more", [True, False])
def test_a_source_that_waits_for_what_is_not_asyncios_may_mend_that(more: bool) -> None:
    class Foreign:
        def __await__(self) -> Generator[object, None, None]:
            yield "foreign"

    async def source() -> AsyncGenerator[int, None]:
        with suppress(RuntimeError):
            await Foreign()
        if more:
            yield 1

    async def main() -> None:
        pull = Pull(source())
        async with pull:
            assert pull.advance()
            assert pull.over is not more
            assert not more or pull.item == 1

    clock.run(main())


# A stream that is late closes its source before it says so.

LATE = pytest.mark.parametrize(
    ("late", "text"), [(timeout, r"^no first item came"), (deadline, r"^the stream was not over")]
)


@LATE
def test_a_source_whose_clean_up_hangs_is_cut_off_and_the_error_tells_it(
    late: Callable[..., Stream[int]], text: str
) -> None:
    log: list[str] = []

    async def unwilling() -> AsyncGenerator[int, None]:
        try:
            await asyncio.Event().wait()
            yield 1
        finally:
            try:
                await asyncio.Event().wait()
            finally:
                log.append(f"cut off at {clock.now():g}")

    async def main() -> None:
        with pytest.raises(DeadlineExceeded, match=text) as raised:
            await anext(late(unwilling(), 10, cleanup=3))
        assert log == ["cut off at 13"]
        assert raised.value.__notes__ == ["Its source was not closed within 3 s: it was cut off."]

    clock.run(main())


@LATE
def test_a_timeout_of_the_clean_up_itself_is_raised_as_it_is(late: Callable[..., Stream[int]], text: str) -> None:
    async def failing() -> AsyncGenerator[int, None]:
        try:
            await asyncio.Event().wait()
            yield 1
        finally:
            raise TimeoutError("the disk does not answer")

    async def main() -> None:
        with pytest.raises(TimeoutError, match="the disk does not answer"):
            await anext(late(failing(), 10, cleanup=3))

    clock.run(main())
