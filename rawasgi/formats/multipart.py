"""Multipart bodies: parts, each with headers of its own, between delimiters (``multipart/mixed``, ``x-mixed-replace``).

Spec: RFC 2046, 5.1, its grammar in 5.1.1; RFC 9110, 14.6, for byteranges; RFC 9457 for the part that is a Failure.

Theory of operation
-------------------
A delimiter is CRLF, two hyphens and the boundary: the CRLF is the delimiter's, not the body's. Nobody knows a body to
be whole before the delimiter after it, so that one is written at once, and not with the next part::

    encode   --b CRLF headers CRLF body CRLF --b
    encode            CRLF headers CRLF body CRLF --b
    end                                                -- CRLF

Of multipart/x-mixed-replace, Firefox then shows a picture when it was sent. Chromium waits even for the headers of the
next part, so a picture that is to stand still must be sent twice (blink, multipart_image_resource_parser.cc;
miguelgrinberg/flask-video-streaming, 74 and 75). Each part has Content-Length, which readers of MJPEG like.

The close-delimiter is the end mark. How a body is parsed: multipart_events.py.
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from reprlib import repr as short
from typing import cast

from rawasgi.formats import json_text
from rawasgi.formats.decoding import BaseDecoder, Fault
from rawasgi.formats.endings import Done, Failure
from rawasgi.formats.limits import TooLarge
from rawasgi.formats.multipart_events import NotMultipart as NotMultipart
from rawasgi.formats.multipart_events import Parser, PartHeaders
from rawasgi.formats.tokens import TOKEN, check_field, parse_parameters

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")


@dataclass(frozen=True, slots=True)
class Part:
    """One part. A Decoder gives the names of its *headers* in lowercase."""

    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


# The boundary


def boundary_of(content_type: str | bytes) -> str:
    """Return the boundary of a Content-Type. Raises: ValueError for no multipart, and without one valid boundary."""
    text = content_type.decode("latin-1") if isinstance(content_type, bytes) else content_type
    media_type, parameters = parse_parameters(text) or ("", [])
    boundaries = [value for name, value in parameters if name == "boundary"]
    if not media_type.lower().startswith("multipart/") or len(boundaries) != 1:
        raise ValueError(
            f"a Content-Type must be multipart/…; boundary=…, with one boundary, not {short(content_type)}"
        )
    return _checked(boundaries[0])


def _checked(boundary: str) -> str:
    if not _BOUNDARY.fullmatch(boundary):
        raise ValueError(
            "a boundary must be 1 to 70 letters, digits, '()+_,-./:=? and spaces, and not end in one (RFC 2046, 5.1.1),"
            f" not {short(boundary)}: leave it out for a fresh one"
        )
    return boundary


# Encode


class Encoder:
    """The writer of one multipart body.

    A Failure is the last part, of application/problem+json: its message as title, and code, id and retry. A Done writes
    nothing. *boundary*: one that no body holds; a fresh one, of 128 random bits, if None.
    """

    def __init__(self, boundary: str | None = None) -> None:
        self.boundary: str = secrets.token_hex(16) if boundary is None else _checked(boundary)
        self._dashed = b"--" + self.boundary.encode()
        self._before = self._dashed  # what the next part, or end(), begins with
        self._last = ""  # after what there may be no more

    def media_type(self, subtype: str = "mixed") -> str:
        """Return the Content-Type of the body: ``multipart/mixed; boundary=…``. Raises: ValueError for no *subtype*."""
        if not TOKEN.fullmatch(subtype.encode()):
            raise ValueError(f"a subtype must be one word, as x-mixed-replace, not {subtype!r}")
        quote = "" if TOKEN.fullmatch(self.boundary.encode()) else '"'
        return f"multipart/{subtype}; boundary={quote}{self.boundary}{quote}"

    def encode(self, part: Part | Failure | Done) -> bytes:
        """Write *part*, with Content-Length, and the delimiter after it; before the first one, the delimiter, too.

        Raises: ValueError for a header that is more than one line, for a wrong content-length, for a body that holds
        the boundary, and after a Failure, a Done or end(); TypeError for a body that is not bytes. Nothing is written
        then.
        """
        if self._last:
            raise ValueError(f"Encoder.encode: nothing may follow {self._last}, not {short(part)}: write it before")
        if isinstance(part, Done):
            self._last = "a Done"
            return b""
        if isinstance(part, Failure):
            text = self._part(_problem(part))
            self._last = "a Failure"
        else:
            text = self._part(part)
        self._before = b""
        return text

    def end(self) -> bytes:
        """Write the close-delimiter. Raises: ValueError if called before.

        RFC 2046 asks for one part at least. Where none came, none is made up: the close-delimiter stands alone, as in
        what browsers send for an empty form.
        """
        if self._last == "end()":
            raise ValueError("Encoder.end: a body ends once, and this one has: make an Encoder for each")
        self._last = "end()"
        return self._before + b"--\r\n"

    def _part(self, part: Part) -> bytes:
        if not isinstance(part.body, bytes):
            raise TypeError(f"Part.body must be bytes, not {short(part.body)}: encode it")
        # The RFC forbids it at the beginning of a line, but Chromium finds it anywhere.
        if self._dashed in part.body:
            raise ValueError(
                f"Part.body must not hold --{self.boundary}, which would end it: leave out the boundary for a fresh one"
            )
        size = str(len(part.body)).encode()
        sizes = [value for name, value in part.headers if name.lower() == b"content-length"]
        if sizes not in ([], [size]):
            raise ValueError(f"Part.headers must have the content-length of the body, {size!r}, or none, not {sizes!r}")
        lines = [self._before, b"\r\n"]
        for name, value in part.headers if sizes else (*part.headers, (b"content-length", size)):
            check_field(name, value)
            lines += [name, b": ", value, b"\r\n"]
        return b"".join([*lines, b"\r\n", part.body, b"\r\n", self._dashed])


def _problem(failure: Failure) -> Part:
    problem: dict[str, object] = {"title": failure.message, "code": failure.code}
    if failure.id is not None:
        problem["id"] = failure.id
    if failure.retry:
        problem["retry"] = True
    return Part(json_text.dumps(problem), ((b"content-type", b"application/problem+json"),))


# Decode


class Decoder(BaseDecoder):
    """An incremental parser of one multipart body, as ``multipart_events.Parser``, into whole parts.

    A part comes out with the delimiter after it. *limit_bytes* bounds one part with its headers.
    """

    def __init__(self, boundary: str, limit_bytes: int = 1024 * 1024) -> None:
        self.limit_bytes = limit_bytes
        self._parser = Parser(_checked(boundary), limit_bytes)
        self._headers: PartHeaders = ()
        self._body = bytearray()
        self._head_bytes = 0  # with the empty line

    def feed(self, chunk: bytes) -> list[Part]:
        """Return the parts that *chunk* completes.

        Raises: TooLarge and NotMultipart, whose items are the parts that came before, and again at each further call.
        """
        self._check_fault()
        parts: list[Part] = []
        fault: Fault | None = None
        try:
            events: Sequence[object] = self._parser.feed(chunk)
        except NotMultipart as error:
            events, fault = error.items, partial(NotMultipart, str(error))
        except TooLarge as error:
            events, fault = error.items, partial(TooLarge, "the headers of a part", self.limit_bytes)
        for event in events:
            self._take(event, parts)
        if fault is not None:
            raise self._end_with(fault, parts)
        return parts

    def end(self) -> None:
        """Signal the end of the input. Raises: CutOff without close-delimiter; TooLarge, NotMultipart, as feed()."""
        self._check_fault()
        self._parser.end()

    def _take(self, event: object, parts: list[Part]) -> None:
        if event is None:
            parts.append(Part(bytes(self._body), self._headers))
            self._body.clear()
        elif isinstance(event, bytes):
            self._body += event
        else:
            self._headers = cast(PartHeaders, event)
            self._head_bytes = sum(len(name) + len(value) + 4 for name, value in self._headers) + 2
        if self._head_bytes + len(self._body) > self.limit_bytes:
            raise self._end_with(partial(TooLarge, "a part", self.limit_bytes), parts)
