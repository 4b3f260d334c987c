"""What a source yields when a bare value does not say enough."""

from typing import NamedTuple


class Item(NamedTuple):
    """A value, what kind of value it is, and the place to go on from. A str is text; anything else is JSON."""

    data: object
    name: str | None = None
    id: str | None = None
