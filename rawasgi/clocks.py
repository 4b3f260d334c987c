"""What a response does by the clock: give up what takes too long, beat in a silence, look for its client anew."""

import asyncio

from rawasgi.streams.waiting import Waiter

# receive() is called anew when nothing was sent for so long, then for four times as long each time; see Inbox.refresh.
# Who sends finds by that out who has vanished, and the call costs 130 us with cold caches: 1.3 s for 10,000 streams.
_REFRESH, _REFRESH_MOST = 2.0, 30.0
_EARLY = 0.001  # seconds: uvloop's timers are that early


class Clocks:
    """The two timers of one response; each wakes ``_waiter``, and its task then sees what is to be done."""

    # Slots: what is set late, when many streams wait, would each time make a dict of its own of 1.4 KB.
    __slots__ = (
        *("_alarm", "_beat", "_beats", "_deadline", "_every", "_refresh_after", "_refresh_at", "_sending", "_sent"),
        *("_silence", "_stale", "_timer", "_waiter"),
    )
    _deadline: float | None  # of the send, or of the closing
    _refresh_at: float
    _sending: bool  # the coroutine, or the flush ahead, waits for send()

    def _set_up_clocks(self, beat: bytes | None, every: float) -> None:
        self._waiter = Waiter()
        self._beat = beat  # what is sent in a silence of the source
        self._every = every  # seconds of silence
        self._sent = False  # something, since receive() was to be called anew the last time
        self._silence: float | None = None  # since when the source waits
        self._beats = False  # it is time for a beat
        self._stale = False  # receive() is to be called anew
        self._refresh_after = _REFRESH
        self._timer: asyncio.TimerHandle | None = None  # of both
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
        self._set_timer(now)

    def _set_timer(self, now: float) -> None:
        when = self._refresh_at
        if self._beat is not None:
            when = min(when, (now if self._silence is None else self._silence) + self._every)
        self._timer = self._waiter.get_loop().call_at(when, self._tick)

    def _tick(self) -> None:
        """One timer for many waits: it is not moved when an item comes, but sees whether it is time when it rings."""
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
        self._set_timer(now)

    def _stop_clocks(self) -> None:
        for timer in (self._alarm, self._timer):
            if timer is not None:
                timer.cancel()
