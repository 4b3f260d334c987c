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

The close-delimiter is the end mark. The decoder searches each body once: a feed looks again at no more than the bytes
which may have begun a delimiter.
"""

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from reprlib import repr as short
from typing import NoReturn, TypeAlias

from rawasgi.formats import json_text
from rawasgi.formats.decoding import BaseDecoder
from rawasgi.formats.endings import CutOff, Done, Failure
from rawasgi.formats.limits import TooLarge
from rawasgi.formats.tokens import TOKEN, check_field, parse_parameters

_Step: TypeAlias = "Callable[[Decoder, list[Part]], bool]"

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_PADDING = re.compile(rb"[ \t]*")


@dataclass(frozen=True, slots=True)
class Part:
    """One part. A Decoder gives the names of its *headers* in lowercase."""

    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


class NotMultipart(ValueError):
    """The stream is no multipart body with this boundary; *items* were complete before that, in the same feed."""

    def __init__(self, message: str, parts: Sequence[object]) -> None:
        super().__init__(message)
        self.items = parts


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
    """An incremental parser of one multipart body.

    A part comes out with the delimiter after it. What stands before the first delimiter and after the close-delimiter
    is ignored, so is white space after a boundary; a part may have no headers, or no body. *limit_bytes* bounds one
    part with its headers. What is not as in RFC 2046, 5.1.1, ends the decoder.
    """

    def __init__(self, boundary: str, limit_bytes: int = 1024 * 1024) -> None:
        self.limit_bytes = limit_bytes
        self._delimiter = b"\r\n--" + _checked(boundary).encode()
        self._step: _Step | None = Decoder._preamble  # says whether there may be more to read; None: after the end
        self._rest = bytearray(b"\r\n")  # the first delimiter may be the first line
        self._searched = 0  # of the rest

    def feed(self, chunk: bytes) -> list[Part]:
        """Return the parts that *chunk* completes.

        Raises: TooLarge and NotMultipart, whose items are the parts that came before, and again at each further call.
        """
        self._check_fault()
        parts: list[Part] = []
        if self._step is not None:
            self._rest += chunk
        while self._step is not None and self._step(self, parts):
            pass
        return parts

    def end(self) -> None:
        """Hear that the stream ended. Raises: CutOff without close-delimiter; TooLarge, NotMultipart, as feed()."""
        self._check_fault()
        if self._step is not None:
            rule = "a multipart body must end with its close-delimiter, and this stream ended before"
            raise self._end_with(partial(CutOff, f"{rule}: what came is not all"), [])

    def _preamble(self, parts: list[Part]) -> bool:
        at = self._find()
        if at < 0:
            del self._rest[: self._searched]
            self._searched = 0
            return False
        self._take(at)
        return True

    def _part(self, parts: list[Part]) -> bool:
        at = self._find()
        if (self._searched if at < 0 else at) > self.limit_bytes:
            raise self._end_with(partial(TooLarge, "a part", self.limit_bytes), parts)
        if at < 0:
            return False
        parts.append(self._read(self._take(at), parts))
        return True

    def _boundary(self, parts: list[Part]) -> bool:
        """After a boundary: two hyphens close the body."""
        if self._rest.startswith(b"--"):
            self._step = None
            self._rest.clear()
            return False
        if self._rest == b"" or self._rest == b"-":
            return False
        self._step = Decoder._padding
        return True

    def _padding(self, parts: list[Part]) -> bool:
        padding = _PADDING.match(self._rest)
        assert padding is not None  # it takes nothing, too
        del self._rest[: padding.end()]
        if self._rest == b"" or self._rest == b"\r":
            return False
        if not self._rest.startswith(b"\r\n"):
            # The RFC lets a reader take this for a delimiter, or for a sender that only avoids the whole line.
            self._refuse("after a boundary there must be -- or the end of the line", bytes(self._rest[:40]), parts)
        del self._rest[:2]
        self._step = Decoder._part
        return True

    def _find(self) -> int:
        """Return where the next delimiter begins, or -1; then before *_searched* none does."""
        at = self._rest.find(self._delimiter, self._searched)
        self._searched = 0 if at >= 0 else max(0, len(self._rest) - len(self._delimiter) + 1)
        return at

    def _take(self, at: int) -> bytes:
        text = bytes(self._rest[:at])
        del self._rest[: at + len(self._delimiter)]
        self._step = Decoder._boundary
        return text

    def _read(self, text: bytes, parts: list[Part]) -> Part:
        if text.startswith(b"\r\n"):
            return Part(text[2:])
        head, _, body = text.partition(b"\r\n\r\n")
        # A line that begins with white space goes on with the one before (RFC 5322, 2.2.3).
        lines = head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b"\t").split(b"\r\n")
        headers = []
        for line in filter(None, lines):
            name, colon, value = line.partition(b":")
            value = value.strip(b" \t")
            try:
                check_field(name if colon else b"", value)
            except ValueError:
                self._refuse("a header of a part must be a name, a colon and one line", line, parts)
            headers.append((name.lower(), value))
        return Part(body, tuple(headers))

    def _refuse(self, rule: str, text: bytes, parts: list[Part]) -> NoReturn:
        message = f"{rule}, not {short(text)}: the sender has to mend it"
        raise self._end_with(partial(NotMultipart, message), parts)
