"""What a stream says of its own end: that it is whole, or that it failed. One vocabulary for all formats.

A body that ends well-formed after an error is taken for success by every client, and one that is cut off tells nobody
why. So each format has a frame for either: the encoders take these two as items.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """The source failed here: nothing follows, and what came before is not whole.

    *code*: for programs. *message*: for people, and nothing that the client must not know. *id*: under which the
    server's log has the rest. *retry*: asking again may help.
    """

    code: str = "internal"
    message: str = "the stream failed"
    id: str | None = None
    retry: bool = False

    @property
    def text(self) -> str:
        """The message, with the id if there is one: for a format whose errors are a text and nothing else."""
        return self.message if self.id is None else f"{self.message}, id {self.id}"


@dataclass(frozen=True, slots=True)
class Done:
    """The stream is whole: *items* came before this."""

    items: int


class CutOff(ValueError):
    """A stream ended, or has to end, without the end of its format: what came is not all.

    *items*: empty, as a decoder has returned all that came before.
    """

    def __init__(self, message: str, items: Sequence[object] = ()) -> None:
        super().__init__(message)
        self.items = items


def plain(value: Failure | Done) -> dict[str, object]:
    """Return a Failure or Done as JSON has it: ``{"error": {…}}``, ``{"done": {…}}``; what is absent is left out."""
    if isinstance(value, Done):
        return {"done": {"items": value.items}}
    error: dict[str, object] = {"code": value.code, "message": value.message}
    if value.id is not None:
        error["id"] = value.id
    if value.retry:
        error["retry"] = True
    return {"error": error}
