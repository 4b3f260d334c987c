"""What a response does by the clock: give up what takes too long, beat in a silence, look for its client anew.

The first has a timer of the response's own. The other two come seldom and for many at a time: they share a ``Ring``.
"""

import asyncio
from math import ceil
from weakref import WeakKeyDictionary

from rawasgi.streams.waiting import Waiter

# receive() is called anew when nothing was sent for so long, then for four times as long each time; see Inbox.refresh.
# Who sends finds by that out who has vanished, and the call costs 130 us with cold caches: 1.3 s for 10,000 streams.
_REFRESH, _REFRESH_MOST = 2.0, 30.0
_EARLY = 0.001  # seconds: uvloop's timers are that early
_GRAIN = 2.0**-5  # seconds: whose time comes so close together shares a timer, which is half a KiB of uvloop's


class Ring:
    """A timer of a loop, for all whose time comes at about the same time."""

    __slots__ = ("_clocks", "_of_loop", "_timer", "_when")

    def __init__(self, loop: asyncio.AbstractEventLoop, when: float, of_loop: "dict[float, Ring]") -> None:
        self._clocks: set[Clocks] = set()
        self._of_loop = of_loop
        self._when = when
        self._timer = loop.call_at(when, self._go_off)
        of_loop[when] = self

    @classmethod
    def at(cls, loop: asyncio.AbstractEventLoop, when: float, grain: float, clocks: "Clocks") -> "Ring":
        """Call ``tick`` of *clocks* once, at *when* or up to *grain* seconds later; return what can be left."""
        of_loop = _rings.setdefault(loop, {})
        when = ceil(when / grain) * grain
        ring = of_loop.get(when) or cls(loop, when, of_loop)
        ring._clocks.add(clocks)
        return ring

    def leave(self, clocks: "Clocks") -> None:
        """Do not call *clocks*; the last one takes the timer along."""
        self._clocks.discard(clocks)
        if not self._clocks and self._of_loop.pop(self._when, None) is not None:
            self._timer.cancel()

    def _go_off(self) -> None:
        del self._of_loop[self._when]
        for clocks in self._clocks:
            clocks.tick()


_rings: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[float, Ring]] = WeakKeyDictionary()


class Clocks:
    """The alarm and the ring of one response; each wakes ``_waiter``, and its task then sees what is to be done."""

    # Slots: what is set late, when many streams wait, would each time make a dict of its own of 1.4 KB.
    __slots__ = (
        *("_alarm", "_beat", "_beats", "_deadline", "_every", "_refresh_after", "_refresh_at", "_ring"),
        *("_sending", "_sent", "_silence", "_stale", "_waiter"),
    )
    _deadline: float | None  # of the send, or of the closing
    _refresh_at: float
    _sending: bool  # the coroutine, or the flush ahead, waits for send()

    def _set_up_clocks(self, beat: bytes | None, every: float) -> None:
        self._waiter = Waiter()
        self._deadline = None
        self._beat = beat  # what is sent in a silence of the source
        self._every = every  # seconds of silence
        self._sent = False  # something, since receive() was to be called anew the last time
        self._silence: float | None = None  # since when the source waits
        self._beats = False  # it is time for a beat
        self._stale = False  # receive() is to be called anew
        self._refresh_after = _REFRESH
        self._ring: Ring | None = None
        self._alarm: asyncio.TimerHandle | None = None

    def _expect(self, seconds: float) -> None:
        """Be woken when what is under way has taken *seconds*."""
        if self._deadline is None:
            loop = self._waiter.get_loop()
            self._deadline = loop.time() + seconds
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm = loop.call_at(self._deadline, self._waiter.wake)

    def _is_late(self) -> bool:
        if self._deadline is None:
            return False
        return self._waiter.get_loop().time() >= self._deadline - _EARLY

    def _start_clock(self) -> None:
        """Count from now on."""
        now = self._waiter.get_loop().time()
        self._refresh_at = now + self._refresh_after
        self._wait_for_ring(now)

    def _wait_for_ring(self, now: float) -> None:
        when, grain = self._refresh_at, _GRAIN
        if self._beat is not None:
            when = min(when, (now if self._silence is None else self._silence) + self._every)
            while grain > self._every / 256:
                grain /= 2
        self._ring = Ring.at(self._waiter.get_loop(), when, grain, self)

    def tick(self) -> None:
        """One ring for many waits: it is not moved when an item comes, but we see whether it is time when it rings."""
        now = self._waiter.get_loop().time()
        if now >= self._refresh_at - _EARLY:
            self._refresh_after = min(4 * self._refresh_after, _REFRESH_MOST)
            self._refresh_at = now + self._refresh_after
            if not self._sent:
                self._stale = True  # receive() must be called by our task, not by the loop
                self._waiter.wake()
            self._sent = False
        if self._silence is not None and now >= self._silence + self._every - _EARLY:
            self._beats = self._sent = not self._sending  # who does not read what came before needs no beat
            self._silence = now
            self._waiter.wake()
        self._wait_for_ring(now)

    def _stop_clocks(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        if self._ring is not None:
            self._ring.leave(self)
