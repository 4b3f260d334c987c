"""NDJSON (JSON Lines): one JSON value a line, each line ended by LF.

Spec: ndjson.org; RFC 8259. JSON has no raw LF inside a value, so a line is a value whatever it holds.
"""

from collections.abc import Callable, Sequence
from functools import partial
from reprlib import repr as short

from rawasgi.formats import json_text
from rawasgi.formats.decoding import BaseDecoder
from rawasgi.formats.json_text import Dumps
from rawasgi.formats.json_values import Default
from rawasgi.formats.limits import TooLarge


class NotJSON(ValueError):
    """A *line* is not JSON in UTF-8; *items* were complete before it, in the same feed."""

    def __init__(self, line: bytes, values: Sequence[object]) -> None:
        super().__init__(f"a line must be one JSON value in UTF-8, not {short(line)}: the sender has to mend it")
        self.line = line
        self.items = values


def encode(value: object, dumps: Dumps | None = None) -> bytes:
    """Write *value* as compact JSON in UTF-8, and LF. *dumps*: another encoder.

    Raises: ValueError for NaN and Infinity, for a value that contains itself, and for a *dumps* that writes several
    lines; TypeError for a type that has no rule in ``json_values``.
    """
    if dumps is None:
        return _encode(value)
    text = json_text.encode(value, dumps, "ndjson.encode")
    if b"\n" in text:
        raise ValueError(f"ndjson.encode: dumps must write one line, not {short(text)}: leave out its indent")
    return text + b"\n"


_encode = json_text.writer("ndjson.encode", after="\n")


def encoder(dumps: Dumps | None = None, default: Default | None = None) -> Callable[[object], bytes]:
    """Return the function that encodes values as ``encode`` does; *default*: as that of ``json.dumps``.

    Raises: ValueError for both.
    """
    json_text.check_one_encoder(dumps, default)
    if dumps is not None:
        return partial(encode, dumps=dumps)
    return _encode if default is None else json_text.writer("ndjson.encode", after="\n", default=default)


class Decoder(BaseDecoder):
    """An incremental parser of NDJSON.

    A line ends at LF; a CR before it, and a line of white space, are ignored. NaN and Infinity are refused.
    *limit_bytes* bounds one line. What is not JSON ends the decoder: the sender is not to be trusted further.
    """

    def __init__(self, limit_bytes: int = 1024 * 1024) -> None:
        self.limit_bytes = limit_bytes
        self._rest = bytearray()  # a line without its end

    def feed(self, chunk: bytes) -> list[object]:
        """Return the values that *chunk* completes.

        Raises: TooLarge and NotJSON, whose items are the values that came before, and again at each further call.
        """
        self._check_fault()
        values: list[object] = []
        *lines, rest = chunk.split(b"\n")
        if lines and self._rest:
            lines[0] = bytes(self._rest) + lines[0]
            self._rest.clear()
        for line in lines:
            self._read(line, values)
        self._rest += rest
        self._check(len(self._rest), values)
        return values

    def end(self) -> list[object]:
        """Return the last value, if the stream ended without LF.

        A number may be cut off there unseen: ``12`` of ``123`` is JSON too. Raises: NotJSON, as feed() does.
        """
        self._check_fault()
        values: list[object] = []
        self._read(bytes(self._rest), values)
        self._rest.clear()
        return values

    def _read(self, line: bytes, values: list[object]) -> None:
        self._check(len(line), values)
        if not line.strip(b" \t\r"):
            return
        try:
            values.append(json_text.decode(line))
        except ValueError as error:
            raise self._end_with(partial(NotJSON, line), values) from error

    def _check(self, line_bytes: int, values: list[object]) -> None:
        if line_bytes > self.limit_bytes:
            raise self._end_with(partial(TooLarge, "a line", self.limit_bytes), values)
