"""What a server may offer beyond the plain messages, as apps around an app; and what is done where it does not.

Spec: "Extensions". A server says in ``scope["extensions"]`` what it offers; most offer nothing.
"""

import base64
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Protocol, cast

from rawasgi import headers as fields
from rawasgi.asgi import App, Header, HTTPResponseStart, HTTPScope, Receive, Scope, Send, Sent

_SENT_BY_SERVER = ("http.response.pathsend", "http.response.zerocopysend")
_BODILESS = frozenset({204, 205, 304})
# They say how to read the message, where it goes, or who may: too late when it is over (RFC 9110, 6.5.1).
_NO_TRAILERS = frozenset(
    b"authorization cache-control connection content-encoding content-length content-location content-range"
    b" content-type cookie expect host if-match if-none-match location max-forwards pragma proxy-authenticate"
    b" proxy-authorization range retry-after set-cookie te trailer transfer-encoding upgrade vary"
    b" www-authenticate".split()
)


def offers(scope: Scope, name: str) -> bool:
    """Return whether the server offers the extension *name*, as ``"http.response.trailers"``."""
    return name in _offered(scope)


def _offered(scope: Scope) -> dict[str, dict[str, object]]:
    return {} if scope["type"] == "lifespan" else scope.get("extensions") or {}


# Early hints and push


def early_hints(app: App, links: Iterable[str]) -> App:
    """Return *app* with *links* told before it begins, so that the client loads what the answer will need.

    *links*: Link values, as ``"</style.css>; rel=preload; as=style"`` (RFC 8288, 3). Sends: http.response.early_hint,
    where it is offered; in any case they stand in the answer, too (RFC 8297, 2). Spec: extensions, "Early Hints".
    """
    pairs = fields.encode([("link", link) for link in links])

    async def hinting(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        if offers(scope, "http.response.early_hint"):
            # Hypercorn and uvicorn take hints only before the start, as the spec has it since asgiref 3.13.
            with suppress(OSError):  # the client left: the app is to learn it in its own way
                await send({"type": "http.response.early_hint", "links": [value for _, value in pairs]})
        await app(scope, receive, _with_headers(send, pairs))

    return hinting


def push(app: App, paths: Iterable[str], headers: Iterable[tuple[str, str]] = ()) -> App:
    """Return *app*, which pushes *paths* with an answer that is a success: the client gets them before it asks.

    *headers*: of the requests that they would have been. Sends: http.response.push, after the start; where it is not
    offered, a Link header with rel=preload instead. Spec: extensions, "HTTP/2 Server Push"; RFC 9113, 8.4.
    """
    pushed = list(paths)
    asked = fields.encode(headers)
    links = fields.encode([("link", f"<{path}>; rel=preload") for path in pushed])

    async def pushing(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
        elif not offers(scope, "http.response.push") or scope["method"] == "HEAD":
            await app(scope, receive, _with_headers(send, links))
        else:
            await app(scope, receive, lambda message: promise(message, send))

    def promise(message: Sent, send: Send) -> Awaitable[None]:
        if message["type"] == "http.response.start" and 200 <= message["status"] <= 299:
            return promised(message, send)
        return send(message)

    async def promised(start: HTTPResponseStart, send: Send) -> None:
        await send(start)
        for path in pushed:
            await send({"type": "http.response.push", "path": path, "headers": asked})

    return pushing


def _with_headers(send: Send, pairs: Sequence[Header]) -> Send:
    def sending(message: Sent) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *pairs]}
        return send(message)

    return sending


# Trailers


class Trailer(Protocol):
    """What makes trailer fields while one body passes: *names* of the fields, and whether it must see the body."""

    names: tuple[bytes, ...]
    sees_body: bool

    def feed(self, body: bytes) -> None:
        """Take the next piece of the body, which may be empty."""

    def fields(self) -> Iterable[tuple[bytes, bytes]]:
        """Return the fields, when the body is over."""


class ContentDigest:
    """``content-digest``: the SHA-256 of what was sent (RFC 9530, 2). Outside of ``compress``, it is of the coding."""

    names: tuple[bytes, ...] = (b"content-digest",)
    sees_body = True

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def feed(self, body: bytes) -> None:
        self._hash.update(body)

    def fields(self) -> list[tuple[bytes, bytes]]:
        return [(b"content-digest", b"sha-256=:" + base64.b64encode(self._hash.digest()) + b":")]


class ServerTiming:
    """``server-timing``: milliseconds from the request to the first byte and to the last (W3C Server Timing, 2)."""

    names: tuple[bytes, ...] = (b"server-timing",)
    sees_body = False

    def __init__(self) -> None:
        self._begun = monotonic()
        self._first: float | None = None

    def feed(self, body: bytes) -> None:
        if self._first is None and body:
            self._first = monotonic()

    def fields(self) -> list[tuple[bytes, bytes]]:
        now = monotonic()
        first, total = ((at - self._begun) * 1000 for at in (self._first or now, now))
        return [(b"server-timing", b"first;dur=%.1f, total;dur=%.1f" % (first, total))]


