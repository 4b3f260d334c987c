"""What all wrappers share: a stream owns its sources, and who takes a stream owns it."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from types import AsyncGeneratorType
from typing import Any, Generic, Literal, TypeVar

from rawasgi.streams.nesting import Reading, anonymous, below, dropped

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class DeadlineExceeded(TimeoutError):
    """A stream took too long; *which*: to its "first" item, being "idle" before the next one, or in "total"."""

    def __init__(self, text: str, which: Literal["first", "idle", "total"]) -> None:
        super().__init__(text)
        self.which = which


def check_source(source: object, subject: str) -> None:
    """Raise TypeError, which names *subject*, unless *source* is an async iterable."""
    if not hasattr(source, "__aiter__"):
        if callable(source):
            fix = "call the function"
        elif hasattr(source, "__await__"):
            fix = "await it"
        else:
            fix = "wrap a blocking iterable in streams.from_thread(...)"
        raise TypeError(f"the source of {subject} must be an async iterable, not {source!r:.100}: {fix}")


async def close(*streams: object, owning: bool = False) -> None:
    """Close *streams*, last to first, each whatever the others raise.

    What has no ``aclose`` needs none. A source is given with its iterator, which may be an async generator of its own
    (``async def __aiter__``); what is both is closed once, and the iterator of a CloseOnce is left to that. With an
    async generator those are closed that only it reads (see ``nesting``); *owning*: the last one closes them itself.
    Raises: the last error, once all are closed; the earlier ones are its context. The GeneratorExit of a generator that
    yields inside a TaskGroup is no error.
    """
    for index in range(len(streams) - 1, -1, -1):
        stream = streams[index]
        aclose = getattr(stream, "aclose", None)
        if aclose is not None and not (index and _closes(streams[index - 1], stream)):
            try:
                owns = type(stream) is not AsyncGeneratorType or (owning and index == len(streams) - 1)
                await (aclose() if owns else _close_with_nested(stream))
            except BaseException as error:
                await close(*streams[:index])
                raised = _without_exit(error)
                if raised is error:
                    raise
                if raised is not None:
                    raise raised from None
                return


async def _close_with_nested(generator: Any) -> None:
    """Close an async generator, and what it would leave to the garbage collector."""
    held: list[Any] = []
    try:
        if generator.ag_frame is not None and not generator.ag_running:
            await close(*anonymous(generator))
            held = below(generator)
    finally:
        try:
            await generator.aclose()
        finally:
            await close_dropped(held)


async def close_dropped(held: list[Any]) -> None:
    """Close those of *held*, and take them out of it, to which nothing else refers any more."""
    found = dropped(held)
    if found:
        item = found[0]
        going = {id(each) for each in (item, *below(item))}  # what only it reads is closed with it
        held[:] = [each for each in held if id(each) not in going]
        found.clear()
        try:
            await close(item)
        finally:
            await close_dropped(held)


def _without_exit(error: BaseException) -> BaseException | None:
    """Return *error* without the GeneratorExit by which a generator was closed; None if there was nothing else.

    A generator that yields inside a TaskGroup, of asyncio or anyio, raises a group in its place (PEP 789).
    """
    return error.split(GeneratorExit)[1] if isinstance(error, BaseExceptionGroup) else error


def hold_errors(holds: bool, *sources: object) -> None:
    """``Stream.hold_errors`` of each of *sources* that has it."""
    for source in sources:
        if type(source) is not AsyncGeneratorType and isinstance(source, Stream | CloseOnce):  # an ABC is slow to ask
            source.hold_errors(holds)


def _closes(source: object, items: object) -> bool:
    """Return whether closing *source* also closes *items*, its iterator."""
    return source is items or (isinstance(source, CloseOnce) and source._items is items)


class CloseOnce(AsyncIterable[T], Reading):
    """*source*, which is closed once, however many close this; so is its iterator.

    The generator of a wrapper closes its source when it ends. So does the Stream around it, for a generator that was
    never started. A generator takes a second ``aclose()``; an ``aclose()`` that returns a connection may not.
    """

    __slots__ = ("_is_closed", "_items", "_source", "holds_errors", "reported")

    def __init__(self, source: AsyncIterable[T]) -> None:
        self._source = source
        self.reported: bool = False  # an error of *source* was yielded as an item
        self.holds_errors: bool = False  # see ``Stream.hold_errors``
        self._is_closed = False
        self._items: AsyncIterator[T] | None = None

    def __aiter__(self) -> AsyncIterator[T]:
        self._items = aiter(self._source)
        return self._items

    @property
    def has_reported(self) -> bool:
        """As ``Stream.has_reported``."""
        return self.reported or getattr(self._source, "has_reported", False)

    def reads(self) -> tuple[object, ...]:
        return self._source, self._items

    def hold_errors(self, holds: bool) -> None:
        """As ``Stream.hold_errors``."""
        self.holds_errors = holds
        hold_errors(holds, self._source)

    async def aclose(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            try:
                await close(self._source, self._items)
            except RuntimeError:  # a generator that another task reads at the moment: it is not closed
                self._is_closed = False
                raise


async def end(tasks: Sequence[asyncio.Task[None]], error: BaseException | None = None) -> None:
    """Cancel *tasks*, wait until each is through with its clean-up, and raise *error*.

    A cancellation of ours goes on to them, and is raised when they are through. Raises: without *error*, the first one
    of theirs; the others are told in its notes.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError as ours:
            error = error or ours
    for task in tasks:
        theirs = None if task.cancelled() else task.exception()
        if error is None:
            error = theirs
        elif theirs is not None and theirs is not error:
            error.add_note(f"Then came, in another task: {theirs!r}")
    if error is not None:
        raise error


