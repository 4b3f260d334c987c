"""A request: a view of its scope and its inbox."""

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from reprlib import repr as short
from typing import Any

from rawasgi import headers as fields
from rawasgi import json_input
from rawasgi.asgi import HTTPScope
from rawasgi.connection import Connection
from rawasgi.errors import AppError, HTTPError
from rawasgi.formats.tokens import parse_parameters
from rawasgi.forms import MAX_HEADER_BYTES, Form, FormParts, boundary, parse
from rawasgi.inbox import Inbox
from rawasgi.streams.stepping import give_way

_UTF_8 = frozenset({"utf-8", "utf8", "us-ascii"})


class Request(Connection[HTTPScope]):
    """What the client wants: its head as a Connection has it, and its body."""

    _body: bytes | None = None
    _parts: list[bytes] | None = None  # what body() has read so far: it may be cut off, and called again
    _size_bytes = 0  # of _parts
    _streamed = False  # stream() has taken of the body

    def __init__(self, scope: HTTPScope, inbox: Inbox) -> None:
        self.scope = scope  # as Connection does, without another call
        self._inbox = inbox

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.path}>"

    @property
    def method(self) -> str:
        return self.scope["method"]

    @property
    def last_event_id(self) -> str | None:
        """The id after which an EventSource goes on, as UTF-8, or None. Spec: HTML, 9.2.4 "Last-Event-ID"."""
        value = fields.get(self.headers, b"last-event-id")
        return None if value is None else value.decode("utf-8", "replace")

    # The body

    async def stream(self, limit_bytes: int | None = None) -> AsyncGenerator[bytes, None]:
        """Yield the body as it comes, from its beginning also if ``body`` has read of it.

        Raises: HTTPError(413) at once if Content-Length is more than *limit_bytes*, else when more of them have come,
        before they are yielded; Disconnected if the client left before the end of the body.
        """
        read = self._reader(limit_bytes)
        while (chunk := await read()) is not None:
            yield chunk

    async def body(self, limit_bytes: int = 1024 * 1024) -> bytes:
        """Return the whole body; again each time.

        Raises: HTTPError(413) past *limit_bytes*, as ``stream``; Disconnected; AppError if ``stream`` has taken of it.
        """
        if self._streamed:
            raise AppError("body() must not be called after stream(), which has taken of the body: keep what it gave")
        self._check_length(limit_bytes)
        _check_size(self._size_bytes, limit_bytes)
        while self._body is None:
            chunk = await self._inbox.read()
            if chunk is None:
                self._body = b"".join(self._parts or ())
            else:
                if self._parts is None:
                    self._parts = []
                self._parts.append(chunk)
                self._size_bytes += len(chunk)
                _check_size(self._size_bytes, limit_bytes)
        return self._body

    async def json(self, limit_bytes: int = 1024 * 1024) -> Any:
        """Return the body read as JSON; its Content-Type is not looked at, but for a charset.

        Raises: HTTPError(400) if it is none, as for an empty body, for NaN, and for what is not UTF-8: its text says
        what is wrong and where; HTTPError(415) for another charset, as JSON has none; as ``body``.
        """
        _check_charset(self.header("content-type"))
        try:
            return json_input.decode(await self.body(limit_bytes))
        except ValueError as error:
            raise HTTPError(400, f"the body must be JSON (RFC 8259): {error}") from None

    async def form(self, limit_bytes: int = 1024 * 1024, *, max_fields: int = 1000) -> Form:
        """Return the body read as a form, with its files in memory; again each time. For large files: ``parts``.

        A file input for which no file was chosen is left out. Raises: HTTPError(415) if the Content-Type is neither
        application/x-www-form-urlencoded nor multipart/form-data; HTTPError(400) for what is malformed, for a field
        that is not UTF-8, and for more than *max_fields* fields and files; as ``body``.
        """
        return parse(await self.body(limit_bytes), self.headers, max_fields)

    def parts(
        self, limit_bytes: int | None = None, *, max_parts: int = 1000, max_header_bytes: int = MAX_HEADER_BYTES
    ) -> FormParts:
        """Return an iterator over the parts of a multipart/form-data body as they come.

        Each part is an iterator over its bytes, and has ``name``, ``filename``, ``media_type``, ``read`` and ``text``.
        Of the body, no more is kept than one chunk. The iterators need not be closed.

        Raises: HTTPError(415) at once if the Content-Type is another, HTTPError(400) if it has no boundary, and
        HTTPError(413) as ``stream``. At the part or the piece where it is found: HTTPError(400) for what is malformed,
        for more than *max_parts*, and if the body ends before its last boundary; HTTPError(413) past *limit_bytes* in
        all, and past *max_header_bytes* of one part; Disconnected.
        """
        return FormParts(self._reader(limit_bytes), boundary(self.headers), max_parts, max_header_bytes)

    def _reader(self, limit_bytes: int | None) -> Callable[[], Awaitable[bytes | None]]:
        """Return a function that returns the next chunk of the body from its beginning, None at its end."""
        if limit_bytes is not None:
            self._check_length(limit_bytes)
        parts = deque(self._parts or ())
        size_bytes = 0

        async def read() -> bytes | None:
            nonlocal size_bytes
            if parts:
                chunk: bytes | None = parts.popleft()
            else:
                chunk = await self._inbox.read()
                self._streamed = self._streamed or chunk is not None
            if chunk is not None:
                size_bytes += len(chunk)
                if limit_bytes is not None:
                    _check_size(size_bytes, limit_bytes)
            return chunk

        return read

    def _check_length(self, limit_bytes: int) -> None:
        length = self.header("content-length")
        if length is not None and length.isdecimal() and _exceeds(length, str(limit_bytes)):
            raise _too_large(limit_bytes)

    async def is_disconnected(self) -> bool:
        """Return whether the client has left; lets everything else run once.

        For a handler with ``cancel_on_disconnect=False``: any other is cancelled when its client disconnects, and the
        source of a stream is closed. False as long as more than 256 KiB of the body wait to be read: the server tells
        it only after the body.
        """
        self._inbox.poll()
        await give_way()
        return self._inbox.poll()


def _exceeds(digits: str, limit: str) -> bool:
    """Compare as text: int() raises for more than 4300 digits."""
    digits = digits.lstrip("0")
    return (len(digits), digits) > (len(limit), limit)


def _check_size(size_bytes: int, limit_bytes: int) -> None:
    if size_bytes > limit_bytes:
        raise _too_large(limit_bytes)


def _too_large(limit_bytes: int) -> HTTPError:
    return HTTPError(413, f"the body must not be longer than {limit_bytes} bytes")


def _check_charset(content_type: str | None) -> None:
    _, parameters = parse_parameters(content_type or "") or ("", [])
    for name, value in parameters:
        if name == "charset" and value.lower() not in _UTF_8:
            raise HTTPError(415, f"the body must be JSON in UTF-8 (RFC 8259, 8.1), not in {short(value)}")
