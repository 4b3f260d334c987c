"""Fields after the content, for what only its end can tell. Spec: extensions, "HTTP Trailers"; RFC 9110, 6.5."""

from base64 import b64encode
from collections.abc import Callable, Iterable
from hashlib import sha256
from time import monotonic
from typing import Protocol, TypeAlias

from rawasgi import headers as fields
from rawasgi.asgi import App, HTTPScope, Receive, Scope, Send, Sent
from rawasgi.content_length import STATUSES_WITHOUT_BODY
from rawasgi.extensions import offers
from rawasgi.formats.tokens import check_field
from rawasgi.servers import sends_trailers

Pairs: TypeAlias = Iterable[tuple[bytes, bytes]]


class Trailing(Protocol):
    """What makes trailer fields of one response.

    *names*: of its fields, in lowercase. *sees_body*: whether feed() must be given all of the content; files are then
    not sent by path or descriptor.
    """

    names: tuple[bytes, ...]
    sees_body: bool

    def feed(self, body: bytes, /) -> None:
        """Take the next piece of the content, before it is sent."""

    def fields(self) -> Pairs:
        """Return the fields; the whole content was sent."""


Maker: TypeAlias = Callable[[], Trailing]

_FILES = ("http.response.pathsend", "http.response.zerocopysend")
# Framing, routing, request modifiers, authentication, response controls; content format is all of content-*, but what
# is defined for trailers. Spec: RFC 9110, 6.5.1; content-digest: RFC 9530, 2.
_NOT_TRAILERS = frozenset(
    b"connection keep-alive proxy-connection te trailer transfer-encoding upgrade host via max-forwards expect range "
    b"if-match if-none-match if-modified-since if-unmodified-since if-range authorization www-authenticate "
    b"authentication-info proxy-authorization proxy-authenticate proxy-authentication-info cookie set-cookie age "
    b"cache-control expires date location retry-after vary warning pragma accept-ranges link".split()
)


def trailers(app: App, *makers: Maker) -> App:
    """Return *app* with the fields of what *makers* make after the content of its answer.

    Only if offered, the request has ``te: trailers`` (RFC 9110, 10.1.4), and it does not come by HTTP/3, where they
    break (``servers.sends_trailers``); else *app* is left alone, and the fields are lost: nobody can know them before
    the content. Sends: http.response.start with ``trailers`` and a ``trailer`` field of the names (RFC 9110, 6.6.2),
    the content as it comes,
    http.response.trailers; the app's own trailers come before these, in the same message. None after the answer to
    HEAD, a 204, 205 or 304; with a Content-Length before HTTP/2, where only chunks can have them (RFC 9112, 7.1.2);
    nor if the app fails: half a content has no digest. Raises: ValueError for names that may not be in trailers (RFC
    9110, 6.5.1); for them each maker is called once.
    """
    for make in makers:
        for name in make().names:
            check_field(name, b"")
            if name != name.lower():
                raise ValueError(f"the name of a trailer must be lowercase, not {name!r}: lower() it")
            if name in _NOT_TRAILERS or (name.startswith(b"content-") and name != b"content-digest"):
                raise ValueError(f"a trailer must not be {name.decode()} (RFC 9110, 6.5.1): send it as a header")

    async def trailed(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] == "HEAD" or not _takes_trailers(scope):
            await app(scope, receive, send)
            return
        made = [make() for make in makers]
        sending = _Trailed(made, scope["http_version"] < "2", send)
        if any(each.sees_body for each in made):
            offered = scope.get("extensions") or {}
            scope = scope.copy()
            scope["extensions"] = {name: value for name, value in offered.items() if name not in _FILES}
        await app(scope, receive, sending)

    return trailed


def _takes_trailers(scope: HTTPScope) -> bool:
    te = (fields.joined(scope["headers"], b"te") or b"").replace(b"*", b"")  # which is no wildcard here
    is_offered = offers(scope, "http.response.trailers") and sends_trailers(scope["http_version"])
    return is_offered and fields.accepts(te, ["trailers"]) is not None


class _Trailed:
    """The ``send`` of one response with trailers."""

    def __init__(self, made: list[Trailing], in_chunks: bool, send: Send) -> None:
        self._made = made
        self._in_chunks = in_chunks
        self._send = send
        self._due = False  # they were promised
        self._own = False  # the app has its own message for them

    async def __call__(self, message: Sent) -> None:
        last = False
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            framed = self._in_chunks and fields.get(headers, b"content-length") is not None
            self._due = message["status"] not in STATUSES_WITHOUT_BODY and not framed
            self._own = message.get("trailers", False)
            if self._due:
                names = b", ".join(name for each in self._made for name in each.names)
                message = {**message, "headers": [*headers, (b"trailer", names)], "trailers": True}
        elif message["type"] == "http.response.body":
            for each in self._made:
                each.feed(message.get("body", b""))
            last = not message.get("more_body", False)
        elif message["type"] == "http.response.zerocopysend":
            last = not message.get("more_body", False)
        elif message["type"] == "http.response.pathsend":
            last = True
        elif message["type"] == "http.response.trailers" and self._due and not message.get("more_trailers", False):
            message = {**message, "headers": [*message.get("headers", ()), *self._fields()]}
        await self._send(message)
        if last and self._due and not self._own:
            # One message: see Server.ends_at_first_trailers.
            await self._send({"type": "http.response.trailers", "headers": self._fields()})

    def _fields(self) -> list[tuple[bytes, bytes]]:
        pairs: list[tuple[bytes, bytes]] = []
        for each in self._made:
            for name, value in each.fields():
                check_field(name, value)
                if name not in each.names:
                    raise ValueError(f"a trailer must be one of its maker's names, {each.names!r}, not {name!r}")
                pairs.append((name, value))
        return pairs


class _ContentDigest:
    names: tuple[bytes, ...] = (b"content-digest",)
    sees_body = True

    def __init__(self) -> None:
        self._hash = sha256()

    def feed(self, body: bytes) -> None:
        self._hash.update(body)

    def fields(self) -> Pairs:
        return [(b"content-digest", b"sha-256=:%s:" % b64encode(self._hash.digest()))]


def content_digest() -> Trailing:
    """Make ``content-digest``: SHA-256 of the content, so that the client knows that all of it came as it was sent.

    The content is what is on the wire, after any content coding: ``trailers(compress(app), content_digest)``, not the
    other way round. Spec: RFC 9530, 2.
    """
    return _ContentDigest()


class _ServerTiming:
    names: tuple[bytes, ...] = (b"server-timing",)
    sees_body = False

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._begin = clock()
        self._first: float | None = None

    def feed(self, body: bytes) -> None:
        if body and self._first is None:
            self._first = self._clock()

    def fields(self) -> Pairs:
        metrics = [] if self._first is None else [b"ttfb;dur=%.1f" % ((self._first - self._begin) * 1000)]
        metrics.append(b"total;dur=%.1f" % ((self._clock() - self._begin) * 1000))
        return [(b"server-timing", b", ".join(metrics))]


def server_timing(clock: Callable[[], float] = monotonic) -> Trailing:
    """Make ``server-timing``: milliseconds from the call of the app to its first byte (ttfb) and past its last (total).

    Of a file that is sent by path or descriptor only the total is known. Spec: W3C Server Timing, 3.
    """
    return _ServerTiming(clock)