def trailers(app: App, *makers: Callable[[], Trailer]) -> App:
    """Return *app* with the fields of *makers* after each body, for a client that asks with ``te: trailers``.

    Sends: http.response.start with trailers and a Trailer header, then, after the last body message, the fields in
    http.response.trailers; those of the app itself go with them. Where trailers are not offered or not asked for, or
    there is no body, nothing is changed and the fields are lost; after an error they are not sent. A maker that must
    see the body keeps the server from sending files by itself. Raises: ValueError for a field that is not allowed
    there. Spec: extensions, "HTTP Trailers"; RFC 9110, 6.5, 6.6.2, 10.1.4.
    """
    # A maker may be a class, which has its names itself, or a function, which must be asked.
    first = [maker() for maker in makers]
    names = [name for maker in first for name in maker.names]
    for name in names:
        if name in _NO_TRAILERS:
            raise ValueError(f"{name.decode()} must not come after the body (RFC 9110, 6.5.1): send it as a header")
    sees_body = any(maker.sees_body for maker in first)

    async def trailing(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _wants_trailers(scope):
            await app(scope, receive, send)
            return
        if sees_body:
            scope = scope.copy()
            scope["extensions"] = {name: of for name, of in _offered(scope).items() if name not in _SENT_BY_SERVER}
        await app(scope, receive, _Trailing(send, b", ".join(names), [maker() for maker in makers]).send)

    return trailing


def _wants_trailers(scope: HTTPScope) -> bool:
    # Hypercorn 0.18 offers them over HTTP/3, and then sends one DATA more, which aioquic refuses: nobody gets an end.
    if not offers(scope, "http.response.trailers") or scope["method"] == "HEAD" or scope["http_version"] == "3":
        return False
    listed = b",".join(fields.getlist(scope["headers"], b"te")).lower().split(b",")
    return b"trailers" in [element.strip(b" \t") for element in listed]


class _Trailing:
    """One response whose body is watched. ``send`` is no coroutine: each one above a source costs every item."""

    def __init__(self, send: Send, names: bytes, makers: Sequence[Trailer]) -> None:
        self._send = send
        self._names = names
        self._makers = makers
        self._own = False  # the app sends trailers itself
        self._has_body = False

    def send(self, message: Sent) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            if message["status"] in _BODILESS:
                return self._send(message)
            self._has_body = True
            self._own = message.get("trailers", False)
            named = (b"trailer", self._names)
            return self._send({**message, "headers": [*message.get("headers", ()), named], "trailers": True})
        if message["type"] == "http.response.body" and self._has_body:
            for maker in self._makers:
                maker.feed(message.get("body", b""))
        if message["type"] == "http.response.trailers" and self._own and not message.get("more_trailers", False):
            return self._send({**message, "headers": [*message.get("headers", ()), *self._fields()]})
        if self._has_body and not self._own and _is_last(message):
            return self._end(message)
        return self._send(message)

    async def _end(self, message: Sent) -> None:
        await self._send(message)
        await self._send({"type": "http.response.trailers", "headers": self._fields(), "more_trailers": False})

    def _fields(self) -> list[tuple[bytes, bytes]]:
        return [pair for maker in self._makers for pair in maker.fields()]


def _is_last(message: Sent) -> bool:
    if message["type"] == "http.response.body" or message["type"] == "http.response.zerocopysend":
        return not message.get("more_body", False)
    return message["type"] == "http.response.pathsend"


# For those who look


def debug(app: App, info: Callable[[], dict[str, object]]) -> App:
    """Return *app*, which tells *info()* before it answers, where somebody listens: test clients do, servers do not.

    Sends: http.response.debug, before the start. Spec: extensions, "Debug".
    """

    async def debugging(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and offers(scope, "http.response.debug"):
            await app(scope, receive, lambda message: tell(message, send))
        else:
            await app(scope, receive, send)

    def tell(message: Sent, send: Send) -> Awaitable[None]:
        return told(message, send) if message["type"] == "http.response.start" else send(message)

    async def told(start: HTTPResponseStart, send: Send) -> None:
        await send({"type": "http.response.debug", "info": info()})
        await send(start)

    return debugging


@dataclass(frozen=True, slots=True)
class TLS:
    """The connection's TLS; None for what the server does not know. Certificates are PEM. Spec: "TLS Extension" 0.2."""

    server_cert: str | None = None
    client_cert_chain: tuple[str, ...] = ()
    client_cert_name: str | None = None  # RFC 4514
    client_cert_error: str | None = None
    tls_version: int | None = None
    cipher_suite: int | None = None

    @property
    def version(self) -> str | None:
        """The version by its name, as ``"TLSv1.3"``."""
        if self.tls_version is None:
            return None
        names = {0x0300: "SSLv3", 0x0301: "TLSv1", 0x0302: "TLSv1.1", 0x0303: "TLSv1.2", 0x0304: "TLSv1.3"}
        return names.get(self.tls_version, f"0x{self.tls_version:04x}")


def tls(scope: Scope) -> TLS | None:
    """Return what the server says of the TLS of this connection; None without TLS, and where it says nothing."""
    told = _offered(scope).get("tls")
    if told is None:
        return None
    facts = {name: told[name] for name in TLS.__slots__ if told.get(name) is not None}
    facts["client_cert_chain"] = tuple(cast(Iterable[str], facts.get("client_cert_chain", ())))
    return TLS(**facts)  # type: ignore[arg-type]  # the server's to get right
