"""What a response does by the clock: a deadline, the heartbeat, calling ``receive()`` again.

Each is an object of its own. A deadline is one send's or one clean-up's, and has its own timer. The other two are rare
and many responses need them at the same time: those share a timer, a ``Ring``.
"""

import asyncio
from math import ceil
from weakref import WeakKeyDictionary

from rawasgi.streams.waiting import Waiter
from rawasgi.writing import FLUSHING, WRITING, Writer

# receive() is called again when nothing was sent for so long, then for four times as long each time; see Inbox.refresh.
# Who sends finds by that out who has vanished, and the call costs 130 us with cold caches: 1.3 s for 10,000 streams.
_REFRESH, _REFRESH_MOST = 2.0, 30.0
EARLY = 0.001  # seconds: uvloop's timers are that early
_GRAIN = 2.0**-5  # seconds: whose time comes so close together shares a timer, which is half a KiB of uvloop's


class Ring:
    """A timer of a loop, for all whose time comes at about the same time."""

    __slots__ = ("_clocks", "_of_loop", "_timer", "_when")

    def __init__(self, loop: asyncio.AbstractEventLoop, when: float, of_loop: "dict[float, Ring]") -> None:
        self._clocks: set[Ticker] = set()
        self._of_loop = of_loop
        self._when = when
        self._timer: asyncio.TimerHandle | None = loop.call_at(when, self._go_off)
        of_loop[when] = self

    @classmethod
    def at(cls, loop: asyncio.AbstractEventLoop, when: float, grain: float, clocks: "Ticker") -> "Ring":
        """Call ``tick`` of *clocks* once, at *when* or up to *grain* seconds later; return what can be left."""
        of_loop = _rings.setdefault(loop, {})
        when = ceil(when / grain) * grain
        ring = of_loop.get(when) or cls(loop, when, of_loop)
        ring._clocks.add(clocks)
        return ring

    def leave(self, clocks: "Ticker") -> None:
        """Do not call *clocks*; the last one takes the timer along."""
        self._clocks.discard(clocks)
        if not self._clocks and self._timer is not None:
            del self._of_loop[self._when]
            self._timer.cancel()
            self._timer = None

    def _go_off(self) -> None:
        del self._of_loop[self._when]
        self._timer = None  # it refers to this ring
        clocks, self._clocks = self._clocks, set()
        for each in clocks:
            each.tick()


_rings: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[float, Ring]] = WeakKeyDictionary()


class Ticker:
    """Wakes *waiter* when a heartbeat is due, or when ``receive()`` must be called again.

    ``due``: a heartbeat is due. ``stale``: nothing was sent for so long that ``receive()`` must be called again.
    """

    __slots__ = ("_every", "_loop", "_refresh_after", "_refresh_at", "_ring", "_waiter", "_writer", "due", "stale")

    def __init__(self, writer: Writer, waiter: Waiter, beats: bool, every: float) -> None:
        self._writer = writer
        self._waiter = waiter
        self._loop = waiter.get_loop()
        self._every = every if beats else None
        self._refresh_after = _REFRESH
        self._ring: Ring | None = None
        self.due: bool = False
        self.stale: bool = False

    def start(self) -> bool:
        """Tick from now on; return whether receive() must be called again."""
        if self._ring is None:
            now = self._loop.time()
            self._refresh_at = now + self._refresh_after
            self._wait(now)
        stale, self.stale = self.stale, False
        return stale

    def _wait(self, now: float) -> None:
        when, grain = self._refresh_at, _GRAIN
        if self._every is not None:
            silence = self._writer.silence
            when = min(when, (now if silence is None else silence) + self._every)
            while grain > self._every / 256:
                grain /= 2
        self._ring = Ring.at(self._loop, when, grain, self)

    def tick(self) -> None:
        """Look at the times when the timer fires: it is not moved for each item, since one timer serves many waits."""
        writer = self._writer
        now = self._loop.time()
        if now >= self._refresh_at - EARLY:
            self._refresh_after = min(4 * self._refresh_after, _REFRESH_MOST)
            self._refresh_at = now + self._refresh_after
            if not writer.sent:
                self.stale = True  # receive() must be called by our task, not by the loop
                self._waiter.wake()
            writer.sent = False
        if self._every is not None and writer.silence is not None and now >= writer.silence + self._every - EARLY:
            self.due = writer.sent = (
                writer.phase is not WRITING and writer.phase is not FLUSHING
            )  # who does not read what came before needs no beat
            writer.silence = now
            self._waiter.wake()
        self._wait(now)

    def stop(self) -> None:
        if self._ring is not None:
            self._ring.leave(self)
            self._ring = None


class Deadline:
    """The deadline of what is under way: *waiter* is woken when ``Writer.deadline`` has passed."""

    __slots__ = ("_timer", "_waiter", "_writer")

    def __init__(self, writer: Writer, waiter: Waiter) -> None:
        self._writer = writer
        self._waiter = waiter
        self._timer: asyncio.TimerHandle | None = None

    def arm(self, seconds: float) -> None:
        """Set the deadline to *seconds* from now, unless there is one."""
        if self._writer.deadline is None:
            loop = self._waiter.get_loop()
            self._writer.deadline = loop.time() + seconds
            self.stop()
            self._timer = loop.call_at(self._writer.deadline, self._waiter.wake)

    def has_passed(self) -> bool:
        deadline = self._writer.deadline
        return deadline is not None and self._waiter.get_loop().time() >= deadline - EARLY

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
