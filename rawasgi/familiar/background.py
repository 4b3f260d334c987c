"""Work after the response, under Starlette's names; the core's own is ``rawasgi.background``."""

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias, cast

Background: TypeAlias = Callable[[], Awaitable[object]]


class BackgroundTask:
    """A call for later: of an async function, or of a plain one in a thread."""

    def __init__(self, func: Callable[..., object], *args: object, **kwargs: object) -> None:
        self.func = func
        self.args = args
        self.kwargs = kwargs
        self.is_async: bool = _is_async(func)

    async def __call__(self) -> None:
        if self.is_async:
            await cast(Awaitable[object], self.func(*self.args, **self.kwargs))
        else:
            await asyncio.to_thread(self.func, *self.args, **self.kwargs)


class BackgroundTasks(BackgroundTask):
    """Calls for later, one after the other; one that fails is the last."""

    def __init__(self, tasks: Sequence[BackgroundTask] | None = None) -> None:
        self.tasks: list[BackgroundTask] = list(tasks or ())

    def add_task(self, func: Callable[..., object], *args: object, **kwargs: object) -> None:
        self.tasks.append(BackgroundTask(func, *args, **kwargs))

    async def __call__(self) -> None:
        for task in self.tasks:
            await task()


def _is_async(function: object) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
