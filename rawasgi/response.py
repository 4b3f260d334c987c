"""A response: a value that is also an app. The only home of ``http.response.start``."""

from collections.abc import Awaitable
from dataclasses import dataclass

from rawasgi.app_types import AnyReceive, AnyScope, AnySend
from rawasgi.asgi import HTTPResponseStart, HTTPScope, Send
from rawasgi.content_length import STATUSES_WITHOUT_BODY
from rawasgi.errors import AppError
from rawasgi.inbox import Inbox
from rawasgi.outcomes import Outcome
from rawasgi.sendfile import FileParts, send_file
from rawasgi.sending import Streaming, close_unsent, send_stream
from rawasgi.servers import is_disconnect

# They speak of one connection, and make an HTTP/2 or HTTP/3 message malformed (RFC 9113, 8.2.2; RFC 9114, 4.2).
_CONNECTION_FIELDS = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"})


@dataclass(frozen=True, slots=True, init=False)
class Response:
    """What is answered: *body* with *status* and *headers*.

    *body*: bytes, sent whole, Streaming, sent as it comes, or FileParts, sent as the server can best; how it is sent
    follows from nothing else. *headers*: pairs of bytes, names in lowercase (``respond`` makes them). Being sent, a
    response closes its source in any case.
    """

    body: bytes | Streaming | FileParts
    status: int
    headers: tuple[tuple[bytes, bytes], ...]

    def __init__(
        self,
        body: bytes | Streaming | FileParts = b"",
        status: int = 200,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        if status != 200:
            _check(status, body)
        _set_body(self, body)
        _set_status(self, status)
        _set_headers(self, headers)

    async def __call__(self, scope: AnyScope, receive: AnyReceive, send: AnySend) -> None:
        """Send the response.

        Sends: http.response.start, http.response.body+. HEAD, 204, 205 and 304 have no body: their source is closed
        and never started. Returns also when the client left. Raises: what the source raises; AppError for a scope that
        is not http. Spec: "Response Start", "Response Body".
        """
        if scope["type"] != "http":
            raise AppError(f"a Response answers http, not {scope['type']}: route it by its kind of scope")
        await self.answer(scope, Inbox.of(receive), send)

    def answer(self, scope: HTTPScope, inbox: Inbox, send: Send, max_start_delay: float = 0.0) -> Awaitable[None]:
        """As a call, of whoever has the inbox; itself no coroutine, as each one above a source costs every item."""
        headers = list(self.headers)  # a new list each time: middleware appends to it
        if scope["http_version"] >= "2":
            headers = [field for field in headers if field[0] not in _CONNECTION_FIELDS]
        start: HTTPResponseStart = {"type": "http.response.start", "status": self.status, "headers": headers}
        body = self.body
        bodiless = scope["method"] == "HEAD" or self.status in STATUSES_WITHOUT_BODY
        if isinstance(body, Streaming) and not bodiless:
            return send_stream(body, start, inbox, send, max_start_delay)
        if isinstance(body, bytes):
            return _send_whole(b"" if bodiless else body, start, inbox, send)
        if bodiless:
            return _send_none(body, start, inbox, send)
        assert isinstance(body, FileParts)
        return send_file(body, start, scope, inbox, send)


# What frozen keeps from everybody else, in half the time of the __init__ that dataclass would write.
_set_body, _set_status, _set_headers = (Response.__dict__[name].__set__ for name in Response.__slots__)


def _check(status: int, body: object) -> None:
    if not 200 <= status <= 599:
        raise ValueError(f"Response.status must be 200 to 599, not {status!r}: 1xx is not an answer")
    if body and status in STATUSES_WITHOUT_BODY and isinstance(body, bytes):
        raise ValueError(f"Response.body must be empty with status {status} (RFC 9110, 15): use another status")


async def _send_whole(body: bytes, start: HTTPResponseStart, inbox: Inbox, send: Send) -> None:
    inbox.answered = True
    try:
        await send(start)
        await send({"type": "http.response.body", "body": body})
    except Exception as error:
        if not is_disconnect(error):
            raise
        inbox.outcome = Outcome.DISCONNECTED


async def _send_none(body: Streaming | FileParts, start: HTTPResponseStart, inbox: Inbox, send: Send) -> None:
    if isinstance(body, Streaming):
        await close_unsent(body, inbox, send)
    await _send_whole(b"", start, inbox, send)
