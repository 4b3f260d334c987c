"""Bodies of requests out of their content coding, as they come."""

from collections.abc import Awaitable, Iterator

from rawasgi import codings
from rawasgi import headers as fields
from rawasgi.app_types import discard
from rawasgi.asgi import App, HTTPRequest, HTTPScope, Receive, Received, Scope, Send, Sent
from rawasgi.error_responses import error_response
from rawasgi.errors import HTTPError
from rawasgi.streams.stepping import give_way

_OF_THE_CODING = frozenset({b"content-encoding", b"content-length"})


def decompress(app: App, *, limit_bytes: int = 16 * 1024 * 1024) -> App:
    """Return *app* with the bodies of its requests decoded: gzip, deflate, br, zstd, of which one.

    A body in anything else is answered with 415, and the codings there are in Accept-Encoding. One that cannot be
    decoded, is cut off or goes on after its end (400), and one that has, decoded, more than *limit_bytes* (413), raises
    HTTPError from ``receive()``: that is the answer unless the app gives another below 500, or had begun its own, which
    is then cut off. What came before it has been given to the app.

    Memory: 64 KiB beside what the app keeps, and a window: gzip, deflate 32 KiB, br 4 MiB, zstd 8 MiB at most. Spec:
    RFC 9110, 8.4, 15.5.16.
    """

    async def decompressed(scope: Scope, receive: Receive, send: Send) -> None:
        names = _content_codings(scope) if scope["type"] == "http" else []
        if scope["type"] != "http" or not names:
            await app(scope, receive, send)
            return
        available = codings.available()
        if len(names) > 1 or names[0] not in available:  # one inside another multiplies what a bomb can do
            offered = ", ".join(available)
            text = f"the body's content-encoding must be one of {offered}: send it so, or without"
            unsupported = HTTPError(415, text, headers={"accept-encoding": offered})
            await error_response(unsupported)(scope, receive, send)
            return
        headers = [(name, value) for name, value in scope["headers"] if name.lower() not in _OF_THE_CODING]
        request = _Request(codings.Decoder(names[0]), limit_bytes, receive, send)
        failure: Exception | None = None
        try:
            await app({**scope, "headers": headers}, request, request.send)
        except Exception as error:
            failure = error
        finally:
            request.drop()
        refusal = request.refusal
        if refusal is not None and not request.answered:
            await error_response(refusal)(scope, receive, send)
            if failure is refusal:
                return
        if failure is not None:
            raise failure

    return decompressed


def _content_codings(scope: HTTPScope) -> list[str]:
    names = (fields.joined(scope["headers"], b"content-encoding") or b"").decode("latin-1").lower().split(",")
    stripped = [name.strip(" \t") for name in names]
    return ["gzip" if name == "x-gzip" else name for name in stripped if name not in ("", "identity")]  # 8.4.1.3


class _Request:
    """One request: itself the ``receive`` of the app."""

    def __init__(self, decoder: codings.Decoder, limit_bytes: int, receive: Receive, send: Send) -> None:
        self._decoder: codings.Decoder | None = decoder  # None: the end was given
        self._limit_bytes = limit_bytes
        self._receive = receive
        self._send = send
        self._message: HTTPRequest | None = None
        self._pieces: Iterator[bytes] = iter(())
        self._came = self._given = 0
        self._turn = False  # a piece was given without giving way
        self._mute = False
        self.answered = False
        self.refusal: HTTPError | None = None

    def drop(self) -> None:
        self._decoder, self._pieces = None, iter(())

    def send(self, message: Sent) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            # A framework that does not know our error makes a 500 of it, and of the client's fault its own.
            self._mute = self.refusal is not None and not self.answered and message["status"] >= 500
            self.answered = not self._mute
        return discard(message) if self._mute else self._send(message)

    async def __call__(self) -> Received:
        if self._decoder is not None:
            try:
                return await self._next(self._decoder)
            except codings.Malformed as error:
                self.refusal = HTTPError(400, str(error))
            except HTTPError as error:
                self.refusal = error
            self.drop()
            raise self.refusal
        message = await self._receive()
        while message["type"] == "http.request" and self.refusal is not None:
            message = await self._receive()
        return message

    async def _next(self, decoder: codings.Decoder) -> Received:
        while True:
            if self._turn:
                await give_way()
            piece = next(self._pieces, None)
            self._turn = piece is not None
            if piece is not None:
                # A member that gives nothing costs its making. 8 us in zstd, as 4 KiB do.
                self._given += len(piece) or 4096
                if self._given > self._limit_bytes:
                    raise self._too_large()
                if piece:
                    assert self._message is not None
                    return {**self._message, "body": piece, "more_body": True}
            elif self._message is not None and not self._message.get("more_body", False):
                decoder.end()
                self.drop()
                return {**self._message, "body": b""}
            else:
                message = await self._receive()
                if message["type"] != "http.request":
                    return message
                self._message = message
                body = message.get("body", b"")
                self._came += len(body)
                if self._came > 2 * self._limit_bytes + 1024:  # what gives nothing for ever: a name in gzip's header
                    raise self._too_large()
                self._pieces = decoder.decode(body)

    def _too_large(self) -> HTTPError:
        return HTTPError(413, f"the body must not be longer than {self._limit_bytes} bytes when it is decoded")
