"""An event loop whose time jumps when every task waits: a test of minutes takes milliseconds and never sleeps.

Whatever the selector has (a socket, a thread's ``call_soon_threadsafe``) is seen before time jumps. A thread that works
must be told of, or time jumps over its work: ``with outside():`` around the await for what it brings, or in the thread
itself. ``asyncio.to_thread`` and ``run_in_executor`` are counted by themselves.
If every task waits and no timer is set, only a thread or a socket can help; if there is none, ``Deadlock`` is raised.
If a task goes on and on without waiting, ``Livelock`` is raised.
"""

import asyncio
import contextlib
import os
import selectors
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from typing import TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
PATIENCE = 5.0  # real seconds: so long may work outside take before time goes on without it
TURNS = 120_000  # iterations of the loop in one moment of virtual time; the most that a test needs are 60,000


class Deadlock(AssertionError):
    """Every task waits, for nothing that could come."""


class Livelock(AssertionError):
    """Some task always goes on, and never waits: time would stand still for ever."""


class Selector(selectors.DefaultSelector):
    now = 0.0
    working = 0  # pieces of work outside of the loop
    turns = 0  # since time has jumped

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.turns = self.turns + 1 if timeout == 0 else 0
        if self.turns > TURNS:
            self.turns = 0
            raise Livelock(f"some task has gone on for {TURNS} iterations of the loop, at {self.now} s")
        sockets = len(self.get_map()) > 1  # one is the loop's own, through which threads wake it
        others = sockets or threading.active_count() > 1
        outside = self.working > 0 or (timeout is None and others)
        ready = super().select(PATIENCE if outside and timeout != 0 else 0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise Deadlock(f"every task waits and no timer is set, at {self.now} s")
        self.now += timeout
        return ready


class Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.selector = Selector()
        super().__init__(self.selector)

    def time(self) -> float:
        return self.selector.now

    def get_debug(self) -> bool:
        """In debug mode the loop checks what it is given; the stack of each task and handle is kept only if asked for.

        Whoever would keep it asks here. It took more time than all else in the tests.
        """
        return super().get_debug() and "PYTHONASYNCIODEBUG" in os.environ

    @contextlib.contextmanager
    def outside(self) -> Iterator[None]:
        """Time stands still in here; enter it in the loop or in a thread."""
        self.call_soon_threadsafe(self._count, 1)
        try:
            yield
        finally:
            self.call_soon_threadsafe(self._count, -1)

    def _count(self, change: int) -> None:
        self.selector.working += change

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        self._count(1)
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(lambda _: self._count(-1))
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  asyncio's own
        with self.outside():  # without *timeout*: it is virtual, the threads are not
            await super().shutdown_default_executor()


def run(main: Coroutine[object, object, T], *, debug: bool = True) -> T:
    """Run *main* to its end, in time that jumps and starts at 0; return what it returns."""
    with asyncio.Runner(debug=debug, loop_factory=Loop) as runner:
        return runner.run(main)


def loop() -> Loop:
    """The running loop: ``loop().time()``, ``with loop().outside():``."""
    running = asyncio.get_running_loop()
    assert isinstance(running, Loop), "no virtual time here: start the test with clock.run()"
    return running


def outside() -> contextlib.AbstractContextManager[None]:
    """``with outside(): await what_a_thread_brings`` does not let time jump meanwhile."""
    return loop().outside()


def now() -> float:
    """How many seconds went by since run()."""
    return loop().time()
