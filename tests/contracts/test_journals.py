"""What every journal must do, wherever it keeps its events."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterator

import clock
import pytest
from following import filled, rest, said, taken
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from journal_machine import PATIENCE, House, InRedis, Machine, Memory
from valkeys import Valkey, valkey

from rawasgi.formats import sse
from rawasgi.formats.sse import Event
from rawasgi.journal import Ended, Entry, Gap
from rawasgi.journal.base import Slow

Script = Callable[[House], Coroutine[object, object, None]]
Play = Callable[..., None]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with valkey(tmp_path_factory.mktemp("valkey")) as started:
        yield started


@pytest.fixture(params=["memory", "redis"])
def play(request: pytest.FixtureRequest) -> Play:
    """Run a script in a house of each kind."""

    async def main(house: House, script: Script) -> None:
        async with asyncio.timeout(PATIENCE), house:
            await script(house)

    def in_memory(script: Script, **bounds: int) -> None:
        clock.run(main(Memory(**bounds), script))

    def in_redis(script: Script, **bounds: int) -> None:
        asyncio.run(main(InRedis(request.getfixturevalue("server"), **bounds), script))

    return in_memory if request.param == "memory" else in_redis


def test_what_came_after_an_id_is_replayed(play: Play) -> None:
    async def script(house: House) -> None:
        journal = house.journal()
        ids = await filled(journal, *"abcde")
        await journal.end()
        assert await rest(journal.follow()) == ["a", "b", "c", "d", "e"]
        for number, id in enumerate(ids):
            assert await rest(journal.follow(id)) == list("abcde"[number + 1 :])

    play(script)


def test_an_entry_has_the_id_that_append_gave_and_all_that_was_said(play: Play) -> None:
    async def script(house: House) -> None:
        journal = house.journal()
        events = [Event("", "", "mine", 0, ""), Event(None, None, None, None, "中"), Event("a\nb\r\u2028\x00", "e")]
        ids = [await journal.append(event, f"{number}") for number, event in enumerate(events)]
        await journal.end()
        entries = [item async for item in journal.follow() if isinstance(item, Entry)]
        assert [entry.event.id for entry in entries] == ids
        assert [entry.key for entry in entries] == ["0", "1", "2"]
        for event, entry in zip(events, entries, strict=True):
            same = Event(event.data, event.event, entry.event.id, event.retry, event.comment)
            assert entry.event == same
            assert f"id: {entry.event.id}\n".encode() in entry.encoded

    play(script)


def test_what_comes_is_given_to_all_who_wait(play: Play) -> None:
    async def script(house: House) -> None:
        journal = house.journal()
        await filled(journal, "a")
        readers = [journal.follow() for _ in range(5)]
        for reader in readers:
            assert await taken(reader, 1) == ["a"]
        waiting = [asyncio.create_task(taken(reader, 2)) for reader in readers]
        await filled(journal, "b", "c")
        assert await asyncio.gather(*waiting) == [["b", "c"]] * 5
        for reader in readers:
            await reader.aclose()

    play(script)


def test_who_is_first_waits_for_a_topic_that_is_not_there_yet(play: Play) -> None:
    async def script(house: House) -> None:
        reader = house.journal().follow()
        waiting = asyncio.create_task(taken(reader, 1))
        await asyncio.sleep(0)
        await filled(house.journal(), "a")
        assert await waiting == ["a"]
        await reader.aclose()

    play(script)


@pytest.mark.parametrize("seed", range(12))
def test_no_seam_is_between_replay_and_live(play: Play, seed: int) -> None:
    chance = random.Random(seed)

    async def some_turns() -> None:
        for _ in range(chance.choice([0, 0, 1, 3, 30])):
            await asyncio.sleep(0)

    async def script(house: House) -> None:
        journal = house.journal()
        ids: list[str | None] = [None]

        async def write(count: int) -> None:
            for _ in range(count):
                ids.append(await journal.append(Event(f"{len(ids)}")))
                await some_turns()

        async def read() -> None:
            await some_turns()
            begin = chance.randrange(len(ids))
            reader = journal.follow(ids[begin])
            got: list[object] = []
            async for item in reader:
                got.append(said(item))
                await some_turns()
                if chance.random() < 0.03:  # it leaves, and comes back with its last id
                    await reader.aclose()
                    last = item.event.id if isinstance(item, Entry) else None
                    got += await rest(journal.follow(last))
                    break
            assert got == [str(number) for number in range(begin + 1, 101)]

        await write(20)
        async with asyncio.TaskGroup() as group:
            for _ in range(10):
                group.create_task(read())
            await write(80)
            await journal.end()

    play(script)


def test_nothing_is_replayed_for_an_id_of_something_else(play: Play) -> None:
    async def script(house: House) -> None:
        mine = await filled(house.journal("t", "me"), "secret")
        theirs = await filled(house.journal("t", "you"), "a", "b")
        other = await filled(house.journal("u", "you"), "c")
        assert len({id.split("-")[0] for id in mine + theirs + other}) == 3
        journal = house.journal("t", "you")
        readers = [journal.follow(id) for id in (mine[0], other[0], "", "42", theirs[0] + "\n", theirs[0] + "0" * 20)]
        for reader in readers:
            assert await taken(reader, 1) == [("foreign", None)]
        await filled(journal, "new")
        for reader in readers:
            assert await taken(reader, 1) == ["new"]
            await reader.aclose()
        await journal.end()
        assert await rest(journal.follow()) == ["a", "b", "new"]

    play(script)


def test_topic_and_owner_cannot_be_mixed_up(play: Play) -> None:
    async def script(house: House) -> None:
        names = [("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc"), ("1:a", "b"), ("1", ":ab")]
        for topic, owner in names:
            await filled(house.journal(topic, owner), topic + "|" + owner)
            await house.journal(topic, owner).end()
        for topic, owner in names:
            assert await rest(house.journal(topic, owner).follow()) == [topic + "|" + owner]

    play(script)


def test_an_id_of_a_former_life_is_told_and_all_is_said_again(play: Play) -> None:
    async def script(house: House) -> None:
        old = await filled(house.journal(), "a", "b")
        await house.lose()
        ids = await filled(house.journal(), "c")
        await house.journal().end()
        assert await rest(house.journal().follow(old[0])) == [("restarted", None), "c"]
        assert await rest(house.journal().follow(ids[0] + "9")) == [("restarted", None), "c"]

    play(script)


def test_what_is_kept_no_more_is_told_and_counted(play: Play) -> None:
    async def script(house: House) -> None:
        journal = house.journal()
        ids = await filled(journal, *"abcde")
        await journal.end()
        assert await rest(journal.follow(ids[0])) == [("trimmed", 1), "c", "d", "e"]
        assert await rest(journal.follow(ids[1])) == ["c", "d", "e"]
        assert await rest(journal.follow()) == ["c", "d", "e"]

    play(script, max_items=3)


def test_a_client_is_told_of_a_gap_by_an_event_that_leaves_its_id_alone() -> None:
    assert sse.encode(Gap("trimmed", "x-y-1", 3).event) == b'event: gap\ndata: {"reason": "trimmed", "count": 3}\n\n'
    assert sse.encode(Gap("foreign", "x").event) == b'event: gap\ndata: {"reason": "foreign"}\n\n'


def test_the_end_stays(play: Play) -> None:
    async def script(house: House) -> None:
        journal = house.journal()
        (id,) = await filled(journal, "a")
        reader = journal.follow(id)
        waiting = asyncio.create_task(rest(reader))
        await asyncio.sleep(0)
        await journal.end()
        assert await waiting == []
        with pytest.raises(Ended, match="take another topic"):
            await filled(journal, "b")
        await journal.end()
        assert await rest(journal.follow()) == ["a"]
        assert await rest(journal.follow(id)) == []
        await house.journal("empty").end()
        assert await rest(house.journal("empty").follow()) == []
        assert await rest(house.journal("empty").follow("x")) == [("foreign", None)]

    play(script)


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (Event("a", "b\nc"), ValueError),
        (Event(5), TypeError),  # type: ignore[arg-type]
        (Event("\ud800"), ValueError),
    ],
)
def test_what_cannot_be_sent_is_not_kept(play: Play, event: Event, error: type[Exception]) -> None:
    async def script(house: House) -> None:
        journal = house.journal()
        await filled(journal, "a")
        with pytest.raises(error):
            await journal.append(event)
        await filled(journal, "b")
        await journal.end()
        assert await rest(journal.follow()) == ["a", "b"]

    play(script)


def test_a_backlog_must_be_one_or_more(play: Play) -> None:
    async def script(house: House) -> None:
        with pytest.raises(ValueError, match="backlog"):
            house.journal().follow(backlog=0)

    play(script)


@pytest.mark.parametrize(
    ("slow", "keys", "got"),
    [
        ("drop_oldest", (None,) * 5, [("slow", 3), "3", "4"]),
        ("drop_newest", (None,) * 5, ["0", "1", ("slow", 3)]),
        ("latest", ("x", "y", "x", None, "x"), ["1", "3", "4"]),
        ("disconnect", (None,) * 5, [("slow", 5)]),
    ],
)
def test_who_is_slow_gets_what_it_asked_for(play: Play, slow: Slow, keys: tuple[str | None], got: list[object]) -> None:
    async def script(house: House) -> None:
        journal = house.journal()
        reader, quick = journal.follow(slow=slow, backlog=2), journal.follow()
        waiting = asyncio.create_task(taken(reader, 1))
        await filled(journal, "a")
        assert await waiting == ["a"]
        waiting = asyncio.create_task(taken(reader, 1))
        for _ in range(100):
            await asyncio.sleep(0)  # until it waits
        await filled(journal, "b")
        assert await waiting == ["b"]
        for number, key in enumerate(keys):
            await journal.append(Event(f"{number}"), key)
        await taken(quick, 7)  # so it is here
        await journal.end()
        assert await rest(reader) == got
        await quick.aclose()

    play(script)


def test_who_leaves_while_it_waits_leaves_nobody_else_waiting(play: Play) -> None:
    async def script(house: House) -> None:
        journal = house.journal()
        await filled(journal, "a")
        gone, stays = journal.follow(), journal.follow()
        await taken(gone, 1)
        await taken(stays, 1)
        tasks = [asyncio.create_task(rest(reader)) for reader in (gone, stays)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.wait(tasks[:1])
        await filled(journal, "b")
        await journal.end()
        assert await tasks[1] == ["b"]

    play(script)


def test_a_journal_in_memory_is_a_list_of_which_the_last_are_kept() -> None:
    class InMemory(Machine):
        make_house = staticmethod(lambda: Memory(max_items=5))
        make_loop = clock.Loop

    run_state_machine_as_test(InMemory, settings=settings(max_examples=60))


def test_a_journal_in_redis_is_a_list_of_which_the_last_are_kept(server: Valkey) -> None:
    class OverRedis(Machine):
        make_house = staticmethod(lambda: InRedis(server, max_items=5))
        make_loop = asyncio.new_event_loop

    run_state_machine_as_test(OverRedis, settings=settings(max_examples=12))
