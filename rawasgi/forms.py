"""Forms: their fields and files, as they come, or whole.

Spec: RFC 7578 "multipart/form-data"; HTML, 4.10.21.8 "Multipart form data", for what browsers send; URL, 5
"application/x-www-form-urlencoded".

Theory of operation
-------------------
``FormParts`` reads the body only when it is asked for a part or for a piece of one. So a handler that is slow holds the
client back, and what is kept is of one chunk. A part that is not read to its end is skipped when the next one is asked
for. Neither has anything to close, and a cancelled wait loses nothing.
"""

import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from reprlib import repr as short
from typing import Any, TypeVar, cast, overload
from urllib.parse import unquote

from rawasgi import headers as header_fields
from rawasgi import parameters
from rawasgi.asgi import Headers
from rawasgi.errors import AppError, HTTPError
from rawasgi.formats.endings import CutOff
from rawasgi.formats.limits import TooLarge
from rawasgi.formats.multipart import boundary_of
from rawasgi.formats.multipart_events import Event, NotMultipart, Parser, PartHeaders
from rawasgi.formats.tokens import parse_parameters

T = TypeVar("T")
D = TypeVar("D")

_MULTIPART, _URLENCODED = "multipart/form-data", "application/x-www-form-urlencoded"
MAX_HEADER_BYTES = 16 * 1024
# What stands in a quoted name: httpx and older versions of curl escape these two, a browser neither.
_ESCAPED = re.compile(r'\\(["\\])')
_DOUBLED = re.compile(r"(\\)\\(?:\\\\)?")  # the same where each backslash was doubled
_PERCENT = re.compile("%(?:22|0D|0A)")  # what a browser writes for a quote and the ends of lines


# As it comes


class FormPart(AsyncIterator[bytes]):
    """One part of a form: a field, or a file. Iterate over it for its body, in pieces.

    *name*: of the field. *filename*: what the client calls the file, without a path to be trusted; "" if no file was
    chosen; None for a field. *media_type*: of its Content-Type, in lowercase; "text/plain" without one. *headers*: all
    that it has, with names in lowercase. Raises: as FormParts; AppError if the next part was asked for before its end.
    """

    def __init__(self, parts: "FormParts", headers: PartHeaders) -> None:
        self.name: str
        self.filename: str | None
        self.media_type: str
        self.name, self.filename, self.media_type = _described(headers)
        self.headers: PartHeaders = headers
        self.is_complete = False
        self._parts: FormParts = parts

    def __repr__(self) -> str:
        return f"<FormPart {self.name!r}{'' if self.filename is None else f' {self.filename!r}'}>"

    async def __anext__(self) -> bytes:
        piece = await self._parts.next_piece(self)
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def read(self, limit_bytes: int = 64 * 1024) -> bytes:
        """Return the rest of the body. Raises: HTTPError(413) past *limit_bytes*; as an iteration."""
        body = bytearray()
        async for piece in self:
            if len(body) + len(piece) > limit_bytes:
                raise HTTPError(413, f"the part {short(self.name)} must not be longer than {limit_bytes} bytes")
            body += piece
        return bytes(body)

    async def text(self, limit_bytes: int = 64 * 1024) -> str:
        """Return the rest of the body, which is UTF-8. Raises: HTTPError(400) if it is not; as ``read``."""
        return _decoded(self.name, await self.read(limit_bytes))


class FormParts(AsyncIterator[FormPart]):
    """The parts of a multipart/form-data body, in their order, as they come: see ``Request.parts``.

    *read* returns the next chunk of the body, None at its end.
    """

    def __init__(
        self, read: Callable[[], Awaitable[bytes | None]], boundary: str, max_parts: int, max_header_bytes: int
    ) -> None:
        self._read: Callable[[], Awaitable[bytes | None]] = read
        self._parser = Parser(boundary, max_header_bytes)
        self._events: deque[Event] = deque()
        self._error: HTTPError | None = None  # after the events
        self._part: FormPart | None = None  # until its end was given out
        self._count = 0
        self._max_parts = max_parts

    async def __anext__(self) -> FormPart:
        while self._part is not None:  # skip what was not read
            await self._fill()
            if self._events.popleft() is None:
                self._part = None
        if not await self._fill():
            raise StopAsyncIteration
        headers = cast(PartHeaders, self._events.popleft())
        self._count += 1
        try:
            _check_count(self._count, self._max_parts)
            self._part = FormPart(self, headers)
        except HTTPError as error:
            self._events.clear()
            self._error = error
            raise
        return self._part

    async def next_piece(self, part: FormPart) -> bytes | None:
        """Return the next piece of the body of *part*, None at its end."""
        if part.is_complete:
            return None
        if part is not self._part:
            raise AppError(f"{part!r} must be read before the next part is asked for, which skips it")
        await self._fill()  # there is one, as the end of the part has not come
        if (piece := cast("bytes | None", self._events.popleft())) is None:
            part.is_complete = True
            self._part = None
        return piece

    async def _fill(self) -> bool:
        """Have an event ready; return False at the end of the form."""
        while not self._events:
            if self._error is not None:
                raise self._error
            if self._parser.is_complete:
                return False
            events, self._error = _parsed(self._parser, await self._read())
            self._events.extend(events)
        return True


# The whole form


@dataclass(frozen=True, slots=True)
class FormFile:
    """A file of a form, in memory; *filename* is what the client calls it, without a path to be trusted."""

    filename: str
    media_type: str
    body: bytes


