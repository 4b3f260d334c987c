"""An incremental parser of a multipart body, which keeps no body of a part: its headers, then the body in pieces.

Spec: RFC 2046, 5.1.1.

Theory of operation
-------------------
A delimiter is CRLF, two hyphens and the boundary, and has one CR, its first byte. So of what has come, only what
follows the last CR can be the beginning of a delimiter: that is kept, and all before it is given out. Each byte is
searched once.

The CRLF that ends an empty line after the headers may begin the delimiter: then there is no body.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial
from reprlib import repr as short
from typing import NoReturn, TypeAlias

from rawasgi.formats.decoding import BaseDecoder
from rawasgi.formats.endings import CutOff
from rawasgi.formats.limits import TooLarge
from rawasgi.formats.tokens import check_field

PartHeaders: TypeAlias = tuple[tuple[bytes, bytes], ...]
# Of each part, in this order: its headers, with names in lowercase; its body in pieces; None at its end.
Event: TypeAlias = PartHeaders | bytes | None
_Step: TypeAlias = "Callable[[Parser, list[Event]], bool]"

_PADDING = re.compile(rb"[ \t]*")


class NotMultipart(ValueError):
    """The stream is no multipart body with this boundary; *items* were complete before that, in the same feed."""

    def __init__(self, message: str, items: Sequence[object]) -> None:
        super().__init__(message)
        self.items = items


class Parser(BaseDecoder):
    """An incremental parser of one multipart body with *boundary*, as ``multipart.boundary_of`` returns it.

    What stands before the first delimiter and after the close-delimiter is ignored, so is white space after a boundary;
    a part may have no headers, or no body. *limit_bytes* bounds the headers of one part. What is not as in RFC 2046,
    5.1.1, ends the parser. ``is_complete``: the close-delimiter has come.
    """

    def __init__(self, boundary: str, limit_bytes: int = 16 * 1024) -> None:
        self.limit_bytes = limit_bytes
        self._delimiter: bytes = b"\r\n--" + boundary.encode()
        self._step: _Step | None = Parser._preamble  # says whether there may be more to read; None: after the end
        self._rest = bytearray(b"\r\n")  # the first delimiter may be the first line
        self._searched = 0  # of the rest

    @property
    def is_complete(self) -> bool:
        return self._step is None

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events of *chunk*.

        Raises: TooLarge and NotMultipart, whose items are the events that came before, and again at each further call.
        """
        self._check_fault()
        events: list[Event] = []
        if self._step is not None:
            self._rest += chunk
        while self._step is not None and self._step(self, events):
            pass
        return events

    def end(self) -> None:
        """Signal the end of the input. Raises: CutOff without close-delimiter; TooLarge, NotMultipart, as feed()."""
        self._check_fault()
        if self._step is not None:
            rule = "a multipart body must end with its close-delimiter, and this stream ended before"
            raise self._end_with(partial(CutOff, f"{rule}: what came is not all"), [])

    def _preamble(self, events: list[Event]) -> bool:
        return self._to_delimiter(None)

    def _boundary(self, events: list[Event]) -> bool:
        """After a boundary: two hyphens close the body."""
        if self._rest.startswith(b"--"):
            self._step = None
            self._rest.clear()
            return False
        if self._rest == b"" or self._rest == b"-":
            return False
        self._step = Parser._padding
        return True

    def _padding(self, events: list[Event]) -> bool:
        padding = _PADDING.match(self._rest)
        assert padding is not None  # it takes nothing, too
        del self._rest[: padding.end()]
        if self._rest == b"" or self._rest == b"\r":
            return False
        if not self._rest.startswith(b"\r\n"):
            # The RFC lets a reader take this for a delimiter, or for a sender that only avoids the whole line.
            self._refuse("after a boundary there must be -- or the end of the line", bytes(self._rest[:40]), events)
        del self._rest[:2]
        self._step = Parser._headers
        return True

    def _headers(self, events: list[Event]) -> bool:
        """Before the headers: an empty line ends them, or the delimiter."""
        if self._rest.startswith(b"\r\n"):
            end = 0
        else:
            empty = self._rest.find(b"\r\n\r\n", self._searched)
            delimiter = self._rest.find(self._delimiter, self._searched, empty if empty >= 0 else None)
            # The CRLF of the last header is taken with it, that of the empty line is left.
            end = delimiter if delimiter >= 0 else empty + 2 if empty >= 0 else -1
        self._searched = max(0, len(self._rest) - len(self._delimiter) + 1) if end < 0 else 0
        if max(end, self._searched) > self.limit_bytes:
            raise self._end_with(partial(TooLarge, "the headers of a part", self.limit_bytes), events)
        if end < 0:
            return False
        events.append(self._read(bytes(self._rest[:end]), events))
        del self._rest[:end]
        self._step = Parser._empty_line
        return True

    def _empty_line(self, events: list[Event]) -> bool:
        if self._rest.startswith(self._delimiter):
            events.append(None)
            self._past_delimiter(0)
            return True
        if self._delimiter.startswith(self._rest):
            return False
        del self._rest[:2]
        self._step = Parser._body
        return True

    def _body(self, events: list[Event]) -> bool:
        return self._to_delimiter(events)

    def _to_delimiter(self, events: list[Event] | None) -> bool:
        """Give out what stands before the next delimiter, or cannot be in one; nothing if *events* is None."""
        at = self._rest.find(self._delimiter)
        end = at
        if at < 0:
            end = self._rest.rfind(b"\r", max(0, len(self._rest) - len(self._delimiter) + 1))
            if end < 0 or not self._delimiter.startswith(self._rest[end:]):
                end = len(self._rest)
        if events is not None:
            if end:
                events.append(bytes(self._rest[:end]))
            if at >= 0:
                events.append(None)
        if at >= 0:
            self._past_delimiter(at)
        else:
            del self._rest[:end]
        return at >= 0

    def _past_delimiter(self, at: int) -> None:
        del self._rest[: at + len(self._delimiter)]
        self._step = Parser._boundary

    def _read(self, head: bytes, events: list[Event]) -> PartHeaders:
        # A line that begins with white space goes on with the one before (RFC 5322, 2.2.3).
        lines = head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b"\t").split(b"\r\n")
        headers: list[tuple[bytes, bytes]] = []
        for line in filter(None, lines):
            name, colon, value = line.partition(b":")
            value = value.strip(b" \t")
            try:
                check_field(name if colon else b"", value)
            except ValueError:
                self._refuse("a header of a part must be a name, a colon and one line", line, events)
            headers.append((name.lower(), value))
        return tuple(headers)

    def _refuse(self, rule: str, text: bytes, events: list[Event]) -> NoReturn:
        message = f"{rule}, not {short(text)}: the sender must fix it"
        raise self._end_with(partial(NotMultipart, message), events)
