"""Say at the end how it ended."""

from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any, TypeVar, overload

from rawasgi.streams.base import CloseOnce, Stream
from rawasgi.streams.reading import Pull

T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V")


@overload
def conclude(
    source: AsyncIterable[T], done: Callable[[int], U | None], failed: Callable[[Exception], U | None]
) -> Stream[T | U]: ...
@overload
def conclude(
    source: AsyncIterable[T],
    done: Callable[[int], U | None],
    failed: Callable[[Exception], U | None],
    convert: Callable[[T], V],
) -> Stream[V | U]: ...
def conclude(
    source: AsyncIterable[Any],
    done: Callable[[int], object],
    failed: Callable[[Exception], object],
    convert: Callable[[Any], object] | None = None,
) -> Stream[Any]:
    """Yield from *source*, then *done(count)* of its items, or, if it fails, *failed(error)* instead of the rest.

    *convert(item)*, if it is given, is yielded in the place of each item; if it raises, *source* is closed and has
    failed. What *done* and *failed* return is not yielded if it is None. An error before the first item and the first
    wait is raised, as nothing was said yet: it can still be an answer of its own. So is one after a wait while
    ``Stream.hold_errors`` is set. The last word comes when *source* is closed.
    Order: the source's. Reads ahead: nothing. Loses: nothing. Closes: source.
    Raises: what closing *source*, *done* and *failed* raise; that of *source* and *convert* only as said above.
    """
    once: CloseOnce[Any] = CloseOnce(source)
    return Stream(_conclude(once, done, failed, convert), once)


async def _conclude(
    source: CloseOnce[Any],
    done: Callable[[int], object],
    failed: Callable[[Exception], object],
    convert: Callable[[Any], object] | None,
) -> AsyncIterator[object]:
    count = 0
    begun = False
    error: Exception | None = None
    async with Pull(source) as pull:
        while True:
            try:
                if not pull.advance():
                    begun = True
                    await pull.wait()
                if pull.over:
                    break
                item = pull.item if convert is None else convert(pull.item)
            except Exception as raised:
                if not begun or (count == 0 and source.holds_errors):
                    raise
                error = raised
                break
            count += 1
            begun = True
            yield item
    last = done(count) if error is None else failed(error)
    if last is not None:
        source.reported = error is not None
        yield last
