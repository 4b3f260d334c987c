"""Find the generators that would be left to the garbage collector when their reader is closed.

Theory of operation
===================

``async for item in inner(): yield item`` does not close *inner* when the loop is left at its ``yield`` (PEP 533 tells
why). CPython drops the generator then, and the hook of the event loop closes it in a task of its own: after the
clean-up of its reader, and after ``aclose()`` of its reader has returned. With three levels this takes two tasks, one
after the other (seen on 3.11 to 3.13). ``contextlib.aclosing(inner())`` is Python's remedy.

So before a generator is closed its frame is searched for others:

- **Anonymous**: nothing but the frame refers to it, and no variable does. It is what an ``async for`` reads, and no
  code can reach it once the loop is left. It is closed before its reader, as ``aclosing`` would do it.
- **Named**: the clean-up of its reader may still read it. It is kept alive while its reader is closed, and closed
  afterwards if nothing else refers to it then.
- All others have another owner, and are left alone.

A generator that is cancelled while it awaits something else between two items is not closed but ends by itself, and
drops what it reads all the same. So what it reads is kept alive meanwhile, and closed afterwards like the named.

Whatever is closed here would have been dropped otherwise. The one difference that code can see: a loop that catches
GeneratorExit at its ``yield`` and reads on gets nothing more from an anonymous generator.
"""

import gc
import sys
from abc import abstractmethod
from types import AsyncGeneratorType
from typing import Any

_getrefcount = getattr(sys, "getrefcount", lambda _: 0)  # PyPy has none: nothing is found there


class Reading:
    """What reads other streams, and is no generator."""

    __slots__ = ()

    @abstractmethod
    def reads(self) -> tuple[object, ...]:
        """Return the streams that this one reads."""


def anonymous(generator: Any) -> list[Any]:
    """Return the streams to which only the frame of *generator*, which is suspended, refers, and no variable in it."""
    found = _referents(generator)
    if not found:
        return []
    names = {id(each) for each in generator.ag_frame.f_locals.values()}
    # One reference from the list, one from the frame.
    return [each for each in _with_references(found, 2) if id(each) not in names]


def held_by(*sources: object) -> list[Any]:
    """Return what those of *sources*, and below them, read that wait in an ``await``.

    They drop it if they are cancelled there: hold it meanwhile, and close what is ``dropped`` then.
    """
    held: dict[int, Any] = {}
    for source in sources:
        if isinstance(source, Reading):
            held.update((id(each), each) for each in held_by(*source.reads()))
        elif getattr(source, "ag_running", False):
            _hold_below(source, held)
    return list(held.values())


def below(generator: object) -> list[Any]:
    """Return what *generator*, which is suspended at its ``yield``, reads, and all below."""
    held: dict[int, Any] = {}
    _hold_below(generator, held)
    return list(held.values())


def _hold_below(generator: object, held: dict[int, Any]) -> None:
    for each in _referents(generator):
        if id(each) not in held:
            held[id(each)] = each
            _hold_below(each, held)


def dropped(items: list[Any]) -> list[Any]:
    """Return those of *items*, a list, to which nothing but the list refers."""
    return _with_references(items, 1)


def _referents(generator: object) -> list[Any]:
    return [each for each in gc.get_referents(generator) if isinstance(each, AsyncGeneratorType | Reading)]


def _with_references(items: list[Any], count: int) -> list[Any]:
    *counts, own = [_getrefcount(item) for item in [*items, object()]]  # own: of that list, and of the loop over it
    return [item for item, each in zip(items, counts, strict=True) if each - own == count]
