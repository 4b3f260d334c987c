"""CSV (``text/csv``): one record a line, ended by CRLF, its fields between commas.

A field that holds a comma, a quote, CR or LF stands in quotes, with its own quotes doubled. Spec: RFC 4180, 2; RFC 7111
(UTF-8). What a spreadsheet makes of ``=1+1`` is not CSV's affair: whoever exports for one must decide that.

RFC 4180 has no comments, and nothing that says whether a file is whole. So an ending is a record as any other: the last
one, ``#error,code,message[,id]`` for a Failure and ``#done,items`` for a Done. Who does not know that sees a record
that is odd, and of another width than the rest, which strict readers refuse: better than to take a part for the whole.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import is_dataclass
from functools import lru_cache, partial
from reprlib import repr as short
from typing import Any, cast

from rawasgi.formats import json_text
from rawasgi.formats.decoding import BaseDecoder
from rawasgi.formats.endings import Done, Failure
from rawasgi.formats.json_text import Dumps
from rawasgi.formats.json_values import Converter, Default, converter_of, is_model
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
    """Write the fields of *record*, and CRLF: None as nothing, a str as it is, an int or a float as its str().

    What has a rule in ``json_values``, such as a date, is the same text as in JSON; a dict or a list is JSON; anything
    else is its str(). A Failure is ``#error`` and its code, message and, if it has one, id; a Done is ``#done`` and its
    items.
    Raises: TypeError for a str or bytes instead of a record, for names without an Encoder, and for a field of bytes;
    ValueError for no field at all.
    """
    if not isinstance(record, Failure | Done) and _has_names(cast(Any, type(record))):
        raise TypeError(f"csv.encode takes a record, and {short(record)} has names: an Encoder writes the header")
    return _line(_record(record), _field)


class Encoder:
    """The writer of one CSV file: as ``encode``, with a header.

    A row is an iterable of fields, or has names: a dict, a dataclass, a pydantic model, a row of a database. *header*:
    the names, the first record, also if there is no other. Without it, the names of the first row are the header, if it
    has names. *dumps*: another encoder for what is JSON in a field. *default*: called for a field that would be its
    str(). Raises: ValueError for an empty *header*, and for both *dumps* and *default*; TypeError for a *header* of one
    str.
    """

    def __init__(
        self, header: Iterable[str] | None = None, dumps: Dumps | None = None, default: Default | None = None
    ) -> None:
        json_text.check_one_encoder(dumps, default)
        self._field: Callable[[object], str] = _field
        self._names = None if header is None else _record(header)
        self._head = b"" if self._names is None else _line(self._names, _field)
        self._begun = False
        self._convert = Converter(default).convert
        if dumps is not None:
            self._field = partial(_field, write=lambda value: json_text.encode(value, dumps, "csv.Encoder.encode"))
        elif default is not None:
            write = json_text.writer("csv.Encoder.encode", default=default)
            self._field = partial(_field, write=write, default=default)

    def encode(self, row: object) -> bytes:
        """Write *row*, and before the first one the header: None where *row* has no field of a name.

        Raises: as the function; ValueError for a field or a name without a place in the header. Nothing is written
        then.
        """
        head, names = self._head, self._names
        if isinstance(row, Failure | Done):
            record = _record(row)
        elif _has_names(cast(Any, type(row))):
            fields = row if isinstance(row, dict) else self._convert(row)
            assert isinstance(fields, dict)
            if names is None and not self._begun:
                names = list(fields)
                head = _line(names, _field)
            record = _in_order(fields, names)
        else:
            record = _record(cast("Iterable[object]", row))
            if names is not None and len(record) != len(names):
                raise ValueError(
                    f"csv.Encoder.encode: a row must have the {len(names)} fields of the header, not {short(record)}"
                )
        text = head + _line(record, self._field)
        self._head, self._names, self._begun = b"", names, True
        return text

    def end(self) -> bytes:
        """Write the header if there was no row."""
        head, self._head = self._head, b""
        return head


@lru_cache(1024)
def _has_names(kind: type) -> bool:
    return hasattr(kind, "keys") or is_model(kind) or is_dataclass(kind)


def _in_order(fields: dict[object, object], names: list[object] | None) -> list[object]:
    if names is None:
        raise ValueError(
            "csv.Encoder.encode: a row with names must come first, so that they are the header: or give header="
        )
    if [*fields] == names:  # mostly
        return [*fields.values()]
    if unknown := [name for name in fields if name not in names]:
        raise ValueError(f"csv.Encoder.encode: {short(unknown)} must be in the header, {short(names)}: or leave it out")
    return [fields.get(name) for name in names]


def _record(record: Iterable[object] | Failure | Done) -> list[object]:
    if isinstance(record, Failure):
        return ["#error", record.code, record.message, *([] if record.id is None else [record.id])]
    if isinstance(record, Done):
        return ["#done", record.items]
    if isinstance(record, str | bytes):
        raise TypeError(f"csv.encode takes a record, an iterable of fields, not {short(record)}: put it in a list")
    return list(record)


def _line(record: list[object], field: Callable[[object], str]) -> bytes:
    if not record:
        raise ValueError("csv.encode: a record must have a field, and this one has none: leave it out, or write [None]")
    return ((",".join(map(field, record)) or '""') + "\r\n").encode()  # an empty line would be no record


def _field(value: object, write: Callable[[object], bytes] = json_text.dumps, default: Default | None = None) -> str:
    kind = type(value)
    if kind is int or kind is float:
        return str(value)
    text = value if kind is str else _text(value, write, default)
    assert isinstance(text, str)
    return '"' + text.replace('"', '""') + '"' if _SPECIAL.search(text) else text


def _text(value: Any, write: Callable[[object], bytes], default: Default | None) -> str:
    kind: Any = type(value)
    if value is None:
        return ""
    if isinstance(value, bytes | bytearray | memoryview):
        raise TypeError(f"csv.encode: a field must be text, not {short(value)}: decode it")
    if isinstance(value, dict | list | tuple) or is_model(kind):
        return write(value).decode()
    convert = converter_of(kind)
    if convert is None and not isinstance(value, str | int | float):
        convert = default
    if convert is not None:
        return _text(convert(value), write, default)
    return str.__str__(value) if isinstance(value, str) else str(value)


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
