"""CSV (``text/csv``): one record a line, ended by CRLF, its fields between commas.

A field that holds a comma, a quote, CR or LF stands in quotes, with its own quotes doubled. Spec: RFC 4180, 2; RFC 7111
(UTF-8). What a spreadsheet makes of ``=1+1`` is not CSV's affair: whoever exports for one must decide that.

RFC 4180 has no comments, and nothing that says whether a file is whole. So an ending is a record as any other: the last
one, ``#error,code,message[,id]`` for a Failure and ``#done,items`` for a Done. Who does not know that sees a record
that is odd, and of another width than the rest, which strict readers refuse: better than to take a part for the whole.
"""

import re
from collections.abc import Iterable, Sequence
from functools import partial
from reprlib import repr as short

from rawasgi.formats.decoding import BaseDecoder
from rawasgi.formats.endings import Done, Failure
from rawasgi.formats.limits import TooLarge

_SPECIAL = re.compile(r'[",\r\n]')
_FIELD = re.compile(r'(?:"([^"]*(?:""[^"]*)*)"|([^",\r\n]*))(,|\Z)')


class NotCSV(ValueError):
    """A *record* is not CSV in UTF-8; *items* were complete before it, in the same feed."""

    def __init__(self, record: bytes, records: Sequence[object]) -> None:
        super().__init__(
            f"a record must be CSV in UTF-8 (RFC 4180), a quote within quotes doubled, not {short(record)}: the sender"
            " has to mend it"
        )
        self.record = record
        self.items = records


def encode(record: Iterable[object] | Failure | Done) -> bytes:
    """Write the fields of *record*, and CRLF: None as nothing, a str as it is, anything else as its str().

    A Failure is ``#error`` and its code, message and, if it has one, id; a Done is ``#done`` and its items.
    Raises: TypeError for a str or bytes instead of a record, and for a field of bytes; ValueError for no field at all.
    """
    if isinstance(record, Failure):
        record = ("#error", record.code, record.message, *(() if record.id is None else (record.id,)))
    elif isinstance(record, Done):
        record = ("#done", record.items)
    elif isinstance(record, str | bytes):
        raise TypeError(f"csv.encode takes a record, an iterable of fields, not {short(record)}: put it in a list")
    fields = [_field(value) for value in record]
    if not fields:
        raise ValueError("csv.encode: a record must have a field, and this one has none: leave it out, or write [None]")
    return ((",".join(fields) or '""') + "\r\n").encode()  # an empty line would be no record


def _field(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes | bytearray | memoryview):
        raise TypeError(f"csv.encode: a field must be text, not {short(value)}: decode it")
    text = str(value)
    return '"' + text.replace('"', '""') + '"' if _SPECIAL.search(text) else text


class Decoder(BaseDecoder):
    """An incremental parser of CSV: each record is a list of str.

    A record ends at CRLF or LF; an empty line is none; a byte order mark before the first is ignored. *limit_bytes*
    bounds one record. What is not CSV ends the decoder: nobody can tell where the next record begins.
    """

    def __init__(self, limit_bytes: int = 1024 * 1024) -> None:
        self.limit_bytes = limit_bytes
        self._rest = bytearray()  # a record without its end
        self._quoted = False  # which is within quotes
        self._first = True

    def feed(self, chunk: bytes) -> list[list[str]]:
        """Return the records that *chunk* completes.

        Raises: TooLarge and NotCSV, whose items are the records that came before, and again at each further call.
        """
        self._check_fault()
        records: list[list[str]] = []
        for line in _lines(chunk):
            self._rest += line
            self._quoted ^= line.count(b'"') % 2 == 1  # a doubled quote changes nothing
            if len(self._rest) > self.limit_bytes:
                raise self._end_with(partial(TooLarge, "a record", self.limit_bytes), records)
            if line.endswith(b"\n") and not self._quoted:
                self._read(records)
        return records

    def end(self) -> list[list[str]]:
        """Return the last record, if the stream ended without its line end. Raises: NotCSV, as ``feed``."""
        self._check_fault()
        records: list[list[str]] = []
        self._read(records)
        return records

    def _read(self, records: list[list[str]]) -> None:
        record = bytes(self._rest)
        self._rest.clear()
        line = record.removesuffix(b"\n").removesuffix(b"\r")
        if self._first:
            self._first, line = False, line.removeprefix(b"\xef\xbb\xbf")
        if not line:
            return
        try:
            records.append(_fields(line.decode()))
        except ValueError as error:
            raise self._end_with(partial(NotCSV, record), records) from error


def _lines(chunk: bytes) -> list[bytes]:
    """Split at LF alone."""
    lines = [line + b"\n" for line in chunk.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines


def _fields(line: str) -> list[str]:
    fields = []
    end = 0
    while True:
        field = _FIELD.match(line, end)
        if field is None:
            raise ValueError(line)
        quoted, plain, more = field.groups()
        fields.append(plain if quoted is None else quoted.replace('""', '"'))
        end = field.end()
        if not more:
            return fields
