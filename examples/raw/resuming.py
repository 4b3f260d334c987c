"""Work that a client comes back to: rows 19 and 37."""

from collections.abc import AsyncIterable, AsyncIterator, Callable

from rawasgi.errors import HTTPError
from rawasgi.journal import Entry, Gap, NoSuchRun, Runs
from rawasgi.request import Request
from rawasgi.streams import Stream, owned

runs = Runs()


async def followed(
    request: Request, row: str, source: Callable[[], AsyncIterable[object]], name: str | None = None
) -> tuple[str, Stream[Entry | Gap]]:
    """Return a run of *row* and what it says: the one *name*, or that of the client's last id, after it; or a new one.

    A client whose id is of no run is told by a gap that it is a new one, and gets all of it.
    """
    last = request.last_event_id
    seen = runs.named(last, row)
    try:
        begun = name or seen or await runs.start(source(), row)
        following = runs.follow(begun, last if begun == seen else None, row)
    except OverflowError as error:
        raise HTTPError(503, str(error), headers=((b"retry-after", b"1"),)) from None
    except NoSuchRun:
        raise HTTPError(404, f"no task is called {name!r}") from None

    async def items() -> AsyncIterator[Entry | Gap]:
        if last and not name and not seen:
            yield Gap("restarted", last)
        async with owned(following) as entries:
            async for entry in entries:
                yield entry

    return begun, Stream(items(), following)
