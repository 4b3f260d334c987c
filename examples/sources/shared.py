"""One piece of work for many who watch: it runs while somebody does."""

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType


class WhileWatched:
    """``async with`` it to watch: the first who comes starts *work*, the last who goes stops it and awaits its end."""

    def __init__(self, work: Callable[[], Coroutine[object, object, None]]) -> None:
        self._work = work
        self._task: asyncio.Task[None] | None = None
        self.watchers = 0

    async def __aenter__(self) -> "WhileWatched":
        self.watchers += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.watchers -= 1
        if self.watchers == 0 and self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled() and (failure := task.exception()) is not None:
                raise failure
