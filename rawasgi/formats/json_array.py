"""One JSON array, an element at a time (``application/json``): for clients that know no format of streams.

Any reader of JSON takes it whole, and ours takes each element as it comes. The ``]`` is the end mark: without it nobody
takes the array for whole. Spec: RFC 8259, 2, 5.

Theory of operation
-------------------
The decoder looks for the end of an element and no further: in strings for the quote, in objects and arrays for brackets
outside strings. It jumps from one to the next and looks at no byte more than a few times, however the stream is cut;
json reads each element once, when it is whole. Brackets are only counted: that ``{]`` is no object is json's to say.

An object, an array or a string shows its end itself. A number, true, false or null ends with what follows it, as ``12``
may be the beginning of ``123``: it comes with the comma, the ``]`` or white space.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial
from reprlib import repr as short
from typing import NoReturn, TypeAlias

from rawasgi.formats import json_text
from rawasgi.formats.decoding import BaseDecoder
from rawasgi.formats.endings import CutOff, Done, Failure
from rawasgi.formats.json_text import Dumps
from rawasgi.formats.json_values import Default
from rawasgi.formats.limits import TooLarge

_Step: TypeAlias = "Callable[[Decoder, bytes, int, list[object]], int]"

_DEEPER = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}
_SPACE = re.compile(rb"[ \t\n\r]*")
_SCALAR = re.compile(rb'[^ \t\n\r,\[\]{}"]*')
# Up to a bracket, or to a string that is cut off, or has many escapes. Not possessive, which is wrong before Python
# 3.11.5 (python/cpython#106052), so there are bounds: the pattern remembers each string, and each escape.
_NESTED = re.compile(rb'[^"\[\]{}]*(?:"[^"\\]*(?:\\.[^"\\]*){0,16}"[^"\[\]{}]*){0,64}', re.DOTALL)


class NotArray(ValueError):
    """The stream is not one JSON array in UTF-8; *items* were complete before that, in the same feed."""

    def __init__(self, message: str, values: Sequence[object]) -> None:
        super().__init__(message)
        self.items = values


# Encode

_CALLER = "json_array.Encoder.encode"
_write = json_text.writer(_CALLER)


class Encoder:
    """The writer of one array.

    A Failure is the last element, ``{"error": {…}}``, so the array is JSON also when its source failed. A Done writes
    nothing. *dumps*: another encoder. *default*: as that of ``json.dumps``. Raises: ValueError for both.
    """

    def __init__(self, dumps: Dumps | None = None, default: Default | None = None) -> None:
        json_text.check_one_encoder(dumps, default)
        if dumps is not None:
            self._write: Callable[[object], bytes] = lambda value: json_text.encode(value, dumps, _CALLER)
        else:
            self._write = _write if default is None else json_text.writer(_CALLER, default=default)
        self._before = b"["  # the next element
        self._last = ""  # after what there may be no more

    def encode(self, item: object) -> bytes:
        """Write *item*, and before it what the array needs: ``[`` the first time, then ``,`` and LF.

        Raises: ValueError for NaN and Infinity, for a value that contains itself, and after a Failure, a Done or end();
        TypeError for a type that has no rule in ``json_values``. Nothing is written then.
        """
        if self._last:
            raise ValueError(f"Encoder.encode: nothing may follow {self._last}, not {short(item)}: write it before")
        if isinstance(item, Done):
            self._last = "a Done"
            return b""
        text = self._write(item)
        if isinstance(item, Failure):
            self._last = "a Failure"
        before, self._before = self._before, b",\n"
        return before + text

    def end(self) -> bytes:
        """Write ``]``, or ``[]`` if nothing came. Raises: ValueError if called before."""
        if self._last == "end()":
            raise ValueError("Encoder.end: an array ends once, and this one has: make an Encoder for each")
        self._last = "end()"
        return b"[]" if self._before == b"[" else b"]"


# Decode


class Decoder(BaseDecoder):
    """An incremental parser of one array.

    White space may stand around the array and its elements, and nothing else. *limit_bytes* bounds one element. What is
    not JSON ends the decoder: nobody can tell where the next element begins.
    """

    def __init__(self, limit_bytes: int = 1024 * 1024) -> None:
        self.limit_bytes = limit_bytes
        self._step: _Step = Decoder._begin  # reads from a place in a chunk, and returns where the next one is to read
        self._rest = bytearray()  # an element without its end
        self._depth = 0  # of the brackets in it
        self._escaped = False  # the byte that comes now belongs to a backslash
        self._first = True

    def feed(self, chunk: bytes) -> list[object]:
        """Return the elements that *chunk* completes.

        Raises: TooLarge and NotArray, whose items are the elements that came before, and again at each further call.
        """
        self._check_fault()
        values: list[object] = []
        at = 0
        while at < len(chunk):
            at = self._step(self, chunk, at, values)
        return values

    def end(self) -> None:
        """Hear that the stream ended. Raises: CutOff if that was before the ``]``; TooLarge and NotArray, as feed()."""
        self._check_fault()
        if self._step is not Decoder._ended:
            message = "an array must end with ], and this stream ended before: what came is not all"
            raise self._end_with(partial(CutOff, message), [])

    # Between elements

    def _begin(self, chunk: bytes, at: int, values: list[object]) -> int:
        at = _stop(_SPACE, chunk, at)
        if at < len(chunk):
            if chunk[at] != ord("["):
                self._refuse("an array must begin with [", chunk[at:], values)
            self._step = Decoder._element
        return at + 1

    def _element(self, chunk: bytes, at: int, values: list[object]) -> int:
        at = _stop(_SPACE, chunk, at)
        if at == len(chunk):
            return at
        head = chunk[at : at + 1]
        if head == b"]" and self._first:
            self._step = Decoder._ended
            return at + 1
        if head in b",]}":
            self._refuse("an array must have an element after [ and each comma", chunk[at:], values)
        self._first = False
        if head == b'"':
            self._step = Decoder._string
            return self._keep(chunk, at, at + 1, values)
        self._step = Decoder._nested if head in b"[{" else Decoder._scalar
        return at

    def _comma(self, chunk: bytes, at: int, values: list[object]) -> int:
        at = _stop(_SPACE, chunk, at)
        if at < len(chunk):
            if chunk[at] not in b",]":
                self._refuse("an array must have a comma or ] after an element", chunk[at:], values)
            self._step = Decoder._element if chunk[at] == ord(",") else Decoder._ended
        return at + 1

    def _ended(self, chunk: bytes, at: int, values: list[object]) -> int:
        at = _stop(_SPACE, chunk, at)
        if at < len(chunk):
            self._refuse("an array must have nothing after its ]", chunk[at:], values)
        return at

    # In an element

    def _scalar(self, chunk: bytes, at: int, values: list[object]) -> int:
        stop = self._keep(chunk, at, _stop(_SCALAR, chunk, at), values)
        if stop < len(chunk):
            self._finish(values)
        return stop

    def _string(self, chunk: bytes, at: int, values: list[object]) -> int:
        stop = at + self._escaped
        while True:
            quote = chunk.find(b'"', stop)
            text = chunk[stop : quote if quote >= 0 else len(chunk)]
            self._escaped = (len(text) - len(text.rstrip(b"\\"))) % 2 == 1  # what comes after text
            if quote < 0 or not self._escaped:
                break
            stop = quote + 1
        stop = self._keep(chunk, at, quote + 1 or len(chunk), values)
        if quote >= 0:
            self._step = Decoder._nested
            if not self._depth:
                self._finish(values)
        return stop

    def _nested(self, chunk: bytes, at: int, values: list[object]) -> int:
        stop = at
        while True:
            stop = _stop(_NESTED, chunk, stop) + 1
            byte = chunk[stop - 1 : stop]
            self._depth += _DEEPER.get(byte, 0)
            if byte not in _DEEPER or not self._depth:
                break
        stop = self._keep(chunk, at, stop, values)
        if byte == b'"':
            self._step = Decoder._string
        elif not self._depth:
            self._finish(values)
        return stop

    def _keep(self, chunk: bytes, at: int, stop: int, values: list[object]) -> int:
        self._rest += chunk[at:stop]
        if len(self._rest) > self.limit_bytes:
            raise self._end_with(partial(TooLarge, "an element", self.limit_bytes), values)
        return stop

    def _finish(self, values: list[object]) -> None:
        text = bytes(self._rest)
        self._rest.clear()
        self._step = Decoder._comma
        try:
            values.append(json_text.decode(text))
        except ValueError:
            self._refuse("an element must be JSON in UTF-8", text, values)

    def _refuse(self, rule: str, text: bytes, values: list[object]) -> NoReturn:
        message = f"{rule}, not {short(text)}: the sender has to mend it"
        raise self._end_with(partial(NotArray, message), values)


def _stop(pattern: re.Pattern[bytes], chunk: bytes, at: int) -> int:
    found = pattern.match(chunk, at)
    assert found is not None  # each of them takes nothing, too
    return found.end()
