"""A journal that is kept elsewhere, and mirrored here for those who follow it in this process.

Theory of operation
===================

**A window, and what is behind it.** One reader feeds what comes into the window of a topic: the newest entries, decoded
and encoded once for all. A follower is a cursor, as in memory. It reads from the window what is in it; what is not, in
pages, from where the journal is kept; and what is not there either is a Gap. So a window may begin anywhere, forget
and have holes, and nothing is lost or doubled: the cursor alone says what comes next.

**A life has a base.** A later life of the journal has a greater base; 0 is the base of a journal that is not there. A
follower of an earlier life than the mirror's gets a Gap and starts over; a follower that found no journal waits for the
next life and reads it from its first number.

**Replies may come in any order**, as ``look`` and the reader use different connections. A reply that is of an earlier
life than the mirror's is late and is asked for again, so no reply moves the mirror back. Within one life a follower's
place comes from its own reply, and what lies between that place and the window is read by ``page``.

**A loss begins a life, too.** If nothing overtook a reply, and it shows less than the mirror knew before it asked, the
newest entries were lost (a crash before the last sync). Then all followers get a Gap, and replies from before are late.
"""

import json
from abc import abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from itertools import islice

from rawasgi.formats.sse import Event
from rawasgi.journal.base import Entry, Follower, Gap, Journal, Slow, latest
from rawasgi.journal.stored import Kept, State, epoch
from rawasgi.streams import Stream

PAGE = 256  # entries that are read at once
WINDOW = 1024  # entries of a topic that stay here for its followers
WINDOW_BYTES = 1024 * 1024


class Closed(RuntimeError):
    """The journals were closed: what comes after their block needs journals of its own."""


