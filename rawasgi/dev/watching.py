"""See what a call of an app leaves behind, what it blocks, and whose clean-up it cuts.

Theory of operation
===================

**What is left.** A response is over when the app returns: then each generator that it began must be closed. Of
asynchronous ones the interpreter tells, when they begin and when they are left to the garbage collector
(``sys.set_asyncgen_hooks``). Of the others it does not; but with the collector switched off, whatever was made since
stands in its youngest generation. What is open then is given *grace* to be closed by itself, and so are tasks and
threads. A generator that a task awaits is told as that task. A task that its maker gave a name is meant to live on;
so is the thread of a pool that waits for work.

**What is cut.** A clean-up (``finally``, ``async with``) that awaits can be cancelled again there, and is then not
done. That shows in the frame of a generator: after the client left, one cancellation ends its wait, and a second one
can only hit its clean-up. A trace function (``sys.settrace``) sees each exception that passes through a frame.

**What blocks.** A thread looks every 20 ms whether the event loop has gone on since. If it has not for so long, and
stands at the same line of the app's own code, then that line blocks it. A machine that is busy with other things holds
up both alike.
"""

import asyncio
import gc
import inspect
import os
import sys
import threading
import weakref
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass, field
from types import AsyncGeneratorType, FrameType, GeneratorType
from typing import Any, cast

from rawasgi.dev.places import is_own, is_source, place, within

TICK = 0.02
POOLS = (os.path.join("futures", "thread.py"), os.path.join("_backends", "_asyncio.py"))  # asyncio's and anyio's
WAITS = ("queue.py", "threading.py")

AnyGenerator = AsyncGenerator[Any, Any] | Generator[Any, Any, Any]


@dataclass(slots=True)
class Left:
    """What is still there: generators, tasks and threads, each by its place; and *dropped* generators, which only the
    garbage collector closed."""

    sources: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    threads: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.sources or self.dropped or self.tasks or self.threads)


class Watch:
    """``with Watch() as watch``: what is made in the block is watched; ``await settled()`` after it says what is left.

    ``over()`` is to be called when the app has returned, ``leave()`` when its client leaves.
    """

    def __init__(self, cuts: bool = True) -> None:
        self.begun: weakref.WeakSet[AnyGenerator] = weakref.WeakSet()
        self.cuts: list[str] = []
        self.ran: bool = False  # a source of the app's own began
        self.open: weakref.WeakSet[AnyGenerator] = weakref.WeakSet()  # when the app returned
        self.dropped: list[str] = []  # of those, what only the garbage collector closed
        self._cutting = cuts
        self._cancelled: dict[FrameType, int] = {}  # not by id(): a later frame may get the same

    def __enter__(self) -> "Watch":
        gc.collect(0)  # so that the youngest generation is empty
        gc.disable()
        self._tasks = asyncio.all_tasks()
        self._threads = set(threading.enumerate())
        self._hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(self._begin, self._drop)
        self._tracer = sys.gettrace()
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._tracer)
        sys.set_asyncgen_hooks(*self._hooks)
        self._cancelled.clear()  # a frame holds what its function held
        gc.enable()

    def leave(self) -> None:
        """From now on, a second cancellation of a generator is one too many."""
        if self._cutting:
            sys.settrace(self._enter_frame)

    def over(self) -> None:
        """The app has returned: note what is open."""
        for each in gc.get_objects(generation=0):
            if type(each) is GeneratorType and is_source(each.gi_code):
                self.ran = True
                self.begun.add(each)
        self.open.update(each for each in self.begun if is_open(each))

    async def settled(self, grace: float) -> Left:
        """Wait until nothing is left, for *grace* seconds at most; return what is."""
        for _ in range(max(round(grace / TICK), 1)):
            left = self._look()
            if not left.sources and not left.tasks and not left.threads:
                break
            await asyncio.sleep(TICK)
        return left

    def _look(self) -> Left:
        tasks = [task for task in asyncio.all_tasks() - self._tasks if task is not asyncio.current_task()]
        sources = [each for each in self.open if is_open(each) and not (tasks and is_awaited(each))]
        threads = [each for each in threading.enumerate() if each not in self._threads and not is_idle(each)]
        return Left(
            sorted({place_of(each) for each in sources}),
            sorted(set(self.dropped)),
            sorted(told(task) for task in tasks if task.get_name().startswith("Task-")),
            sorted(f"{each.name}, at {line}" for each in threads if (line := line_of(each))),
        )

    # Hooks

    def _begin(self, generator: AsyncGenerator[Any, Any]) -> None:
        self.begun.add(generator)
        self.ran = self.ran or is_source(cast(Any, generator).ag_code)
        assert self._hooks.firstiter is not None  # the loop's
        self._hooks.firstiter(generator)

    def _drop(self, generator: AsyncGenerator[Any, Any]) -> None:
        self.dropped.append(place_of(generator))
        assert self._hooks.finalizer is not None
        self._hooks.finalizer(generator)

    # Trace functions; while they are set, coverage's is not

    def _enter_frame(self, frame: FrameType, event: str, _: object) -> Any:  # pragma: no cover
        if is_source(frame.f_code):
            frame.f_trace_lines = False
            return self._look_into_frame
        return None

    def _look_into_frame(self, frame: FrameType, event: str, found: Any) -> Any:  # pragma: no cover
        if event == "exception" and issubclass(found[0], asyncio.CancelledError | GeneratorExit):
            # by identity: an exception that is held holds all frames that it went through
            first = self._cancelled.setdefault(frame, id(found[1]))
            if first != id(found[1]) and issubclass(found[0], asyncio.CancelledError):
                self.cuts.append(place(frame.f_code, frame.f_lineno))
        return self._look_into_frame