class _Next:
    """Holds the ``__anext__`` of an iterator."""

    __slots__ = ("_next",)
    _next: Callable[[], Awaitable[Any]]


class Stream(_Next, AsyncIterator[T_co], Reading, Generic[T_co]):
    """An async iterator that closes what is under it, also when it was never started.

    *items* is the wrapper's async generator, *sources* what it reads. A generator that was never started is closed
    without running, so its own ``finally`` cannot close the sources: this does. A source that must not be closed twice,
    and that the generator closes as well, is given to both in a CloseOnce.
    """

    __slots__ = ("__weakref__", "_items", "_sources")

    def __init__(self, items: AsyncIterator[T_co], *sources: object) -> None:
        self._items = items
        self._next = items.__anext__
        self._sources = sources

    def __aiter__(self) -> "Stream[T_co]":
        return self

    def __anext__(self) -> Awaitable[T_co]:  # pragma: no cover  # for type checkers: replaced below
        return self._next()

    @property
    def has_reported(self) -> bool:
        """Whether this stream, or one that it reads, has yielded an item in the place of an error: see ``conclude``."""
        return any(getattr(source, "has_reported", False) for source in self._sources)

    def reads(self) -> tuple[object, ...]:
        return self._sources or (self._items,)  # with sources it is a wrapper, which owns them

    def hold_errors(self, holds: bool) -> None:
        """Let this stream, and those that it reads, raise an error before their first item, or no longer.

        ``conclude`` yields an item in its place once its source has waited. The reader of a stream calls this while it
        can still report an error in a better way: by the status of a response that has not started.
        """
        hold_errors(holds, *self._sources)

    async def aclose(self) -> None:
        """Close the wrapper, then its sources, last to first. Raises: what their clean-up raises."""
        await close(*self._sources, self._items, owning=bool(self._sources))


setattr(Stream, "__anext__", _Next.__dict__["_next"])  # noqa: B010  # a slot, so that an item costs no Python frame


def fastest(items: AsyncIterator[T]) -> AsyncIterator[T]:
    """Return the generator of a Stream, of which an item takes 15 ns less, or *items*. It does not replace closing."""
    while type(items) is not AsyncGeneratorType and isinstance(items, Stream):  # an ABC is slow to ask
        items = items._items
    return items


class owned(Generic[T]):
    """``async with owned(source) as items`` closes both on leaving the block; *items* is the iterator of *source*."""

    __slots__ = ("_items", "_source")

    def __init__(self, source: AsyncIterable[T]) -> None:
        self._source = source

    async def __aenter__(self) -> AsyncIterator[T]:
        self._items = aiter(self._source)
        return fastest(self._items)

    async def __aexit__(self, *_: object) -> None:
        await close(self._source, self._items)