class Mirror(Journal):
    """A journal with a window on what is kept elsewhere. It is fed while it has followers, and holds nothing else."""

    def __init__(self, topic: str, owner: str) -> None:
        super().__init__(topic, owner, f"{0:08x}")
        self._followers: set[_Follower] = set()
        self._over = False
        self.losses: int = 0  # how often the newest entries were lost
        self._newest = 0  # the greatest number that is known of this life; the window may be behind it
        self._enter(0, 0)

    @abstractmethod
    async def look(self) -> State:
        """Return what is kept now; a journal that is not there has the base 0. Raises: Closed."""

    @abstractmethod
    async def page(self, base: int, number: int) -> list[Kept]:
        """Return what comes after *number* in the life *base*, up to PAGE entries. Raises: Closed."""

    @abstractmethod
    async def begin(self) -> None:
        """A follower joined: feed what comes after ``place``, from now on. Raises: Closed."""

    @abstractmethod
    def leave(self) -> None:
        """There are no followers any more."""

    @property
    def place(self) -> tuple[int, int]:
        """The base and the number of the last that was fed."""
        return self._base, self._last + self._ended

    def feed(self, entries: Iterable[Kept], losses: int) -> None:
        """Add *entries*, in order, to the window; those that were added before are skipped.

        *losses*: ``losses`` when they were asked for. Entries from before the last loss are skipped, too.
        """
        for kept in entries:
            if (losses, kept.base) > self._life:
                self._enter(kept.base, kept.number - 1)
            if (losses, kept.base) < self._life or kept.number <= self._last:
                continue
            if kept.number > self._last + 1:
                self._forget(kept.number - 1)
            if kept.text:
                self._keep(self._entry(kept))
            else:
                self._ended = True
        self._newest = max(self._newest, self._last)
        self._wake()

    async def observe(self, look: Callable[[], Awaitable[State]]) -> State:
        """Return the state that *look* returns, and move the mirror to its life; call *look* again if it is late.

        The base of the state is that of the mirror then, or 0 if there is no journal.
        """
        while True:
            life, newest = self._life, self._newest
            state = await look()
            if life == self._life or (life[0], state.base) >= self._life:
                break
        if state.base != 0:
            lost = life == self._life and (state.base, state.last) < (self._base, newest)
            self.losses += lost
            if lost or state.base != self._base:
                self._enter(state.base, state.first - 1)
                self._show_newest(state)
                self._wake()
            elif not self._followers:
                self._show_newest(state)
            self._newest = max(self._newest, state.last)
        return state

    def stop(self) -> None:
        """End the streams of all followers."""
        self._over = True
        self._wake()

    def follow(
        self, after: str | None = None, *, slow: Slow = "drop_oldest", backlog: int = 1000
    ) -> Stream[Entry | Gap]:
        if backlog < 1:
            raise ValueError(f"a follower's backlog must be 1 or more, not {backlog!r}")
        if slow == "wait":
            raise ValueError(
                "slow must not be 'wait' here: publishers in other processes cannot be held up; use 'disconnect', "
                "and who comes back with the last id goes on there"
            )
        return Stream(self._follow(after, slow, backlog))

    async def _follow(self, after: str | None, slow: Slow, backlog: int) -> AsyncIterator[Entry | Gap]:
        follower = _Follower(slow, backlog)
        try:
            await self._join(follower, after)
            while not self._over:
                if follower.gap is not None:
                    gap, follower.gap = follower.gap, None
                    yield gap
                    if follower.leaves:
                        return
                elif follower.life != self._life:
                    self._move(follower)
                elif follower.base != 0 and follower.number < self._last:
                    for entry in await self._next(follower):
                        follower.number = max(follower.number, entry.number)
                        yield entry
                elif follower.base != 0 and self._ended:
                    return
                else:
                    await follower.woken()
        except Closed:
            return
        finally:
            self._followers.discard(follower)
            if not self._followers:
                self._forget(self._last)
                self.leave()

    async def _join(self, follower: "_Follower", after: str | None) -> None:
        state = await self.observe(self.look)
        position = self.position(after, state.first, state.last)
        follower.life, follower.base = self._life, state.base
        follower.number, follower.gap = position.number, position.gap
        follower.until = max(state.last, self._last) if state.base else 0
        self._followers.add(follower)
        await self.begin()

    def _move(self, follower: "_Follower") -> None:
        """Place *follower* at the beginning of the present life."""
        number = 0  # a follower that waited for this life misses what was trimmed of it already
        if follower.base != 0:
            follower.gap = Gap("restarted", self._id(follower.base, follower.number))
            number = self._begin
        follower.life, follower.base = self._life, self._base
        follower.number, follower.until, follower.jump = number, self._last, None

    async def _next(self, follower: "_Follower") -> list[Entry]:
        """Return what comes next for *follower*; nothing, if its gap or its place was changed."""
        limit = PAGE
        if follower.number < follower.until:
            if follower.jump is not None:
                limit = follower.until - follower.number
        elif follower.jump is not None:
            had = self._id(follower.base, follower.number)
            follower.gap = Gap("slow", had, follower.jump - follower.number)
            follower.number = follower.until = follower.jump
            follower.jump = None
            return []
        elif self._last - follower.number > follower.backlog:
            return await self._late(follower)
        return (await self._page(follower))[:limit]

    async def _late(self, follower: "_Follower") -> list[Entry]:
        last, had = self._last, self._id(follower.base, follower.number)
        lost = last - follower.number - follower.backlog
        if follower.slow == "latest":
            entries: list[Entry] = []
            while follower.number < last and (page := await self._page(follower)):
                follower.number = page[-1].number
                entries = latest(entries + page)
            return entries
        if follower.slow == "disconnect":
            follower.gap, follower.leaves = Gap("slow", had, lost + follower.backlog), True
        elif follower.slow == "drop_oldest":
            follower.gap = Gap("slow", had, lost)
            follower.number += lost
            follower.until = last  # these it gets, however slow it is
        else:
            follower.until, follower.jump = last - lost, last
        return []

    async def _page(self, follower: "_Follower") -> list[Entry]:
        number, base, last, life = follower.number, follower.base, self._last, self._life
        if self._window and number + 1 >= self._window[0].number:
            if number + 1 == last:
                return [self._window[-1]]  # what nearly every follower reads, nearly always
            begin = number + 1 - self._window[0].number
            return list(islice(self._window, begin, begin + PAGE))
        kept = await self.page(base, number)
        if life != self._life:
            return []
        lost = (kept[0].number if kept else last + 1) - 1 - number
        if lost > 0:
            follower.gap = Gap("trimmed", self._id(base, number), lost)
            follower.number += lost
            follower.jump = None
            return []
        return [self._entry(each) for each in kept if each.text]

    @property
    def _life(self) -> tuple[int, int]:
        return self.losses, self._base

    def _enter(self, base: int, begin: int) -> None:
        """Begin a life, of which what comes after *begin* is kept."""
        self._base, self._begin, self._newest, self._ended = base, begin, begin, False
        self.epoch: str = epoch(base)
        self._forget(begin)

    def _show_newest(self, state: State) -> None:
        """Have the window begin with the last page of *state*: the followers that join next will want it."""
        self._ended = False
        self._forget(max(state.first - 1, state.last - PAGE))

    def _forget(self, last: int) -> None:
        self._window: deque[Entry] = deque()
        self._bytes = 0
        self._last = last

    def _keep(self, entry: Entry) -> None:
        self._window.append(entry)
        self._bytes += len(entry.encoded)
        self._last = entry.number
        while len(self._window) > 1 and (len(self._window) > WINDOW or self._bytes > WINDOW_BYTES):
            self._bytes -= len(self._window.popleft().encoded)

    def _entry(self, kept: Kept) -> Entry:
        data, event, retry, comment, key = json.loads(kept.text)
        return Entry(kept.number, Event(data, event, self._id(kept.base, kept.number), retry, comment), key)

    def _id(self, base: int, number: int) -> str:
        return f"{self._tag}-{epoch(base)}-{number}"

    def _wake(self) -> None:
        for follower in self._followers:
            follower.wake()


class _Follower(Follower):
    """One reader of a mirror; *gap* is what it is told next."""

    def __init__(self, slow: Slow, backlog: int) -> None:
        super().__init__(0, slow, backlog)
        self.life = (0, 0)  # the mirror's, when this follower was placed
        self.base = 0  # of the journal that it reads; 0 when it found none
        self.gap: Gap | None = None
        self.until = 0  # a replay is as long as it is: only who has caught up can fall behind
        self.jump: int | None = None  # where it goes on after *until*
        self.leaves = False