class Watchdog:
    """``with Watchdog(seconds) as dog``: ``dog.blocked`` says which lines held up the event loop for longer."""

    def __init__(self, seconds: float) -> None:
        self.blocked: dict[str, float] = {}
        self._ticks = round(seconds / TICK)
        self._beats = 0
        self._stop = threading.Event()

    def __enter__(self) -> "Watchdog":
        self._loop = asyncio.get_running_loop()
        self._thread_id = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="rawasgi watchdog", daemon=True)
        self._beat()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._timer.cancel()
        self._thread.join()

    def _beat(self) -> None:
        self._beats += 1
        self._timer = self._loop.call_later(TICK / 2, self._beat)

    def _watch(self) -> None:
        since, line, ticks = 0, "", 0
        while not self._stop.wait(TICK):
            now = self._own_line()
            ticks = ticks + 1 if self._beats == since and now == line else 0
            since, line = self._beats, now
            if line and ticks >= self._ticks:
                self.blocked[line] = max(self.blocked.get(line, 0.0), ticks * TICK)

    def _own_line(self) -> str:
        frame = sys._current_frames().get(self._thread_id)
        for each in within(frame):
            if is_own(each.f_code.co_filename):
                return place(each.f_code, each.f_lineno)
        return ""


def is_open(generator: AnyGenerator) -> bool:
    """Whether *generator* has begun and is not over. What never began has nothing to clean up."""
    if isinstance(generator, AsyncGeneratorType):
        frame = cast(Any, generator).ag_frame
        return frame is not None and (is_awaited(generator) or frame.f_lasti > 0)
    return inspect.getgeneratorstate(cast(Any, generator)) in (inspect.GEN_SUSPENDED, inspect.GEN_RUNNING)


def is_awaited(generator: AnyGenerator) -> bool:
    return bool(getattr(generator, "ag_running", False) or getattr(generator, "gi_running", False))


def place_of(generator: AnyGenerator) -> str:
    each = cast(Any, generator)
    if isinstance(generator, AsyncGeneratorType):
        return place(each.ag_code, each.ag_frame and each.ag_frame.f_lineno)
    return place(each.gi_code, each.gi_frame and each.gi_frame.f_lineno)


def told(task: asyncio.Task[Any]) -> str:
    """A task, by what it runs and the line where it waits."""
    stack = task.get_stack()
    return place(stack[-1].f_code, stack[-1].f_lineno) if stack else repr(task)


def is_idle(thread: threading.Thread) -> bool:
    """Whether *thread* is over, or one of a pool that waits for work."""
    frame = sys._current_frames().get(thread.ident or 0)
    files = [each.f_code.co_filename for each in within(frame)]
    return not files or (files[0].endswith((*POOLS, *WAITS)) and any(file.endswith(POOLS) for file in files))


def line_of(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)
    return place(frame.f_code, frame.f_lineno) if frame is not None else ""
