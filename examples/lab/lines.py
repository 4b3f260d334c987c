"""Which lines of the examples have made a message: on the stack of who sends it, or where its generators stand.

By hand, the endpoint itself calls ``send``, and stands on the stack. A framework calls it for a generator that is
suspended meanwhile: that one is found from the variables of the framework's frames, a bounded number of steps away.
Nothing is kept alive for it: what was found is remembered by weak references.
"""

import asyncio
import gc
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import AsyncGeneratorType, CellType, CodeType, FrameType, GeneratorType, MethodType
from typing import Any, TypeAlias

ROOT = Path(__file__).parents[2]
OURS = tuple(str(ROOT / "examples" / name) for name in ("naked.py", "raw/", "twin/", "sources/"))
MOST_FRAMES, MOST_STEPS, MOST_PLACES = 60, 500, 8
# What may hold a source: not apps, routers and loops, from which everything can be reached, of other requests, too.
HOLDERS = ("rawasgi.", "examples.", "starlette.responses", "starlette.concurrency", "starlette.middleware")
NEVER = ("rawasgi.routing", "rawasgi.inbox", "rawasgi.request", "examples.lab")
CONTAINERS = (list, tuple, deque, CellType, MethodType)
WAITING = ("coroutine", "coroutine_wrapper", "async_generator_asend", "async_generator_athrow")

Source: TypeAlias = "AsyncGeneratorType[Any, Any] | GeneratorType[Any, Any, Any]"


@dataclass(frozen=True, slots=True)
class Place:
    """A *line* of a *file*, below the root of the project, in the function *name*."""

    file: str
    line: int
    name: str


class Sources:
    """The generators of the examples that one call of an app was seen with."""

    def __init__(self) -> None:
        self._seen: dict[int, weakref.ref[Source]] = {}

    def places(self, frame: FrameType | None, response: "asyncio.Task[Any] | None" = None) -> list[Place]:
        """Return where the code of the examples stands that makes what is sent from *frame*, the sender first.

        *response*: the task that runs the app, if another one calls ``send``, as rawasgi does while its source waits.
        """
        places: dict[Place, None] = {}
        found: list[Source] = []
        for each in (*outwards(frame), *suspended(response)):
            if is_ours(each.f_code):
                places.setdefault(place(each.f_code, each.f_lineno))
            if not found and (is_ours(each.f_code) or may_hold(each.f_globals.get("__name__", ""))):
                found = list(generators(each.f_locals.values()))
        for source in found:
            self._seen.setdefault(id(source), weakref.ref(source))
            if (standing := frame_of(source)) is not None:
                places.setdefault(place(standing.f_code, standing.f_lineno))
        return list(places)[:MOST_PLACES]

    def open(self) -> list[str]:
        """Return the names of those that are neither through nor closed."""
        frames = [frame_of(source) for seen in self._seen.values() if (source := seen()) is not None]
        return [frame.f_code.co_name for frame in frames if frame is not None]

    def __len__(self) -> int:
        return len(self._seen)


def outwards(frame: FrameType | None) -> Iterator[FrameType]:
    for _ in range(MOST_FRAMES):
        if frame is None:
            return
        yield frame
        frame = frame.f_back


def suspended(task: "asyncio.Task[Any] | None") -> Iterator[FrameType]:
    """Yield the frames of a task that waits, the outermost first."""
    each: Any = None if task is None else task.get_coro()
    while (frame := getattr(each, "cr_frame", None) or getattr(each, "gi_frame", None)) is not None:
        yield frame
        each = getattr(each, "cr_await", None) or getattr(each, "gi_yieldfrom", None)


def is_ours(code: CodeType) -> bool:
    return code.co_filename.startswith(OURS)


def place(code: CodeType, line: int) -> Place:
    return Place(str(Path(code.co_filename).relative_to(ROOT)), line, code.co_name)


def frame_of(source: Source) -> FrameType | None:
    """Where a generator stands; None for one that is through."""
    return source.ag_frame if isinstance(source, AsyncGeneratorType) else source.gi_frame


def generators(roots: Iterable[object]) -> Iterator[Source]:
    """The generators of the examples that can be reached from *roots*, the nearest first."""
    ahead, seen = deque(roots), set[int]()
    while ahead and len(seen) < MOST_STEPS:
        each = ahead.popleft()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, AsyncGeneratorType | GeneratorType):
            if is_ours(each.ag_code if isinstance(each, AsyncGeneratorType) else each.gi_code):
                yield each
        elif not is_holder(each):
            continue
        ahead.extend(gc.get_referents(each))


def is_holder(each: object) -> bool:
    kind = type(each)
    return isinstance(each, CONTAINERS) or kind.__name__ in WAITING or may_hold(kind.__module__)


def may_hold(module: str) -> bool:
    return f"{module}.".startswith(HOLDERS) and not module.startswith(NEVER)
