"""Bodies of responses in a content coding, each message when it comes."""

import re
from collections.abc import Awaitable, Callable
from functools import lru_cache

from rawasgi import codings
from rawasgi import headers as fields
from rawasgi.app_types import discard
from rawasgi.asgi import (
    App,
    Header,
    HTTPResponseBody,
    HTTPResponseStart,
    HTTPScope,
    Receive,
    Scope,
    Send,
    Sent,
)
from rawasgi.codings import PIECE_BYTES
from rawasgi.content_length import BodyLength
from rawasgi.errors import AppError
from rawasgi.streams.stepping import give_way

_TEXTS = re.compile(
    r"text/.+|.+[/+.-](json|jsonl|ndjson|json-seq|xml|yaml|csv|text|javascript|ecmascript)"
    r"|application/(graphql|rtf|sql|toml|wasm)|font/(otf|ttf)|image/(bmp|x-icon|vnd\.microsoft\.icon)"
)
# No coding: what has no body (RFC 9110, 15.3.5, 15.3.6), and a part of what has another coding elsewhere (14.2).
_NEVER = frozenset({204, 205, 206})
_FILES = frozenset({"http.response.pathsend", "http.response.zerocopysend"})
# What is said of the bytes of a body, and is not true of it in a coding.
_OF_THE_BYTES = frozenset({b"content-length", b"accept-ranges", b"content-digest", b"repr-digest", b"content-md5"})


def is_text(media_type: str) -> bool:
    """Return whether a body of *media_type*, without parameters and in lowercase, is worth to be compressed."""
    return _TEXTS.fullmatch(media_type) is not None


