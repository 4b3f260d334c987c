"""Starlette's responses, each a few lines over ``rawasgi.response.Response``."""

import http.cookies
from collections.abc import AsyncIterable, Iterable, Iterator, Mapping, MutableMapping
from datetime import datetime
from email.utils import format_datetime
from typing import Literal
from urllib.parse import quote

from rawasgi import headers as fields
from rawasgi import response, sending, streams
from rawasgi.app_types import AnyReceive, AnyScope, AnySend
from rawasgi.asgi import Receive, Scope, Send
from rawasgi.content_length import STATUSES_WITHOUT_LENGTH
from rawasgi.familiar.background import Background
from rawasgi.formats import json_text
from rawasgi.inbox import Inbox
from rawasgi.websocket import WebSocket


class MutableHeaders(MutableMapping[str, str]):
    """``response.headers``: a mapping over *raw*, its pairs of bytes; names in any case, a bad one is refused."""

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        self.raw: list[tuple[bytes, bytes]] = raw

    def __repr__(self) -> str:
        return f"MutableHeaders({self.raw!r})"

    def __getitem__(self, name: str) -> str:
        value = fields.get(self.raw, name.encode("latin-1"))
        if value is None:
            raise KeyError(name)
        return value.decode("latin-1")

    def __setitem__(self, name: str, value: str) -> None:
        ((raw_name, raw_value),) = fields.encode({name: value})
        self.raw[:] = fields.replace(self.raw, raw_name, raw_value)

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        self.raw[:] = [pair for pair in self.raw if pair[0] != name.lower().encode("latin-1")]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name.decode("latin-1") for name, _ in self.raw))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def append(self, name: str, value: str) -> None:
        """Add one more *name*, beside those that are there."""
        self.raw += fields.encode({name: value})

    def getlist(self, name: str) -> list[str]:
        return [value.decode("latin-1") for value in fields.getlist(self.raw, name.encode("latin-1"))]


class Response:
    """*content* as it is: str, bytes, bytearray or memoryview; a subclass may say ``media_type`` and ``render``."""

    media_type: str | None = None
    charset = "utf-8"
    _is_whole = True

    def __init__(
        self,
        content: object = None,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: Background | None = None,
    ) -> None:
        self.status_code = status_code
        if media_type is not None:
            self.media_type = media_type
        self.background = background
        self.body: bytes = self.render(content)
        self.raw_headers: list[tuple[bytes, bytes]] = fields.encode(headers)
        if self._is_whole and status_code not in STATUSES_WITHOUT_LENGTH:
            self.headers.setdefault("content-length", str(len(self.body)))
        if (kind := self.media_type) is not None:
            if kind.startswith("text/") and "charset=" not in kind.lower():
                kind += f"; charset={self.charset}"
            self.headers.setdefault("content-type", kind)

    @property
    def headers(self) -> MutableHeaders:
        return MutableHeaders(self.raw_headers)

    def render(self, content: object) -> bytes:
        """Return the body that *content* stands for."""
        if content is None:
            return b""
        return content.encode(self.charset) if isinstance(content, str) else sending.encode(content)

    async def __call__(self, scope: AnyScope, receive: AnyReceive, send: AnySend) -> None:
        """Send the response, then do the work in ``background``, also when the client left; not after an error.

        Sends: as ``rawasgi.response.Response``; to a websocket, the denial of its handshake. Closes: what is streamed.
        """
        await self._answer(scope, receive, send)
        if self.background is not None:
            await self.background()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = response.Response(self._what(), self.status_code, tuple(fields.encode(self.raw_headers)))
        if scope["type"] == "websocket":
            await WebSocket(scope, receive, send).deny_with(answer)
        else:
            inbox = Inbox.of(receive)
            inbox.answered = False  # a handler takes what is not a response.Response for answered from the start
            await answer(scope, inbox, send)

    def _what(self) -> bytes | sending.Streaming:
        return self.body

    def set_cookie(
        self,
        key: str,
        value: str = "",
        max_age: int | None = None,
        expires: datetime | str | int | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: Literal["lax", "strict", "none"] | None = "lax",
        partitioned: bool = False,
    ) -> None:
        """Add a Set-Cookie. Raises: ValueError for what would end an attribute. Spec: RFC 6265, 4.1."""
        cookie: http.cookies.SimpleCookie = http.cookies.SimpleCookie({key: value})
        if samesite is not None and samesite.lower() not in ("lax", "strict", "none"):
            raise ValueError(f"the samesite of a cookie must be lax, strict, none or None, not {samesite!r}")
        when = format_datetime(expires, usegmt=True) if isinstance(expires, datetime) else expires
        attributes = {"max-age": max_age, "expires": when, "path": path, "domain": domain, "samesite": samesite}
        for name, said in attributes.items():
            if isinstance(said, str) and ";" in said:
                raise ValueError(f"the {name} of a cookie must not hold a semicolon, which ends it: {said!r}")
            if said is not None:
                cookie[key][name] = said
        cookie[key]["secure"] = secure
        cookie[key]["httponly"] = httponly
        # CHIPS; http.cookies knows it since Python 3.14
        self.headers.append("set-cookie", cookie.output(header="").strip() + "; Partitioned" * partitioned)

    def delete_cookie(
        self,
        key: str,
        path: str = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: Literal["lax", "strict", "none"] | None = "lax",
        partitioned: bool = False,
    ) -> None:
        """Have the client forget a cookie: path and domain must be those it was set with."""
        self.set_cookie(key, "", 0, 0, path, domain, secure, httponly, samesite, partitioned)


class PlainTextResponse(Response):
    media_type: str | None = "text/plain"


class HTMLResponse(Response):
    media_type: str | None = "text/html"


class JSONResponse(Response):
    """*content* as JSON, as small as it goes. Raises: ValueError for NaN and Infinity, which JSON does not have."""

    media_type: str | None = "application/json"

    def render(self, content: object) -> bytes:
        return json_text.dumps(content)


class RedirectResponse(Response):
    """Send the client to *url*, which is percent-encoded where it must be."""

    def __init__(
        self,
        url: object,
        status_code: int = 307,
        headers: Mapping[str, str] | None = None,
        background: Background | None = None,
    ) -> None:
        super().__init__(b"", status_code, headers, None, background)
        self.headers["location"] = quote(str(url), safe=":/%#?=@[]!$&'()*+,;")


class StreamingResponse(Response):
    """*content* as it comes: an async iterable, or a plain one, which then runs in a thread of its own.

    ``join``: items that are ready together leave in one message; False sends each in its own, as Starlette does.
    """

    join = True
    _is_whole = False

    def __init__(
        self,
        content: AsyncIterable[object] | Iterable[object],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: Background | None = None,
    ) -> None:
        super().__init__(None, status_code, headers, media_type, background)
        self._content = content if isinstance(content, AsyncIterable) else streams.from_thread(content)
        self.body_iterator: AsyncIterable[object] = self._content

    def _what(self) -> sending.Streaming:
        return sending.Streaming(self._items(), self.join, encode=self._encode)

    def _encode(self, chunk: object) -> bytes:
        return chunk.encode(self.charset) if isinstance(chunk, str) else sending.encode(chunk)

    def _items(self) -> streams.Stream[object]:
        """What is to be sent now; it closes *content* also when something else was put around it."""
        items = aiter(self.body_iterator)
        others = {id(source): source for source in (self._content, self.body_iterator) if source is not items}
        return streams.Stream(items, *others.values())
