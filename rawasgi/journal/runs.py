"""Work that goes on when its client leaves, and can be followed again from any point."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable

from rawasgi.formats import sse
from rawasgi.formats.endings import Failure
from rawasgi.journal.base import Ended, Entry, Gap, Journal, Slow, tag
from rawasgi.journal.memory import MemoryJournal
from rawasgi.journal.retrying import retry_delays
from rawasgi.streams import Stream, owned

logger: logging.Logger = logging.getLogger("rawasgi")


class NoSuchRun(LookupError):
    """There is no run of that name, or not for this owner, or not any more."""


class _Run:
    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.readers = 0
        self.why = "cancelled"
        self.is_ending = False  # its source is closed, and its end is being written
        self.over = False
        self.task: asyncio.Task[None]
        self.timer: asyncio.TimerHandle  # of what comes when nobody follows


class Runs:
    """Runs under way, and those that are over but may still be asked for.

    *make*: the journal of a run, by its name and owner. *abandoned*: seconds after which a run that nobody follows is
    cancelled. *kept*: seconds for which one that is over can be followed still. *most*: how many there may be at once;
    those that are over and not followed make room for new ones, oldest first.
    For a lifespan: ``async with Runs() as runs``; leaving it cancels all and waits for their clean-up.
    """

    def __init__(
        self,
        make: Callable[[str, str], Journal] = MemoryJournal,
        *,
        abandoned: float = 60.0,
        kept: float = 300.0,
        most: int = 1000,
    ) -> None:
        self._make = make
        self._abandoned = abandoned
        self._kept = kept
        self._most = most
        self._runs: dict[tuple[str, str], _Run] = {}
        self._names: dict[tuple[str, str], str] = {}  # by the tag in their events' ids, and the owner

    async def __aenter__(self) -> "Runs":
        return self

    async def __aexit__(self, *_: object) -> None:
        runs = list(self._runs.values())
        self._runs.clear()
        self._names.clear()
        for run in runs:
            run.why = "shutdown"
            run.task.cancel()  # also one that is ending, as its journal may be unavailable for long
            run.timer.cancel()
        await asyncio.gather(*(run.task for run in runs), return_exceptions=True)

    def __len__(self) -> int:
        return len(self._runs)

    async def start(self, source: AsyncIterable[object], owner: str = "") -> str:
        """Begin to keep the items of *source* in a journal of their own; return the name by which it is followed.

        An item is what ``respond.sse`` takes. When *source* fails, the last event is an ``error`` with the run's name
        as id, under which the log has the rest. An end that cannot be written, as the journal is unavailable, is
        tried again, so the ``error`` may come twice. Closes: *source*. Raises: OverflowError if there are too many.
        """
        if len(self._runs) >= self._most and not self._make_room():
            raise OverflowError(f"{self._most} runs are under way or followed, as many as may be: ask again later")
        name = secrets.token_hex(8)
        while (tag(name, owner), owner) in self._names:
            name = secrets.token_hex(8)
        run = self._runs[name, owner] = _Run(self._make(name, owner))
        self._names[tag(name, owner), owner] = name
        loop = asyncio.get_running_loop()
        run.timer = loop.call_later(self._abandoned, self._abandon, run)
        # Last: with an eager task factory (Python 3.12), the run may be over when create_task() returns.
        run.task = loop.create_task(self._produce(name, owner, run, source), name=f"rawasgi: run {name}")
        await asyncio.sleep(0)  # a task that is cancelled before it began never closes its source
        return name

    def follow(
        self, name: str, after: str | None = None, owner: str = "", *, slow: Slow = "drop_oldest", backlog: int = 1000
    ) -> Stream[Entry | Gap]:
        """Yield what the run *name* of *owner* has said after the id *after*, and then what it says, to its end.

        Raises: NoSuchRun. Order, and the rest: as ``Journal.follow``.
        """
        run = self._find(name, owner)
        stream = run.journal.follow(after, slow=slow, backlog=backlog)
        return Stream(self._read(name, owner, run, stream), stream)

    def named(self, event_id: str | None, owner: str = "") -> str | None:
        """Return the run of *owner* that an event with *event_id* is of: what a client comes back with says it all."""
        return self._names.get(((event_id or "").partition("-")[0], owner))

    async def cancel(self, name: str, owner: str = "") -> None:
        """Stop the run *name* and wait for its clean-up; who follows it gets an ``error`` of code ``cancelled``.

        Raises: NoSuchRun.
        """
        run = self._find(name, owner)
        self._stop(run, "cancelled")
        await asyncio.wait([run.task])

    def _find(self, name: str, owner: str) -> _Run:
        run = self._runs.get((name, owner))
        if run is None:
            raise NoSuchRun(f"there is no run {name!r} here: it is another's, or was over for more than {self._kept} s")
        return run

    def _make_room(self) -> bool:
        for place, run in self._runs.items():
            if run.over and not run.readers:
                run.timer.cancel()
                self._drop(*place)
                return True
        return False

    async def _produce(self, name: str, owner: str, run: _Run, source: AsyncIterable[object]) -> None:
        try:
            last = await self._copy(name, run, source)
            run.is_ending = True
            if last is not None:
                event = sse.event_of(last)
                await self._write(name, run, lambda: run.journal.append(event))
            await self._write(name, run, run.journal.end)
        except BaseException as error:
            logger.error("the end of run %s is not in its journal, so its followers wait", name, exc_info=error)
            if not isinstance(error, Exception):
                raise
        finally:
            run.over = True
            self._wait(name, owner, run)

    async def _copy(self, name: str, run: _Run, source: AsyncIterable[object]) -> Failure | None:
        """Append the items of *source*; return what is to be its last event if it did not end well."""
        try:
            async with owned(source) as items:
                async for item in items:
                    await run.journal.append(sse.event_of(item))
        except asyncio.CancelledError:
            return Failure(run.why, f"the run was {run.why}", name)
        except Exception as error:
            logger.error("run failed, id %s", name, exc_info=error)
            return Failure(id=name)
        return None

    async def _write(self, name: str, run: _Run, write: Callable[[], Awaitable[object]]) -> None:
        """Call *write* until it succeeds, as followers wait for the end; at shutdown once.

        Raises: what no retry can mend: Ended, and the RuntimeError of a journal that is closed.
        """
        delays, is_logged = retry_delays(), False
        while True:
            try:
                await write()
                return
            except (Ended, RuntimeError):
                raise
            except Exception as error:
                if run.why == "shutdown":
                    raise
                if not is_logged:
                    logger.warning("the end of run %s cannot be written, and is tried again: %r", name, error)
                is_logged = True
            await asyncio.sleep(next(delays))

    async def _read(self, name: str, owner: str, run: _Run, stream: Stream[Entry | Gap]) -> AsyncIterator[Entry | Gap]:
        run.readers += 1
        run.timer.cancel()
        try:
            async with owned(stream) as items:
                async for item in items:
                    yield item
        finally:
            run.readers -= 1
            self._wait(name, owner, run)

    def _wait(self, name: str, owner: str, run: _Run) -> None:
        """See to it that a run which nobody follows ends, and one that is over is forgotten."""
        run.timer.cancel()
        if run.readers or self._runs.get((name, owner)) is not run:
            return
        loop = asyncio.get_running_loop()
        if run.over:
            run.timer = loop.call_later(self._kept, self._drop, name, owner)
        else:
            run.timer = loop.call_later(self._abandoned, self._abandon, run)

    def _drop(self, name: str, owner: str) -> None:
        del self._runs[name, owner]
        del self._names[tag(name, owner), owner]

    def _abandon(self, run: _Run) -> None:
        self._stop(run, "abandoned")

    def _stop(self, run: _Run, why: str) -> None:
        if not run.is_ending:
            run.why = why
            run.task.cancel()