def compress(app: App, *, types: Callable[[str], bool] = is_text, minimum_bytes: int = 500) -> App:
    """Return *app* with its responses in the content coding that the client likes best.

    Of those it likes equally the first of zstd, br, gzip and deflate; of a stream, zstd, gzip, deflate and br. zstd and
    br need ``rawasgi[compression]``. All of a message can be read as soon as it has come.

    Left as they are: media types that *types* refuses; bodies whose Content-Length is less than *minimum_bytes* (from
    250 on gzip saves more than its headers take; of 500, a fifth); 204, 205, 206; what has a Content-Encoding, or
    ``cache-control: no-transform``; files that the server sends. A client that refuses ``identity`` has the first two
    compressed, too. An ETag becomes a weak one: If-None-Match finds it, If-Match and If-Range do not, as each needs a
    strong one.

    An attacker who can put text of his own beside a secret, in a page that another browser asks for, learns the secret
    from the compressed length (BREACH): wrap the routes without such pages.

    Raises: what *app* raises, and then the end of the coding is not sent; AppError for a body that is not as long as
    its Content-Length says. Spec: RFC 9110, 8.4, 8.8.3, 12.5.3, 12.5.5.
    """

    async def compressed(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        response = _Response(scope, send, types, minimum_bytes)
        try:
            await app(scope, receive, response.send)
        finally:
            response.drop()

    return compressed


def negotiate(header: bytes, offered: tuple[str, ...]) -> tuple[str | None, bool]:
    """Return which of *offered* an Accept-Encoding *header* asks for, or None, and whether ``identity`` is refused.

    Spec: RFC 9110, 12.5.3 "Accept-Encoding".
    """
    best = fields.accepts(header, [*offered, "identity"])
    # It is, with a weight of 0 of its own or that of "*". Where neither is there, this last element counts.
    refused = fields.accepts(header + b",*;q=0.001", ["identity"]) is None
    # With nothing left that it takes, 12.4.1 lets us ignore the header: a body it cannot use is no worse than a 406.
    return (None if best == "identity" else best), refused


_negotiated = lru_cache(256)(negotiate)  # browsers send few different ones, and each costs 12 us


class _Response:
    """One response. ``send`` is no coroutine for what passes unchanged: each one above a source costs every item."""

    def __init__(self, scope: HTTPScope, send: Send, types: Callable[[str], bool], minimum_bytes: int) -> None:
        self._scope = scope
        self._send = send
        self._types = types
        self._minimum_bytes = minimum_bytes
        self._coding: str | None = None  # of the body, up to its end
        self._encoder: codings.Encoder | None = None  # made when there is something to encode
        self._length = BodyLength()
        self._since = 0  # bytes that were encoded without giving way
        self._held: list[Sent] = []
        self._start: HTTPResponseStart | None = None  # as it is if no file follows

    def drop(self) -> None:
        """Forget the state of the coding: the body is over, or nothing more will come of it."""
        self._coding = self._encoder = None

    def send(self, message: Sent) -> Awaitable[None]:
        kind = message["type"]
        if message["type"] == "http.response.start":
            return self._begin(message)
        if self._held:
            self._held.append(message)
            if message["type"] == "http.response.body":
                assert self._start is not None
                self._held[0] = self._start
            elif kind not in _FILES:
                return discard(message)
            else:
                self.drop()
            return self._release()
        if self._coding is not None:
            if message["type"] == "http.response.body":
                return self._body(message)
            if kind in _FILES:
                raise AppError(
                    f"a response that began in {self._coding} must not go on with {kind}: give it a content-length and"
                    " nothing but the file, or do not compress it"
                )
        return self._send(message)

    def _begin(self, start: HTTPResponseStart) -> Awaitable[None]:
        coded = self._coded(start)
        # A file may follow, which is not ours to read, and a stream has no length. Who sends files waits for the body.
        extensions = self._scope.get("extensions") or {}
        if self._coding is not None and self._length.remaining_bytes is not None and not _FILES.isdisjoint(extensions):
            self._held.append(start)
            self._start = coded
            return discard(start)
        return self._send(coded)

    async def _release(self) -> None:
        held, self._held = self._held, []
        for message in held:
            await (self._send(message) if message is held[0] else self.send(message))

    def _coded(self, start: HTTPResponseStart) -> HTTPResponseStart:
        """Choose the coding; return *start* as it goes out."""
        headers = list(start.get("headers", ()))
        if start["status"] in _NEVER or _is_final(headers):
            return start
        self._length = BodyLength.from_headers(headers)
        length = self._length.remaining_bytes
        # None at all is as an empty one: by 12.5.3 the client takes anything, but one that unpacks says so.
        header = fields.joined(self._scope["headers"], b"accept-encoding") or b""
        known = _negotiated if len(header) <= 128 else negotiate
        # A 304 need not say the type; its ETag and Vary are those of the 200 (RFC 9110, 15.4.5).
        media_type = fields.media_type(headers)
        events = media_type == "text/event-stream"
        body: codings.Body = "whole" if length is not None else "events" if events else "stream"
        coding, must = known(header, codings.available(body))
        not_modified = start["status"] == 304
        fits = self._types(media_type) if media_type else not_modified
        if not fits and not (must and coding):
            return start
        headers = _varying(headers)
        small = length is not None and length < (1 if must else self._minimum_bytes)
        if coding is not None and not small:
            headers = _weakened(headers)
            if not not_modified:
                headers.append((b"content-encoding", coding.encode()))
                if self._scope["method"] != "HEAD":
                    self._coding = coding
        return {**start, "headers": headers}

    async def _body(self, message: HTTPResponseBody) -> None:
        """Send what *message* has, so that all of it can be read; past 64 KiB in several messages."""
        assert self._coding is not None
        body, more_body = message.get("body", b""), message.get("more_body", False)
        if more_body and not body:
            await self._send(message)
            return
        if self._encoder is None:  # before the first bytes are counted, what remains is all of the body
            self._encoder = codings.encoder(self._coding, self._length.remaining_bytes)
        self._length.count(len(body), more_body)  # no server after us knows the length
        encoder = self._encoder
        rest = memoryview(body)
        while len(rest) > PIECE_BYTES:
            if coded := encoder.encode(rest[:PIECE_BYTES]):
                await self._send({**message, "body": coded, "more_body": True})
            rest = rest[PIECE_BYTES:]
            await give_way()
        coded = encoder.encode(rest) + (encoder.flush() if more_body else encoder.finish())
        if not more_body:
            self.drop()
        await self._send({**message, "body": coded})
        self._since += len(rest)
        if self._since >= PIECE_BYTES and more_body:
            self._since = 0
            await give_way()


def _is_final(headers: list[Header]) -> bool:
    """Return whether a response with *headers* has its coding, or must not be given one (RFC 9111, 5.2.2.6)."""
    if fields.get(headers, b"content-encoding") is not None or fields.get(headers, b"content-range") is not None:
        return True
    control = (fields.joined(headers, b"cache-control") or b"").lower()
    return b"no-transform" in [directive.strip() for directive in control.split(b",")]


def _varying(headers: list[Header]) -> list[Header]:
    """Return *headers* with a Vary that has Accept-Encoding, also of what was left as it is (RFC 9110, 12.5.5)."""
    vary = fields.joined(headers, b"vary") or b""
    if {b"*", b"accept-encoding"} & {name.strip().lower() for name in vary.split(b",")}:
        return headers
    return [*fields.replace(headers, b"vary", vary + b", Accept-Encoding" if vary else b"Accept-Encoding")]


def _weakened(headers: list[Header]) -> list[Header]:
    """Return *headers* without what is true of the bytes only (RFC 9110, 8.8.1 "Weak versus Strong")."""
    kept: list[Header] = []
    for name, value in headers:
        name = name.lower()
        if name == b"etag" and not value.startswith(b"W/"):
            kept.append((name, b"W/" + value))
        elif name not in _OF_THE_BYTES:
            kept.append((name, value))
    return kept
