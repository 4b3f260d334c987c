"""A journal in memory: its bounds, and what becomes of who is slow."""

import asyncio

import pytest
from clock import now, run
from following import filled, rest, said, taken

from rawasgi import respond
from rawasgi.formats.sse import Event
from rawasgi.journal import Ended, Entry, Gap, MemoryJournal
from rawasgi.journal.base import Slow

# Bounds


def test_it_keeps_so_many() -> None:
    async def script() -> None:
        journal = MemoryJournal(max_items=3)
        ids = await filled(journal, *"abcde")
        await journal.end()
        assert await rest(journal.follow(ids[0])) == [("trimmed", 1), "c", "d", "e"]
        assert await rest(journal.follow(ids[1])) == ["c", "d", "e"]
        assert await rest(journal.follow()) == ["c", "d", "e"]
        assert (journal.counters.kept, journal.counters.trimmed, journal.counters.appended) == (3, 2, 5)

    run(script())


def test_it_keeps_so_many_bytes() -> None:
    async def script() -> None:
        journal = MemoryJournal(max_bytes=1000)
        await filled(journal, "x" * 400, "y" * 400, "z" * 400)
        assert journal.counters.kept == 2
        assert journal.counters.kept_bytes <= 1000
        await filled(journal, "large" * 1000)
        assert journal.counters.kept == 1, "the last one always stays"

    run(script())


def test_it_keeps_them_so_long() -> None:
    async def script() -> None:
        journal = MemoryJournal(max_age=10)
        ids = await filled(journal, "a")
        await asyncio.sleep(8)
        await filled(journal, "b")
        await asyncio.sleep(8)
        reader = journal.follow(ids[0])
        assert await taken(reader, 1) == ["b"]
        await asyncio.sleep(8)
        await filled(journal, "c")
        await reader.aclose()
        await journal.end()
        assert await rest(journal.follow()) == ["c"]

    run(script())


