"""Document 004: a long task that goes on after its reader left, and can be followed again."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from examples.sources.progress import steps

Step = dict[str, object]
Work = Callable[[int], AsyncGenerator[Step, None]]


class TooManyTasks(Exception):
    """As many tasks run as may run."""


class TaskStopped(Exception):
    """The task did not come to its end."""


@dataclass(slots=True, eq=False)
class _Task:
    done: list[Step] = field(default_factory=list)
    failure: Exception | None = None
    ended: bool = False
    waiting: set[asyncio.Future[None]] = field(default_factory=set)
    running: asyncio.Task[None] | None = None

    def tell(self) -> None:
        for waiter in self.waiting:
            if not waiter.done():
                waiter.set_result(None)


class Tasks:
    """The tasks of one app. At most *max_running* run; of those that ended, the last *max_kept* can still be followed.

    A name cannot be guessed, so that a task is followed only by whom its starter told.
    """

    def __init__(self, work: Work = steps, *, max_running: int = 100, max_kept: int = 100) -> None:
        self._work = work
        self._max_running = max_running
        self._max_kept = max_kept
        self._tasks: dict[str, _Task] = {}

    def start(self, total: int) -> str:
        """Start a task of *total* steps, and return its name. Raises: TooManyTasks."""
        if sum(not task.ended for task in self._tasks.values()) >= self._max_running:
            raise TooManyTasks(f"{self._max_running} tasks are running already")
        name = secrets.token_hex(8)
        task = self._tasks[name] = _Task()
        task.running = asyncio.create_task(self._run(total, task))
        return name

    async def _run(self, total: int, task: _Task) -> None:
        try:
            async with aclosing(self._work(total)) as work:
                async for step in work:
                    task.done.append(step)
                    task.tell()
        except Exception as error:
            task.failure = error
        finally:
            task.ended = True
            task.tell()
            ended = [name for name, other in self._tasks.items() if other.ended]
            for name in ended[: max(0, len(ended) - self._max_kept)]:
                del self._tasks[name]

    def follow(self, name: str, after: int = 0) -> AsyncGenerator[Step, None]:
        """The steps of task *name* after the first *after*: those that are done, then the others as they come.

        Raises: LookupError at once for a name that is not known (any more); while followed, what the task raised.
        """
        if name not in self._tasks:
            raise LookupError(f"no task is called {name!r}")
        return self._follow(self._tasks[name], after)

    async def _follow(self, task: _Task, after: int) -> AsyncGenerator[Step, None]:
        while True:
            while after < len(task.done):
                yield task.done[after]
                after += 1
            if task.ended:
                if task.failure is not None:
                    raise task.failure
                return
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            task.waiting.add(waiter)
            try:
                await waiter
            finally:
                task.waiting.discard(waiter)

    async def aclose(self) -> None:
        """Stop every task that runs, for the app shuts down; whoever follows one gets a TaskStopped."""
        stopped = [task for task in self._tasks.values() if not task.ended]
        running = [task.running for task in stopped if task.running is not None]
        for task in stopped:
            task.failure = TaskStopped("the app shuts down")
        for work in running:
            work.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for task in stopped:
            task.ended = True  # one that had not begun could not say so itself
            task.tell()


def resume_point(last_event_id: str | None) -> tuple[str, int] | None:
    """What event_id() made, taken apart: the task's name and the steps already seen; None for anything else."""
    name, dash, step = (last_event_id or "").rpartition("-")
    if not dash or not (step.isascii() and step.isdigit() and len(step) <= 18):
        return None
    return name, int(step)


def event_id(name: str, step: object) -> str:
    """An id that says where to go on: which task, after which step."""
    return f"{name}-{step}"