class Form:
    """The *fields* and the *files* of a form by their names, each in its order.

    A field comes typed, as a parameter of a query does: ``form.field("age", int, minimum=0)``.
    """

    def __init__(self) -> None:
        self.fields: dict[str, list[str]] = {}
        self.files: dict[str, list[FormFile]] = {}

    def __repr__(self) -> str:
        return f"<Form {[*self.fields, *self.files]}>"

    @overload
    def field(self, name: str) -> str: ...
    @overload
    def field(self, name: str, *, default: D) -> str | D: ...
    @overload
    def field(self, name: str, type: Callable[[str], T], *, minimum: T | None = ..., maximum: T | None = ...) -> T: ...
    @overload
    def field(
        self, name: str, type: Callable[[str], T], default: T, *, minimum: T | None = ..., maximum: T | None = ...
    ) -> T: ...

    def field(
        self,
        name: str,
        type: Callable[[str], T] = str,  # type: ignore[assignment]
        default: object = parameters.MISSING,
        *,
        minimum: T | None = None,
        maximum: T | None = None,
    ) -> Any:
        """Return the field *name* as *type*, as ``Request.query`` does. Raises: HTTPError(422)."""
        return parameters.one("form", self.fields, name, type, default, minimum, maximum)

    def file(self, name: str) -> FormFile | None:
        """Return the first file of the field *name*; None if none was chosen."""
        return next(iter(self.files.get(name, ())), None)


def parse(body: bytes, headers: Headers, max_fields: int) -> Form:
    """Return the form that *body* holds, of a request with *headers*: see ``Request.form``."""
    form = Form()
    media_type = header_fields.media_type(headers)
    if media_type == _URLENCODED:
        form.fields = parameters.parse_query(body, max_fields, "form")
        return form
    if media_type != _MULTIPART:
        raise HTTPError(415, f"the body must be {_URLENCODED} or {_MULTIPART}, not {short(media_type)}")
    parser = Parser(boundary(headers), MAX_HEADER_BYTES)
    events, error = _parsed(parser, body)
    if error is None:
        _, error = _parsed(parser, None)
    if error is not None:
        raise error
    _check_count(events.count(None), max_fields)
    pieces: list[bytes] = []
    for event in events:
        if isinstance(event, tuple):
            name, filename, media_type = _described(event)
        elif event is not None:
            pieces.append(event)
        else:
            content = b"".join(pieces)
            pieces.clear()
            if filename is None:
                form.fields.setdefault(name, []).append(_decoded(name, content))
            elif filename or content:
                form.files.setdefault(name, []).append(FormFile(filename, media_type, content))
    return form


# Both


def boundary(headers: Headers) -> str:
    """Return the boundary of a form. Raises: HTTPError(415) for no multipart/form-data, HTTPError(400) without one."""
    media_type = header_fields.media_type(headers)
    if media_type != _MULTIPART:
        raise HTTPError(415, f"the body must be {_MULTIPART}, not {short(media_type)}")
    try:
        return boundary_of(header_fields.get(headers, b"content-type") or b"")
    except ValueError as error:
        raise HTTPError(400, str(error)) from None


def _parsed(parser: Parser, chunk: bytes | None) -> tuple[list[Event], HTTPError | None]:
    """Return the events of *chunk*, None for the end of the body, and what is wrong after them."""
    try:
        if chunk is not None:
            return parser.feed(chunk), None
        parser.end()
        return [], None
    except TooLarge as error:
        refusal = HTTPError(413, f"the headers of a part must fit in {error.limit_bytes} bytes")
        return cast("list[Event]", error.items), refusal
    except NotMultipart as error:
        return cast("list[Event]", error.items), HTTPError(400, f"the body must be {_MULTIPART}: {error}")
    except CutOff:
        return [], HTTPError(400, f"the body must be {_MULTIPART}, and ended before its last boundary")


def _described(headers: PartHeaders) -> tuple[str, str | None, str]:
    """Return the name, the filename and the media type of a part.

    ``filename*`` is not allowed (RFC 7578, 4.2), but some clients have nothing else for a name that is not ASCII.
    """
    disposition = (header_fields.get(headers, b"content-disposition") or b"").decode("utf-8", "replace")
    found = parse_parameters(disposition, _ESCAPED)
    if found is None:  # a browser's name may end with a backslash, which then seems to escape the quote after it
        found = parse_parameters(disposition.replace("\\", "\\\\"), _DOUBLED)
    kind, pairs = found or ("", [])
    values = dict(reversed(pairs))
    name, filename = values.get("name"), values.get("filename")
    if kind.lower() != "form-data" or name is None:
        raise HTTPError(400, f"each part of {_MULTIPART} must have a Content-Disposition: form-data with a name")
    if filename is None and "filename*" in values:
        filename = unquote(values["filename*"].rpartition("'")[2])
    elif filename is not None:
        filename = _unescaped(filename)
    return _unescaped(name), filename, header_fields.media_type(headers) or "text/plain"


def _unescaped(name: str) -> str:
    return _PERCENT.sub(lambda found: unquote(found[0]), name)


def _decoded(name: str, body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise HTTPError(400, f"the field {short(name)} must be UTF-8, and byte {error.start + 1} is not") from None


def _check_count(count: int, max_parts: int) -> None:
    if count > max_parts:
        raise HTTPError(400, f"the form must have at most {max_parts} fields")
