"""A mirror gets replies in any order: no follower loses an event without a gap, in none of the orders."""

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import permutations

import pytest
from clock import run

from rawasgi.formats.sse import Event
from rawasgi.journal import Entry, Gap
from rawasgi.journal import mirror as mirrors
from rawasgi.journal.mirror import Mirror
from rawasgi.journal.stored import Kept, State, write

Order = tuple[str, ...]


class Store:
    """What a server keeps of one topic."""

    def __init__(self) -> None:
        self.kept: list[Kept] = []
        self._written = 0

    def grow(self, base: int, count: int) -> None:
        for _ in range(count):
            self._written += 1  # a text tells a number from the same number after a loss
            number = self.kept[-1].number + 1 if self.kept else 1
            self.kept.append(Kept(base, number, write(Event(f"{base}.{number}.{self._written}"), None)))

    def state(self) -> State:
        if not self.kept:
            return State(0, 1, 0, False)
        return State(self.kept[0].base, self.kept[0].number, self.kept[-1].number, False)


class Remote(Mirror):
    """A mirror of a store: the test delivers the replies to its commands, one by one."""

    def __init__(self, store: Store) -> None:
        super().__init__("t", "")
        self.store = store
        self.looks: dict[asyncio.Task[object] | None, asyncio.Future[None]] = {}  # replies that have not arrived yet
        self.reads: list[tuple[list[Kept], int]] = []
        self.followed = False

    async def append(self, event: Event, key: str | None = None) -> str:
        raise NotImplementedError

    async def end(self) -> None:
        raise NotImplementedError

    async def look(self) -> State:
        state = self.store.state()
        arrived = self.looks[asyncio.current_task()] = asyncio.get_running_loop().create_future()
        await arrived
        return state

    async def page(self, base: int, number: int) -> list[Kept]:
        return [kept for kept in self.store.kept if kept.base == base and kept.number > number][: mirrors.PAGE]

    async def begin(self) -> None:
        self.followed = True

    def leave(self) -> None:
        self.followed = False

    def deliver_look(self, task: asyncio.Task[object] | None) -> None:
        self.looks.pop(task).set_result(None)

    def read(self) -> None:
        """Execute the reader's command, if there are followers to read for."""
        if self.followed:
            entries = [kept for kept in self.store.kept if (kept.base, kept.number) > self.place]
            self.reads.append((entries[: mirrors.PAGE], self.losses))

    def deliver_read(self) -> None:
        if self.reads:
            self.feed(*self.reads.pop(0))


class Client:
    """A follower of all that is kept, and what it got."""

    def __init__(self, mirror: Mirror, *, pause_after: int | None = None) -> None:
        self.got: list[Entry | Gap] = []
        self.go_on = asyncio.Event()
        self._pause_after = pause_after
        self.stream = mirror.follow()
        self.task = asyncio.create_task(self._read(self.stream))

    async def _read(self, stream: AsyncIterator[Entry | Gap]) -> None:
        async for item in stream:
            self.got.append(item)
            if len(self.got) == self._pause_after:
                await self.go_on.wait()

    def check(self, final: list[Kept], restarts: int) -> None:
        """Assert that the numbers have no hole except at a gap, and that *final* came last, all of it."""
        following, gaps = 1, 0
        for item in self.got:
            if isinstance(item, Gap):
                assert item.reason in ("restarted", "trimmed")
                following, gaps = (1, gaps + 1) if item.count is None else (following + item.count, gaps)
            else:
                assert item.number == following
                following += 1
        assert gaps <= restarts
        texts = [write(Event(item.event.data), None) for item in self.got[-len(final) :] if isinstance(item, Entry)]
        assert texts == [kept.text for kept in final]


History = list[Callable[[Store], None]]


async def anext_of(stream: AsyncIterator[Entry | Gap]) -> Entry | Gap:
    return await anext(stream)


async def settle() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


async def drain_looks(mirror: Remote) -> None:
    while mirror.looks:
        mirror.deliver_look(next(iter(mirror.looks)))
        await settle()


async def drain(mirror: Remote) -> None:
    """Deliver all replies; then the reader connects anew, and reads until it has all."""
    mirror.deliver_read()
    await drain_looks(mirror)
    connecting = asyncio.create_task(mirror.observe(mirror.look))
    await settle()
    await drain_looks(mirror)
    await connecting
    while mirror.place < (mirror.store.kept[-1].base, mirror.store.kept[-1].number):
        mirror.read()
        mirror.deliver_read()
        await settle()


