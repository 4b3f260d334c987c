"""What a journal that is kept elsewhere consists of: its entries as they are stored, and its state."""

from dataclasses import dataclass

from rawasgi.formats.json_text import dumps
from rawasgi.formats.sse import Event


@dataclass(frozen=True, slots=True)
class State:
    """What is kept at the time of a look: the numbers *first* to *last* of the life *base*, 0 if there is none."""

    base: int
    first: int
    last: int
    ended: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry as it is kept: a *text* of JSON; the end has an empty one."""

    base: int
    number: int
    text: str


def write(event: Event, key: str | None) -> str:
    """Return the text of an entry."""
    fields = [event.data, event.event, event.retry, event.comment, key]
    return dumps(fields).decode()


def epoch(base: int) -> str:
    """Return the epoch in the ids of the life *base*."""
    return f"{base & 0xFFFFFFFF:08x}"
