"""A request: a view of its scope and its inbox."""

import math
import re
from collections.abc import AsyncGenerator, Callable
from functools import cached_property
from typing import TypeVar, overload

from rawasgi import headers as fields
from rawasgi.asgi import Headers, HTTPScope
from rawasgi.errors import AppError, HTTPError
from rawasgi.formats import json_text
from rawasgi.inbox import Inbox
from rawasgi.streams.stepping import give_way

T = TypeVar("T")

_MISSING = object()
_TRUE, _FALSE = frozenset({"true", "1", "on", "yes", "t", "y"}), frozenset({"false", "0", "off", "no", "f", "n"})
_ESCAPES = re.compile(rb"(?:%[0-9A-Fa-f]{2})+")
_INTEGER = re.compile(r"[+-]?[0-9]{1,4000}")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


class Request:
    """What the client wants.

    Parameters come typed: ``request.query("delay", float, default=0.5)``. One that is missing or bad raises
    HTTPError(422), whose JSON says where it stands (loc), what it must be (msg) and what came (input).
    """

    _body: bytes | None = None
    _parts: list[bytes] | None = None  # what body() has read so far: it may be cut off, and called again
    _size_bytes = 0  # of _parts
    _streamed = False  # stream() has taken of the body

    def __init__(self, scope: HTTPScope, inbox: Inbox) -> None:
        self.scope = scope
        self._inbox = inbox

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.path}>"

    # The head

    @property
    def method(self) -> str:
        return self.scope["method"]

    @property
    def path(self) -> str:
        return self.scope["path"]

    @property
    def headers(self) -> Headers:
        return self.scope["headers"]

    @property
    def state(self) -> dict[str, object]:
        """What the lifespan left: see ``lifespans``; empty if the server has none."""
        return self.scope.get("state", {})

    def header(self, name: str) -> str | None:
        """Return the first value of the header *name*, as latin-1, or None."""
        value = fields.get(self.headers, name.encode("latin-1"))
        return None if value is None else value.decode("latin-1")

    @property
    def last_event_id(self) -> str | None:
        """The id after which an EventSource goes on, as UTF-8, or None. Spec: HTML, 9.2.4 "Last-Event-ID"."""
        value = fields.get(self.headers, b"last-event-id")
        return None if value is None else value.decode("utf-8", "replace")

    # Parameters

    @overload
    def query(self, name: str) -> str: ...
    @overload
    def query(self, name: str, type: Callable[[str], T], *, minimum: T | None = ..., maximum: T | None = ...) -> T: ...
    @overload
    def query(
        self, name: str, type: Callable[[str], T], default: T, *, minimum: T | None = ..., maximum: T | None = ...
    ) -> T: ...

    def query(
        self,
        name: str,
        type: Callable[[str], T] = str,  # type: ignore[assignment]
        default: object = _MISSING,
        *,
        minimum: T | None = None,
        maximum: T | None = None,
    ) -> object:
        """Return the query parameter *name* as *type*: str, int, float, bool, or a function of a str.

        That raises ValueError or ArithmeticError for a bad one. Of several of that name the last counts. Raises:
        HTTPError(422); HTTPError(400) for more than 1000 fields.
        """
        values = self._query.get(name)
        if values is None:
            if default is _MISSING:
                raise _unprocessable("query", name, "must be given", None)
            return default
        return _convert("query", name, values[-1], type, minimum, maximum)

    @cached_property
    def _query(self) -> dict[str, list[str]]:
        pairs = self.scope["query_string"].split(b"&")
        if len(pairs) > 1000:
            raise HTTPError(400, "the query must have at most 1000 fields")
        values: dict[str, list[str]] = {}
        for pair in pairs:
            if pair:
                name, _, value = pair.partition(b"=")
                values.setdefault(_unquote(name), []).append(_unquote(value))
        return values

    @overload
    def param(self, name: str) -> str: ...
    @overload
    def param(self, name: str, type: Callable[[str], T], *, minimum: T | None = ..., maximum: T | None = ...) -> T: ...

    def param(
        self,
        name: str,
        type: Callable[[str], T] = str,  # type: ignore[assignment]
        *,
        minimum: T | None = None,
        maximum: T | None = None,
    ) -> object:
        """Return the path parameter *name* as *type*, as ``query`` does. Raises: HTTPError(422); KeyError."""
        text = str(self.scope.get("path_params", {})[name])
        return _convert("path", name, text, type, minimum, maximum)

    # The body

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yield the body as it comes, from its beginning also if ``body`` has read of it. Raises: Disconnected if the
        client left before its end."""
        for part in self._parts or ():
            yield part
        while (chunk := await self._inbox.read()) is not None:
            self._streamed = True
            yield chunk

    async def body(self, limit_bytes: int = 1024 * 1024) -> bytes:
        """Return the whole body; again each time. Raises: HTTPError(413) past *limit_bytes*; Disconnected; AppError if
        ``stream`` has taken of it."""
        if self._streamed:
            raise AppError("body() must not be called after stream(), which has taken of the body: keep what it gave")
        length = self.header("content-length")
        if length is not None and length.isdecimal() and _exceeds(length, str(limit_bytes)):
            raise _too_large(limit_bytes)
        while self._size_bytes <= limit_bytes:
            if self._body is not None:
                return self._body
            chunk = await self._inbox.read()
            if chunk is None:
                self._body = b"".join(self._parts or ())
            else:
                if self._parts is None:
                    self._parts = []
                self._parts.append(chunk)
                self._size_bytes += len(chunk)
        raise _too_large(limit_bytes)

    async def json(self, limit_bytes: int = 1024 * 1024) -> object:
        """Return the body read as JSON. Raises: HTTPError(400) if it is none, as NaN, or not UTF-8; as ``body``."""
        body = await self.body(limit_bytes)
        try:
            return json_text.decode(body.removeprefix(b"\xef\xbb\xbf"))
        except ValueError:
            raise HTTPError(400, "the body must be JSON (RFC 8259)") from None

    async def is_disconnected(self) -> bool:
        """Return whether the client has left; lets everything else run once.

        For a handler with ``cancel_on_disconnect=False``: any other is cancelled when its client disconnects, and the
        source of a stream is closed. False as long as more than 256 KiB of the body wait to be read: the server tells
        it only after the body.
        """
        self._inbox.poll()
        await give_way()
        return self._inbox.poll()


def _unquote(raw: bytes) -> str:
    """As urllib.parse.unquote_plus, but for bytes, as curl leaves them; that takes 17 ms for 60 KB of %, and this 1."""
    raw = raw.replace(b"+", b" ")
    if b"%" in raw:
        raw = _ESCAPES.sub(lambda escapes: bytes.fromhex(escapes[0].replace(b"%", b"").decode()), raw)
    return raw.decode("utf-8", "replace")


def _exceeds(digits: str, limit: str) -> bool:
    """Compare as text: int() raises for more than 4300 digits."""
    digits = digits.lstrip("0")
    return (len(digits), digits) > (len(limit), limit)


def _too_large(limit_bytes: int) -> HTTPError:
    return HTTPError(413, f"the body must not be longer than {limit_bytes} bytes")


def _convert(
    where: str, name: str, text: str, type: Callable[[str], T], minimum: T | None, maximum: T | None
) -> object:
    try:
        value = _READERS.get(type, type)(text)
        below = minimum is not None and value < minimum  # type: ignore[operator]  # a bound is of a type with order
        above = maximum is not None and value > maximum  # type: ignore[operator]
    except (ValueError, ArithmeticError):  # decimal.InvalidOperation is no ValueError
        wanted = _WANTED.get(type) or f"a valid {getattr(type, '__name__', 'value')}"
        raise _unprocessable(where, name, f"must be {wanted}", text) from None
    if below:
        raise _unprocessable(where, name, f"must be {minimum} or more", text)
    if above:
        raise _unprocessable(where, name, f"must be {maximum} or less", text)
    return value


def _unprocessable(where: str, name: str, wanted: str, came: str | None) -> HTTPError:
    text = f"{where} parameter {name!r} {wanted}"
    return HTTPError(422, text, detail=[{"loc": [where, name], "msg": text, "input": came}])


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):  # int() also takes 1_0 and other scripts' digits
        raise ValueError(text)
    return int(text)


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text) or not math.isfinite(value := float(text)):
        raise ValueError(text)
    return value


def _boolean(text: str) -> bool:
    if (lower := text.lower()) in _TRUE:
        return True
    if lower in _FALSE:
        return False
    raise ValueError(text)


_READERS: dict[object, Callable[[str], object]] = {int: _integer, float: _number, bool: _boolean}
_WANTED: dict[object, str] = {int: "an integer", float: "a finite number", bool: "true or false"}
