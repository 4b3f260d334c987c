"""JSON text sequences (``application/json-seq``): RS, one JSON text, LF, and so on.

A text that was cut off costs no more than itself, which no other format of JSON can say: the next RS begins the next
one, whatever came before. Spec: RFC 7464.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from reprlib import repr as short

from rawasgi.formats import json_text
from rawasgi.formats.decoding import BaseDecoder
from rawasgi.formats.json_text import Dumps
from rawasgi.formats.json_values import Default
from rawasgi.formats.limits import TooLarge

_RS = b"\x1e"
_BREAKABLE = b"-0123456789tfn"  # how a number, true, false and null begin: a part of one may be whole JSON


@dataclass(frozen=True, slots=True)
class Malformed:
    """Stands among the values for a *text* that was no JSON, or was cut off."""

    text: bytes


def encode(value: object, dumps: Dumps | None = None) -> bytes:
    """Write RS, *value* as JSON, and LF, which shows that the value is whole. *dumps*: another encoder.

    Raises: ValueError for NaN and Infinity, for a value that contains itself, and for a *dumps* that writes RS;
    TypeError for a type that has no rule in ``json_values``. Spec: RFC 7464, 2.2.
    """
    if dumps is None:
        return _encode(value)
    text = json_text.encode(value, dumps, "json_seq.encode")
    if _RS in text:
        raise ValueError(f"json_seq.encode: dumps must escape RS, which begins a text, not write {short(text)}")
    return _RS + text + b"\n"


_encode = json_text.writer("json_seq.encode", "\x1e", "\n")


def encoder(dumps: Dumps | None = None, default: Default | None = None) -> Callable[[object], bytes]:
    """Return the function that encodes values as ``encode`` does; *default*: as that of ``json.dumps``.

    Raises: ValueError for both.
    """
    json_text.check_one_encoder(dumps, default)
    if dumps is not None:
        return partial(encode, dumps=dumps)
    return _encode if default is None else json_text.writer("json_seq.encode", "\x1e", "\n", default)


class Decoder(BaseDecoder):
    """An incremental parser of JSON text sequences.

    What is not JSON in UTF-8 becomes ``Malformed``, and the next text is read; so does a number, true, false or null
    that no white space follows, as it may be the beginning of another. Between two RS there may be nothing.
    *limit_bytes* bounds one text. Spec: RFC 7464, 2.1, 2.3, 2.4.
    """

    def __init__(self, limit_bytes: int = 1024 * 1024) -> None:
        self.limit_bytes = limit_bytes
        self._rest = bytearray()  # of a text whose end has not come
        self._tried = False  # its first line was no JSON: so it may have several, and ends at the next RS

    def feed(self, chunk: bytes) -> list[object]:
        """Return what *chunk* completes: a text of one line at its LF, one of several at the next RS.

        Raises: TooLarge, whose items came before, and again at each further call.
        """
        self._check_fault()
        values: list[object] = []
        *texts, rest = chunk.split(_RS)
        for text in texts:
            self._add(text, values)
            self._finish(values)
        self._add(rest, values)
        if not self._tried and b"\n" in rest:
            self._try(values)
        return values

    def end(self) -> list[object]:
        """Return the last text, if the stream ended without its LF. Raises: TooLarge, as ``feed``."""
        self._check_fault()
        values: list[object] = []
        self._finish(values)
        return values

    def _add(self, text: bytes, values: list[object]) -> None:
        self._rest += text
        if len(self._rest) > self.limit_bytes:
            raise self._end_with(partial(TooLarge, "a text", self.limit_bytes), values)

    def _try(self, values: list[object]) -> None:
        """Read what there is, if it is whole: once, so that a text of many lines is not read many times."""
        self._tried = True
        try:
            values.append(json_text.decode(bytes(self._rest)))
        except ValueError:
            return
        self._rest.clear()

    def _finish(self, values: list[object]) -> None:
        text = bytes(self._rest)
        self._rest.clear()
        self._tried = False
        if not text.strip():
            return
        cut_off = text.lstrip()[:1] in _BREAKABLE and text[-1:] not in b" \t\r\n"
        try:
            values.append(Malformed(text) if cut_off else json_text.decode(text))
        except ValueError:
            values.append(Malformed(text))