@pytest.mark.parametrize("bounds", [{"max_items": 0}, {"max_bytes": -1}, {"max_age": 0}])
def test_a_bound_must_leave_room(bounds: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be more than 0"):
        MemoryJournal(**bounds)  # type: ignore[arg-type]


# Who is slow


async def fallen_behind(slow: Slow, *keys: str | None, backlog: int = 2, max_items: int = 10_000) -> list[object]:
    """What a reader gets that read "a", and then not before so many more had come than its backlog."""
    journal = MemoryJournal(max_items=max_items)
    reader = journal.follow(slow=slow, backlog=backlog)
    await filled(journal, "a")
    first = await taken(reader, 1)
    waiting = asyncio.create_task(taken(reader, 1))  # it has caught up
    await asyncio.sleep(1)
    await journal.append(Event("b"), "k")
    first += await waiting
    for number, key in enumerate(keys or (None,) * 5):
        await journal.append(Event(f"{number}"), key)
    await journal.end()
    return first + await rest(reader)


def test_it_loses_the_oldest() -> None:
    assert run(fallen_behind("drop_oldest")) == ["a", "b", ("slow", 3), "3", "4"]


def test_or_the_newest() -> None:
    assert run(fallen_behind("drop_newest")) == ["a", "b", "0", "1", ("slow", 3)]


def test_or_all_but_the_latest_of_each_key() -> None:
    assert run(fallen_behind("latest", "x", "y", "x", None, "x")) == ["a", "b", "1", "3", "4"]


def test_or_the_connection() -> None:
    assert run(fallen_behind("disconnect")) == ["a", "b", ("slow", 5)]


@pytest.mark.parametrize(
    ("slow", "backlog", "wanted"),
    [
        ("drop_oldest", 2, [("slow", 8), "8", "9"]),
        ("drop_oldest", 6, [("slow", 4), ("trimmed", 2), "6", "7", "8", "9"]),
        ("drop_newest", 2, [("trimmed", 6), "6", "7", ("slow", 2)]),
        ("drop_newest", 6, [("trimmed", 6), "6", "7", "8", "9"]),
        ("latest", 2, [("trimmed", 6), "8", "9"]),
        ("disconnect", 2, [("slow", 10)]),
    ],
)
def test_and_what_was_thrown_away_meanwhile_is_a_gap(slow: Slow, backlog: int, wanted: list[object]) -> None:
    keys = ["x", "y"] * 5
    assert run(fallen_behind(slow, *keys, backlog=backlog, max_items=4)) == ["a", "b", *wanted]


def test_or_nothing_and_the_publisher_waits() -> None:
    async def script() -> tuple[list[float], list[object]]:
        journal = MemoryJournal()
        reader = journal.follow(slow="wait", backlog=2)
        times = []

        async def publish() -> None:
            for number in range(5):
                await journal.append(Event(f"{number}"))
                times.append(now())
            await journal.end()

        await journal.append(Event("first"))
        await anext(reader)
        publishing = asyncio.create_task(publish())
        read = []
        async for item in reader:
            read.append(said(item))
            await asyncio.sleep(10)
        await publishing
        return times, read

    times, read = run(script())
    assert read == ["0", "1", "2", "3", "4"]
    assert times == [0, 0, 0, 10, 20]


@pytest.mark.parametrize("how", ["closed", "ended"])
def test_a_publisher_waits_for_nobody_who_has_gone(how: str) -> None:
    async def script() -> None:
        journal = MemoryJournal()
        reader = journal.follow(slow="wait", backlog=1)
        await filled(journal, "a")
        await anext(reader)
        await filled(journal, "b")
        appending = asyncio.create_task(journal.append(Event("c")))
        await asyncio.sleep(1)
        assert not appending.done()
        if how == "closed":
            await reader.aclose()
            await appending
        else:
            await journal.end()
            with pytest.raises(Ended):
                await appending
            await reader.aclose()
        assert journal.counters.followers == 0

    run(script())


def test_a_long_replay_is_not_slow() -> None:
    async def script() -> None:
        journal = MemoryJournal()
        await filled(journal, *map(str, range(1000)))
        await journal.end()
        assert len(await rest(journal.follow(backlog=1, slow="disconnect"))) == 1000

    run(script())


def test_what_is_trimmed_while_one_replays_is_told() -> None:
    async def script() -> None:
        journal = MemoryJournal(max_items=300)
        await filled(journal, *map(str, range(300)))
        reader = journal.follow()
        assert await taken(reader, 1) == ["0"]
        await filled(journal, *map(str, range(300, 900)))
        await journal.end()
        *batch, gap = await taken(reader, 256)
        assert (batch[-1], gap) == ("255", ("trimmed", 344))
        assert len(await rest(reader)) == 300

    run(script())


def test_a_backlog_must_be_one_or_more() -> None:
    with pytest.raises(ValueError, match="backlog"):
        MemoryJournal().follow(backlog=0)


def test_several_publishers_wait_together() -> None:
    async def script() -> list[object]:
        journal = MemoryJournal()
        reader = journal.follow(slow="wait", backlog=1)
        await filled(journal, "a")
        await anext(reader)
        waiting = [asyncio.create_task(journal.append(Event(text))) for text in "bcd"]
        await asyncio.sleep(1)
        read = await taken(reader, 3)
        await asyncio.gather(*waiting)
        await reader.aclose()
        return read

    assert run(script()) == ["b", "c", "d"]


# Ids that are not of here


@pytest.mark.parametrize(
    ("of", "reason", "replayed"),
    [
        (MemoryJournal("topic", "bob"), "foreign", False),
        (MemoryJournal("other", "alice"), "foreign", False),
        (MemoryJournal("topic", "alice"), "restarted", True),
        (None, "foreign", False),
    ],
    ids=["of another owner", "of another topic", "of another life", "of nobody"],
)
def test_an_id_of_elsewhere_is_told_and_only_a_former_life_replays(
    of: MemoryJournal | None, reason: str, replayed: bool
) -> None:
    async def script() -> list[object]:
        journal = MemoryJournal("topic", "alice")
        await filled(journal, "a", "b")
        after = "7" if of is None else await of.append(Event("x"))
        await journal.end()
        return await rest(journal.follow(after))

    assert run(script()) == [(reason, None), *(["a", "b"] if replayed else [])]


def test_a_client_is_told_of_a_gap() -> None:
    assert Gap("restarted").event == Event('{"reason": "restarted"}', "gap")
    assert Gap("trimmed", "x", 3).event == Event('{"reason": "trimmed", "count": 3}', "gap")
    assert respond.event(Gap("slow", count=1)) == b'event: gap\ndata: {"reason": "slow", "count": 1}\n\n'


# Many


def test_an_event_is_encoded_once_for_all() -> None:
    async def script() -> set[int]:
        journal = MemoryJournal()
        readers = [journal.follow() for _ in range(100)]
        waiting = [asyncio.ensure_future(anext(reader)) for reader in readers]
        await asyncio.sleep(0)
        await filled(journal, "a")
        entries = await asyncio.gather(*waiting)
        for reader in readers:
            await reader.aclose()
        assert journal.counters.followers == 0
        return {id(entry.encoded) for entry in entries if isinstance(entry, Entry)}

    assert len(run(script())) == 1


def test_who_leaves_while_it_waits_leaves_nobody_else_waiting() -> None:
    async def script() -> object:
        journal = MemoryJournal()
        gone, stays = (asyncio.create_task(rest(journal.follow())) for _ in range(2))
        await asyncio.sleep(1)
        gone.cancel()
        await asyncio.sleep(1)
        assert journal.counters.followers == 1
        await filled(journal, "a")
        await journal.end()
        return await stays

    assert run(script()) == ["a"]