async def play(history: History, order: Order, begun: bool) -> None:
    mirror = Remote(store := Store())
    clients = []
    if begun:
        store.grow(7, 3)
        clients += [Client(mirror), Client(mirror, pause_after=1)]
        await settle()
        await drain(mirror)
    steps = iter(history)
    joined: dict[str, Client] = {}
    for what in order:
        kind, _, name = what.partition(" ")
        if kind == "join":
            joined[name] = Client(mirror)
        elif kind == "reply":
            mirror.deliver_look(joined[name].task)
        elif kind == "step":
            next(steps)(store)
        elif kind == "read":
            mirror.read()
        else:
            mirror.deliver_read()
        await settle()
    await drain(mirror)
    store.grow(store.kept[-1].base, 1)
    clients += joined.values()
    for client in clients:
        client.go_on.set()
    await drain(mirror)
    mirror.stop()
    await asyncio.gather(*(client.task for client in clients))
    for client in clients:
        client.check(store.kept, restarts=int(begun))


def orders(steps: int) -> list[Order]:
    """All orders of two joins, a read by the reader, their replies and *steps* of the history."""
    names = ["join a", "reply a", "join b", "reply b", "read", "fed", *(f"step {number}" for number in range(steps))]
    before = [("join a", "reply a"), ("join b", "reply b"), ("join a", "join b"), ("read", "fed")]
    before += [(f"step {number}", f"step {number + 1}") for number in range(steps - 1)]
    return [order for order in permutations(names) if all(order.index(one) < order.index(two) for one, two in before)]


def begin(store: Store) -> None:
    store.grow(7, 2)


def grow(store: Store) -> None:
    store.grow(store.kept[-1].base, 3)


def forget(store: Store) -> None:
    store.kept.clear()


def begin_anew(store: Store) -> None:
    store.grow(9, 3)


def lose(store: Store) -> None:
    """As a crash before the last sync: what was written last is not there."""
    del store.kept[1:]


@pytest.mark.parametrize(
    ("begun", "history"),
    [
        (False, [begin, grow]),
        (True, [grow, grow]),
        (True, [forget, begin_anew]),
        (True, [grow, lose]),
    ],
    ids=["a topic begins", "a topic goes on", "a topic begins anew", "the newest entries are lost"],
)
def test_no_order_of_replies_loses_an_event(begun: bool, history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirrors, "PAGE", 2)

    async def script() -> None:
        for order in orders(len(history)):
            try:
                await play(history, order, begun)
            except BaseException as error:
                error.add_note(", ".join(order))
                raise

    run(script(), debug=False)


def test_a_follower_that_waits_for_a_topic_is_told_what_was_trimmed_of_it() -> None:
    async def script() -> None:
        mirror = Remote(store := Store())
        client = Client(mirror)
        await settle()
        await drain_looks(mirror)
        store.grow(7, 5)
        del store.kept[:3]
        await drain(mirror)
        mirror.stop()
        await client.task
        gap, *entries = client.got
        assert isinstance(gap, Gap)
        assert (gap.reason, gap.count) == ("trimmed", 3)
        assert [item.number for item in entries if isinstance(item, Entry)] == [4, 5]

    run(script())


def test_what_the_reader_fed_before_a_late_reply_is_a_replay() -> None:
    """A client that has just joined cannot be slow, however many events came before its reply."""

    async def script() -> None:
        mirror = Remote(store := Store())
        store.grow(7, 1)
        first = Client(mirror)
        await settle()
        await drain_looks(mirror)
        late = asyncio.create_task(anext_of(stream := mirror.follow(mirror.id_of(1), backlog=2)))
        await settle()
        store.grow(7, 5)
        mirror.read()
        mirror.deliver_read()
        await drain(mirror)
        entry = await late
        assert isinstance(entry, Entry)
        assert entry.number == 2
        await stream.aclose()
        mirror.stop()
        await first.task

    run(script())


def test_a_reply_that_shows_a_loss_is_told_once() -> None:
    async def script() -> None:
        mirror = Remote(store := Store())
        store.grow(7, 3)
        first = Client(mirror)
        await settle()
        await drain_looks(mirror)
        mirror.read()
        lose(store)
        joining = [Client(mirror), Client(mirror)]
        await settle()
        await drain_looks(mirror)
        mirror.deliver_read()  # of what was lost
        grow(store)
        await drain(mirror)
        mirror.stop()
        await asyncio.gather(first.task, *(client.task for client in joining))
        first.check(store.kept, restarts=1)
        for client in joining:
            client.check(store.kept, restarts=0)

    run(script())
