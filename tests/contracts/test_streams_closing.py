"""Every wrapper of a stream closes its source, whenever and however its reader leaves."""

import asyncio
from contextlib import suppress

import clock
import pytest
from wrapping import ENDLESS, PAUSES, WRAPPERS, Plain, Rows, Source, collect, first, later, wrapped


@wrapped
def test_a_reader_that_breaks_off_closes_the_source_and_its_clean_up_is_not_cut_off(name: str) -> None:
    async def main() -> None:
        for pause in PAUSES:
            source = Source(ENDLESS, pause)  # one that ends would be closing by itself
            stream = WRAPPERS[name][0](source.items())
            await first(stream)
            await stream.aclose()
            assert source.log[0] == "opened"
            assert source.log[-1] == "closed"
            await stream.aclose()  # once more does no harm

    clock.run(main())


@wrapped
def test_the_iterator_of_a_source_is_closed_before_the_source(name: str) -> None:
    """Not one object: ``async def __aiter__`` makes a new async generator of each call."""

    async def main() -> None:
        source = Source(ENDLESS)
        stream = WRAPPERS[name][0](Rows(source))
        await first(stream)
        await stream.aclose()
        assert source.log == ["opened", "closed", "left"]

    clock.run(main())


@wrapped
def test_a_reader_that_breaks_off_while_the_source_waits_closes_it_too(name: str) -> None:
    async def main() -> None:
        source = Source(100, 1.0)
        stream = WRAPPERS[name][0](source.items())
        await first(stream)
        await asyncio.sleep(0.1)  # who reads ahead waits by now
        await stream.aclose()
        assert source.log[-1] == "closed"

    clock.run(main())


@wrapped
def test_a_reader_that_is_cancelled_while_it_waits_cancels_and_closes_the_source(name: str) -> None:
    async def main() -> None:
        for after in (0, 1.5):
            source = Source(1000, 1.0)
            stream = WRAPPERS[name][0](source.items())
            reader = asyncio.create_task(collect(stream))
            await asyncio.sleep(after)
            reader.cancel()
            await asyncio.wait([reader])
            assert reader.cancelled()
            # a source whose task had not begun is not opened
            assert source.log == ["opened", "cancelled", "closed"] or (after == 0 and not source.log)
            await stream.aclose()

    clock.run(main())


@wrapped
def test_a_second_cancellation_cuts_the_clean_up_off_and_leaves_nothing(name: str) -> None:
    async def main() -> None:
        source = Source(100, 1.0)
        stream = WRAPPERS[name][0](source.items())
        reader = asyncio.create_task(collect(stream))
        await asyncio.sleep(1.5)
        reader.cancel()
        await asyncio.sleep(1.0)
        reader.cancel()
        await asyncio.wait([reader])
        assert clock.now() == 2.5
        assert reader.cancelled()
        assert source.log == ["opened", "cancelled"]
        await stream.aclose()

    clock.run(main())


@wrapped
def test_a_reader_that_is_cancelled_while_it_closes_is_cancelled(name: str) -> None:
    async def main() -> None:
        source = Source(100, 1.0)
        stream = WRAPPERS[name][0](source.items())
        await first(stream)
        closing = asyncio.create_task(stream.aclose())
        await asyncio.sleep(1.0)
        closing.cancel()
        await asyncio.wait([closing])
        assert closing.cancelled()
        assert source.log[-1] != "closed"

    clock.run(main())


@wrapped
def test_a_stream_that_was_never_started_closes_its_source(name: str) -> None:
    async def main() -> None:
        source = Plain(later)
        await WRAPPERS[name][0](source).aclose()
        assert source.closed == 1
        assert source.left == 3

    clock.run(main())


@wrapped
def test_the_iterator_of_a_stream_closes_it_in_its_place(name: str) -> None:
    async def main() -> None:
        source = Plain(later)
        items = aiter(WRAPPERS[name][0](source))
        await items.aclose()
        assert (source.closed, source.left) == (1, 3)
        with pytest.raises(StopAsyncIteration):
            await anext(items)
        for pause in PAUSES:
            log = Source(ENDLESS, pause)
            items = aiter(WRAPPERS[name][0](log.items()))
            await first(items)
            await items.aclose()
            assert (log.log[0], log.log[-1]) == ("opened", "closed")

    clock.run(main())


@wrapped
def test_a_source_that_is_no_generator_is_closed_once_however_often_the_stream_is(name: str) -> None:
    async def main() -> None:
        for count in (0, 1, 4):  # items that are read before
            plain, rows = Plain(later), Source(3)
            for source in (plain, Rows(rows)):
                stream = WRAPPERS[name][0](source)
                with suppress(StopAsyncIteration):
                    for _ in range(count):
                        await anext(stream)
                await stream.aclose()
                await aiter(stream).aclose()
                await stream.aclose()
            assert plain.closed == 1
            assert rows.log[-1:] == ["left"]
            assert rows.log.count("left") == 1

    clock.run(main())


@wrapped
def test_an_error_of_closing_a_source_that_is_no_generator_comes_once(name: str) -> None:
    class Failing(Plain):
        async def aclose(self) -> None:
            await super().aclose()
            raise OSError("closing")

    async def main() -> None:
        source = Failing(later)
        stream = WRAPPERS[name][0](source)
        with pytest.raises(OSError, match="closing"):
            await stream.aclose()
        await stream.aclose()
        assert source.closed == 1

    clock.run(main())


@wrapped
def test_closing_a_stream_while_it_is_read_is_an_error_and_can_be_done_again(name: str) -> None:
    async def main() -> None:
        source = Source(ENDLESS, 5.0)
        stream = WRAPPERS[name][0](source.items())

        async def read() -> None:
            await first(stream)

        reader = asyncio.create_task(read())
        await asyncio.sleep(1)
        with pytest.raises(RuntimeError, match="already running"):
            await stream.aclose()
        await reader
        await stream.aclose()
        assert source.log[0] == "opened"
        assert source.log[-1] == "closed"

    clock.run(main())


@wrapped
def test_what_the_clean_up_raises_is_raised(name: str) -> None:
    async def main() -> None:
        error = OSError("closing")

        async def fail() -> None:
            await asyncio.sleep(1)
            raise error

        source = Source(100, 1.0)
        source.clean_up = fail
        stream = WRAPPERS[name][0](source.items())
        await first(stream)
        await asyncio.sleep(0.1)
        with pytest.raises(OSError, match="closing") as raised:
            await stream.aclose()
        assert raised.value is error

    clock.run(main())


@wrapped
def test_a_clean_up_may_wait_for_what_fails(name: str) -> None:
    async def main() -> None:
        async def fail() -> None:
            await asyncio.sleep(1)
            raise OSError("not reached")

        async def clean_up() -> None:
            for _ in range(2):
                with pytest.raises(OSError, match="not reached"):
                    await asyncio.create_task(fail())

        source = Source(100, 1.0)
        source.clean_up = clean_up
        stream = WRAPPERS[name][0](source.items())
        await first(stream)
        await asyncio.sleep(0.1)
        await stream.aclose()
        assert source.log[-1] == "closed"

    clock.run(main())
