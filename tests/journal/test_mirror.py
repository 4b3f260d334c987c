"""A mirror of a journal: its window, what is behind it, and what becomes of a place that is there no more."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from clock import run

from rawasgi.formats.sse import Event
from rawasgi.journal import Entry, Gap
from rawasgi.journal import mirror as mirrors
from rawasgi.journal.base import Slow
from rawasgi.journal.mirror import PAGE, WINDOW, Mirror
from rawasgi.journal.stored import Kept, State, write


async def nothing() -> None:
    pass


class Glass(Mirror):
    """A mirror of a list."""

    def __init__(self, base: int = 7, count: int = 0) -> None:
        super().__init__("t", "")
        self.kept: list[Kept] = []
        self.pages = 0
        self.before_page: Callable[[], Awaitable[None]] = nothing
        self.grow(base, count)

    def grow(self, base: int, count: int) -> None:
        begin = self.kept[-1].number + 1 if self.kept else 1
        self.kept += [Kept(base, number, write(Event(f"{number}"), None)) for number in range(begin, begin + count)]

    def show(self, base: int, count: int) -> None:
        """Keep so many more, and feed them."""
        self.grow(base, count)
        self.feed(self.kept[-count:], self.losses)

    async def append(self, event: Event, key: str | None = None) -> str:
        raise NotImplementedError

    async def end(self) -> None:
        self.kept.append(Kept(self.kept[-1].base, self.kept[-1].number + 1, ""))
        self.feed(self.kept[-1:], self.losses)

    async def look(self) -> State:
        if not self.kept:
            return State(0, 1, 0, False)
        return State(self.kept[0].base, self.kept[0].number, self.kept[-1].number, False)

    async def page(self, base: int, number: int) -> list[Kept]:
        self.pages += 1
        await self.before_page()
        return [kept for kept in self.kept if kept.base == base and kept.number > number][:PAGE]

    async def begin(self) -> None:
        self.feed([kept for kept in self.kept if (kept.base, kept.number) > self.place], self.losses)

    def leave(self) -> None:
        pass


def said(item: Entry | Gap) -> object:
    return int(str(item.event.data)) if isinstance(item, Entry) else (item.reason, item.count)


async def taken(stream: AsyncIterator[Entry | Gap], count: int) -> list[object]:
    return [said(await anext(stream)) for _ in range(count)]


async def rest(stream: AsyncIterator[Entry | Gap]) -> list[object]:
    return [said(item) async for item in stream]


def test_what_is_behind_the_window_is_read_in_pages() -> None:
    async def script() -> None:
        glass = Glass(count=600)
        reader, later = glass.follow(), glass.follow(glass._id(7, 400))
        assert await taken(reader, 600) == list(range(1, 601))
        assert glass.pages == 2, "600 less the window"
        assert await taken(later, 200) == list(range(401, 601))
        assert glass.pages == 2
        await glass.end()
        assert await rest(reader) == await rest(later) == []

    run(script())


def test_the_window_has_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    async def script() -> None:
        glass = Glass(count=1)
        reader = glass.follow(backlog=10_000)
        assert await taken(reader, 1) == [1]
        glass.show(7, WINDOW + 100)
        assert len(glass._window) == WINDOW
        monkeypatch.setattr(mirrors, "WINDOW_BYTES", 1000)
        glass.show(7, 1)
        assert sum(len(entry.encoded) for entry in glass._window) <= 1000
        assert await taken(reader, WINDOW + 101) == list(range(2, WINDOW + 103))
        await reader.aclose()

    run(script())


def test_what_comes_twice_or_with_a_hole_is_put_right() -> None:
    async def script() -> None:
        glass = Glass(count=3)
        reader = glass.follow()
        assert await taken(reader, 3) == [1, 2, 3]
        glass.feed(glass.kept, glass.losses)
        glass.grow(7, 5)
        glass.feed(glass.kept[6:], glass.losses)
        glass.feed([Kept(6, 9, "of a former life")], glass.losses)
        assert await taken(reader, 5) == [4, 5, 6, 7, 8]
        await glass.end()
        assert await rest(reader) == []

    run(script())


@pytest.mark.parametrize(("left", "got"), [(3, [("trimmed", 97), 598, 599, 600]), (0, [("trimmed", 100)])])
def test_what_was_trimmed_meanwhile_is_told(left: int, got: list[object]) -> None:
    async def script() -> None:
        glass = Glass(count=500)
        reader = glass.follow(backlog=10_000)
        assert await taken(reader, 500) == list(range(1, 501))
        glass.show(7, 100)
        glass._forget(600)
        del glass.kept[: 600 - left]
        glass._ended = True
        assert await rest(reader) == got

    run(script())


def test_a_page_of_a_former_life_is_dropped() -> None:
    async def script() -> None:
        glass = Glass(count=600)

        async def lose() -> None:
            glass.before_page = nothing
            glass.kept.clear()
            glass.grow(7, 2)
            await glass.observe(glass.look)
            glass.feed(glass.kept, glass.losses)

        glass.before_page = lose
        reader = glass.follow()
        assert await taken(reader, 3) == [("restarted", None), 1, 2]
        await glass.end()
        assert await rest(reader) == []

    run(script())


def test_who_had_nothing_misses_nothing_by_a_restart() -> None:
    async def script() -> None:
        glass = Glass()
        reader = glass.follow()
        waiting = asyncio.create_task(taken(reader, 2))
        await asyncio.sleep(1)
        glass.show(7, 5)
        glass.kept.clear()
        glass.grow(3, 2)
        await glass.observe(glass.look)
        glass.feed(glass.kept, glass.losses)
        assert await waiting == [1, 2]
        await reader.aclose()

    run(script())


@pytest.mark.parametrize(
    ("slow", "got"),
    [
        ("drop_newest", [*range(2, 258), ("trimmed", 43), *range(301, 957), ("slow", 444)]),
        ("latest", [*range(2, 258), ("trimmed", 43), *range(301, 1401)]),
    ],
)
def test_what_was_trimmed_for_who_is_slow_is_told_as_well(slow: Slow, got: list[object]) -> None:
    async def script() -> None:
        glass = Glass(count=1)
        reader = glass.follow(slow=slow, backlog=400)
        assert await taken(reader, 1) == [1]
        waiting = asyncio.create_task(taken(reader, 1))
        await asyncio.sleep(1)
        glass.grow(7, 1400 - 1)
        glass._forget(1400)  # nothing of it is in the window

        async def trim() -> None:
            if glass.pages == 2:
                del glass.kept[:300]

        glass.before_page = trim
        glass._ended = True
        glass._wake()
        assert await waiting + await rest(reader) == got

    run(script())
