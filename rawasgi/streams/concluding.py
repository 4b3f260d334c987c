"""Say at the end how it ended."""

from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import TypeVar

from rawasgi.streams.base import CloseOnce, Stream
from rawasgi.streams.reading import Pull

T = TypeVar("T")
U = TypeVar("U")


def conclude(
    source: AsyncIterable[T], done: Callable[[int], U | None], failed: Callable[[Exception], U | None]
) -> Stream[T | U]:
    """Yield from *source*, then *done(count)* of its items, or, if it fails, *failed(error)* instead of the rest.

    What returns None is not yielded. An error before the first item and the first wait is raised, as nothing was said
    yet: it can still be an answer of its own. So is one after a wait while ``Stream.hold_errors`` is set. The last word
    comes when *source* is closed.
    Order: the source's. Reads ahead: nothing. Loses: nothing. Closes: source.
    Raises: what closing *source*, *done* and *failed* raise; that of *source* only as said above.
    """
    once: CloseOnce[T | U] = CloseOnce(source)
    return Stream(_conclude(once, done, failed), once)


async def _conclude(
    source: CloseOnce[T], done: Callable[[int], U | None], failed: Callable[[Exception], U | None]
) -> AsyncIterator[T | U]:
    count = 0
    begun = False
    error: Exception | None = None
    async with Pull(source) as pull:
        while True:
            try:
                if not pull.advance():
                    begun = True
                    await pull.wait()
            except Exception as raised:
                if not begun or (count == 0 and source.holds_errors):
                    raise
                error = raised
                break
            if pull.over:
                break
            count += 1
            begun = True
            yield pull.item
    last = done(count) if error is None else failed(error)
    if last is not None:
        source.reported = error is not None
        yield last
