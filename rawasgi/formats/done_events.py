"""Server-sent events whose data is a JSON object each, up to ``[DONE]``: what vendors' chats have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import partial
from reprlib import repr as short
from typing import Any, TypeAlias, cast

from rawasgi.formats import json_text, sse
from rawasgi.formats.decoding import BaseDecoder
from rawasgi.formats.endings import CutOff, Failure
from rawasgi.formats.json_values import converter_of, is_model
from rawasgi.formats.limits import TooLarge

JSON: TypeAlias = dict[str, object]


def object_of(item: object, caller: str, fix: str) -> JSON:
    """Return *item* as a dict: a dict as it is, a dataclass by its fields, a pydantic model by those that are set.

    A model that a vendor's client has read so has what was sent, and no null beside it. Raises: TypeError in the name
    of *caller*, with *fix*, for what is no object.
    """
    if isinstance(item, dict):
        return item
    kind: Any = type(item)  # mypy takes a type for unhashable
    if is_model(kind):
        value: object = cast(Any, item).model_dump(mode="json", by_alias=True, exclude_unset=True)
    else:
        convert = converter_of(kind)
        value = None if convert is None else convert(item)
    if not isinstance(value, dict):
        raise TypeError(f"{caller} takes an object, a Failure or a Done, not {short(item)}: {fix}")
    return value


class NotObject(ValueError):
    """The data of an event is not as it must be; *items* were complete before it, in the same feed."""

    def __init__(self, message: str, objects: Sequence[object]) -> None:
        super().__init__(message)
        self.items = objects


class Decoder(BaseDecoder, ABC):
    """An incremental parser of such a stream, of which nothing is read after [DONE].

    *what*: what an object is called, *rule*: what it must be. *limit_bytes* bounds one. What breaks the rule ends the
    decoder. ``done``: [DONE] came.
    """

    what: str
    rule: str
    _stops_at_error: bool

    def __init__(self, limit_bytes: int = 1024 * 1024) -> None:
        self.done: bool = False
        self._failed = False
        self._events = sse.Decoder(limit_bytes)

    @abstractmethod
    def _take(self, value: JSON, event: str | None) -> JSON | Failure | None:
        """Return what *value* is, of an event of that name; None if it is not as it must be."""

    @property
    def _over(self) -> bool:
        return self.done or (self._failed and self._stops_at_error)

    def feed(self, chunk: bytes) -> list[JSON | Failure]:
        """Return what *chunk* completes.

        Raises: TooLarge and NotObject, whose items came before, and again at each further call.
        """
        self._check_fault()
        items: list[JSON | Failure] = []
        if self._over:
            return items
        try:
            events: Sequence[object] = self._events.feed(chunk)
        except TooLarge as error:
            self._read(error.items, items)
            if not self._over:
                raise self._end_with(partial(TooLarge, self.what, error.limit_bytes), items) from None
        else:
            self._read(events, items)
        return items

    def end(self) -> None:
        """Hear that the stream ended. Raises: CutOff without [DONE] and error; TooLarge and NotObject, as ``feed``."""
        self._check_fault()
        if not self.done and not self._failed:
            message = f"a stream of {self.what[2:]}s must end with [DONE], and this one did not: what came is not all"
            raise self._end_with(partial(CutOff, message), [])

    def _read(self, events: Iterable[object], items: list[JSON | Failure]) -> None:
        for event in events:
            assert isinstance(event, sse.Event)
            assert event.data is not None
            if event.data == "[DONE]":
                self.done = True
                return
            try:
                value = json_text.decode(event.data.encode())
            except ValueError:
                value = None
            found = self._take(value, event.event) if isinstance(value, dict) else None
            if found is None:
                message = f"{self.what} must be {self.rule}, not {short(event.data)}: the sender has to mend it"
                raise self._end_with(partial(NotObject, message), items)
            items.append(found)
            if isinstance(found, Failure):
                self._failed = True
                if self._stops_at_error:
                    return
