"""What happens to the generators of each request, in order; ``watching.py`` puts it into the modules of an app."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from fastapi import Depends

PAUSE = 0.01  # seconds


@dataclass
class Call:
    """A call of the app: *events* are "source opened", "source closing", "source closed" and so on, and "returned"."""

    path: str
    task: object
    events: list[str] = field(default_factory=list)


calls: list[Call] = []
_current: ContextVar[Call | None] = ContextVar("call", default=None)


class Watched:
    """Around the body of a generator function: notes its begin and its end, and awaits something at the end."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.call = _current.get()

    def note(self, event: str) -> None:
        if self.call is not None:
            self.call.events.append(f"{self.kind} {event}")

    def __enter__(self) -> None:
        self.note("opened")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.note("closing")
        time.sleep(PAUSE)
        self.note("closed")

    async def __aenter__(self) -> None:
        self.note("opened")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        is_own = self.call is not None and asyncio.current_task() is self.call.task
        self.note("closing" if is_own else "closing in another task")
        for _ in range(3):
            await asyncio.sleep(PAUSE / 3)
        self.note("closed")


async def pause() -> None:
    await asyncio.sleep(PAUSE)


def blocking_pause() -> None:
    time.sleep(PAUSE)


async def session() -> AsyncIterator[None]:
    async with Watched("dependency"):
        yield


def dependencies() -> list[Any]:
    """Return what an app is given that has no dependency of its own."""
    return [Depends(session)]


def watch_calls(app: Any) -> Any:
    """Call *app* so that the generators of each HTTP request report."""

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        call = Call(scope["path"], asyncio.current_task())
        calls.append(call)
        token = _current.set(call)
        try:
            await app(scope, receive, send)
        finally:
            _current.reset(token)
            call.events.append("returned")

    return watched


def open_files(path: str) -> int:
    """Return how often *path* is open in this process."""
    opened = 0
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            opened += os.readlink(f"/proc/self/fd/{descriptor}") == path
        except OSError:  # it is closed by now
            continue
    return opened
