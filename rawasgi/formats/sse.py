"""Server-sent events: an Event to bytes, and bytes to Events.

Spec: WHATWG HTML 9.2 "Server-sent events": 9.2.5 "Parsing an event stream", 9.2.6 "Interpreting an event stream".

Theory of operation
-------------------
A line ends at CRLF, CR or LF, and at nothing else. Who forgets CR lets a text forge a field; who uses str.splitlines()
tears JSON apart at U+2028, NEL or VT. So text is split here by replace(), and bytes by bytes.splitlines(), which knows
those three only.

An Event is a plain value and nothing is checked when one is made: what a server sent us need not be what we would send.
``encode`` is the one way out, so ``encode`` checks, however the Event came to be. Texts are joined with ``+``, which
takes what a str holds; an f-string takes what ``__format__`` says, and that need not be what was checked.

The decoder splits bytes first and decodes each value alone. That is exact: CR, LF, colon and space are no part of a
longer UTF-8 sequence, not even of a broken one, so a sequence cut in two by a feed needs no care. A feed that ends no
line is only appended: the time is linear, however small the pieces are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from rawasgi.formats import json_text
from rawasgi.formats.decoding import BaseDecoder
from rawasgi.formats.endings import Done, Failure
from rawasgi.formats.json_text import Dumps
from rawasgi.formats.json_values import Default
from rawasgi.formats.limits import TooLarge

_NAMES: dict[type, str] = {Failure: "error", Done: "done"}
_SPACED = (", ", ": ")  # as json.dumps writes it: people read events, too, in a browser's tools
_json = json_text.writer("sse.event_of", separators=_SPACED)
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Event:
    """One event; what is None is not written.

    *data* "" fires an event with no text; with None a client fires nothing, whatever else is there. *id* "" makes the
    client forget the last id. *retry* is in milliseconds: how long the client waits before it connects again.
    """

    data: str | None = None
    event: str | None = None
    id: str | None = None
    retry: int | None = None
    comment: str | None = None


# Encode


def encode(event: Event) -> bytes:
    """Write *event*: comment, event, data, id, retry, then a blank line.

    Raises: ValueError for CR, LF or NUL in event or id, for a retry that is not an int of 0 or more, and for a lone
    surrogate; TypeError for a text that is not str. Nothing is stripped.
    """
    text = event.data
    if event.event is None and event.id is None and event.retry is None and event.comment is None and text is not None:
        return data(text)  # nearly every event
    fields = ""
    if event.comment is not None:
        fields += _lines("comment", ": ", event.comment)
    if event.event is not None:
        fields += "event: " + _one_line("event", event.event) + "\n"
    if text is not None:
        fields += _lines("data", "data: ", text)
    if event.id is not None:
        # A client ignores an id with NUL (9.2.6), and then resumes at a wrong place without a word.
        fields += "id: " + _one_line("id", event.id) + "\n"
    if event.retry is not None:
        if type(event.retry) is not int or event.retry < 0:
            raise ValueError(
                f"Event.retry must be an int of 0 or more, not {event.retry!r}: milliseconds, as int(seconds * 1000)"
            )
        fields += f"retry: {event.retry}\n"
    return (fields + "\n").encode()


def event_of(item: object) -> Event:
    """Return *item* as an Event: an Event as it is, a str as data, a Failure as ``error`` and a Done as ``done``, with
    JSON as data, and anything else as JSON data. Raises: ValueError and TypeError for what JSON cannot say."""
    if isinstance(item, Event):
        return item
    if isinstance(item, str):
        return Event(item)
    return Event(_json(item).decode(), _NAMES.get(type(item)))


def data(text: str) -> bytes:
    """Write an event that has *text* and nothing else: ``encode(Event(text))``, without the Event."""
    if isinstance(text, str) and "\n" not in text and "\r" not in text:
        return ("data: " + text + "\n\n").encode()
    return (_lines("data", "data: ", text) + "\n").encode()


# Writes an event that has JSON, in one line, and nothing else.
json_data: Callable[[object], bytes] = json_text.writer("sse.json_data", "data: ", "\n\n", separators=_SPACED)


def json_data_encoder(dumps: Dumps | None = None, default: Default | None = None) -> Callable[[object], bytes]:
    """Return the function that writes an event of a value as JSON, as ``json_data``.

    *dumps*: another encoder. *default*: as that of ``json.dumps``. Raises: ValueError for both.
    """
    json_text.check_one_encoder(dumps, default)
    if dumps is not None:
        return lambda value: data(json_text.encode(value, dumps, "sse.json_data").decode())
    return json_data if default is None else json_text.writer("sse.json_data", "data: ", "\n\n", default, _SPACED)


def comment(text: str = "") -> bytes:
    """Write *text* as a comment, which no client fires: it keeps a silent connection open."""
    return (_lines("comment", ": ", text) + "\n").encode()


def _lines(name: str, start: str, text: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"Event.{name} must be str, not {text!r}: write str() or json.dumps() of it")
    return start + text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\n" + start) + "\n"


def _one_line(name: str, text: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"Event.{name} must be str, not {text!r}: write str() of it")
    if "\n" in text or "\r" in text or "\0" in text:
        raise ValueError(f"Event.{name} must be one line without NUL, not {text!r}: put free text into data")
    return text


# Decode


class Decoder(BaseDecoder):
    """An incremental parser of an event stream.

    An event comes out at its blank line, with data (a str), event (None if absent or empty), id (the last event id at
    that time; None if there is none, or if it is empty) and no more: retry belongs to the connection, comments to
    nobody. An event without data, and one that the stream's end cuts off, never comes out.

    *limit_bytes* bounds the data of one event and the line that is being read, together.
    """

    def __init__(self, limit_bytes: int = 1024 * 1024) -> None:
        self.limit_bytes = limit_bytes
        self.last_event_id: str = ""  # to send as Last-Event-ID: moves at a blank line, so only after a whole event
        self.retry: int | None = None  # milliseconds
        self._rest = bytearray()  # a line without its end
        self._at_start = True  # a byte order mark may come
        self._after_cr = False  # an LF that comes now belongs to the line before
        self._data = bytearray()  # each line of data and LF, as in 9.2.6
        self._event = ""
        self._id = ""

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events that *chunk* completes.

        Raises: TooLarge, whose items are the events that came before, and again at each further feed: in the middle of
        an event there is no knowing where the next one begins.
        """
        events: list[Event] = []
        self._check_fault()
        if self._at_start:
            self._rest += chunk
            if len(self._rest) < len(_BOM) and _BOM.startswith(self._rest):
                return events
            chunk = bytes(self._rest).removeprefix(_BOM)
            self._rest.clear()
            self._at_start = False
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        if b"\n" not in chunk and b"\r" not in chunk:
            self._rest += chunk
        else:
            if self._rest:
                chunk = bytes(self._rest) + chunk
                self._rest.clear()
            self._after_cr = chunk.endswith(b"\r")
            lines = chunk.splitlines()
            if not chunk.endswith((b"\n", b"\r")):
                self._rest += lines.pop()
            self._read(lines, events)
        self._check(len(self._rest), events)
        return events

    def _read(self, lines: list[bytes], events: list[Event]) -> None:
        for line in lines:
            self._check(len(line), events)
            name, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if name == b"data":
                self._data += value + b"\n"
            elif not line:
                self._dispatch(events)
            elif name == b"event":
                self._event = value.decode("utf-8", "replace")
            elif name == b"id" and b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
            elif name == b"retry" and value.isdigit() and len(value) <= 18:
                # 18 digits are 31 million years; int() raises at 4301.
                self.retry = int(value)

    def _dispatch(self, events: list[Event]) -> None:
        self.last_event_id = self._id
        if self._data:
            text = self._data[:-1].decode("utf-8", "replace")
            events.append(Event(text, self._event or None, self._id or None))
            self._data.clear()
        self._event = ""

    def _check(self, line_bytes: int, events: list[Event]) -> None:
        if len(self._data) + line_bytes > self.limit_bytes:
            raise self._end_with(partial(TooLarge, "an event", self.limit_bytes), events)
