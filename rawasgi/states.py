"""The legal order of messages, as tables: what the app may send and the server may give, and when.

Theory of operation. A row says: in this *state* this *event* may come, and then *then* is the state; the last column is
where that is written, and who does otherwise. An event is an arrow and a message's type: ``>`` the app sends it, ``<``
the app receives it; a ``+flag`` follows if the message sets the flag that decides what may come next (``more_body``,
``trailers``, ``more_trailers``). What has no row is illegal.

HTTP has two sides that do not wait for each other (a response may end before its request does): one initial state is
moved by ``>``, the other by ``<``. A websocket and a lifespan are conversations: one state, moved by both.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from rawasgi.errors import OutOfOrder, ServerError


class Row(NamedTuple):
    state: str
    event: str
    then: str
    spec: str


class Table:
    """Rows, and the states to begin in: of what is sent and of what is received."""

    def __init__(self, sending: str, receiving: str, rows: Iterable[tuple[str, str, str, str]]) -> None:
        self.sending = sending
        self.receiving = receiving
        self.rows: tuple[Row, ...] = tuple(Row(*row) for row in rows)
        self.then: dict[tuple[str, str], str] = {(row.state, row.event): row.then for row in self.rows}

    def legal(self, state: str, arrow: str) -> list[str]:
        """The types that may be sent (``>``) or received (``<``) in *state*; an extension's only for want of others."""
        rows = [row for row in self.rows if row.state == state and row.event.startswith(arrow)]
        rows = [row for row in rows if not row.spec.startswith("extensions")] or rows
        return list(dict.fromkeys(row.event[1:].partition("+")[0] for row in rows))


_BODY = "HTTP, Response Body: after the last, the spec ignores more, servers raise (not daphne)"
_COPY = "extensions, Zero Copy Send: mixes with body, repeats"
_PATH = "extensions, Path Send: once, and not mixed with body"
_PUSH = "extensions, HTTP/2 Server Push: after start, before the last body"
_HINT = "extensions, Early Hints: before start since asgiref 3.13 (before: after it); servers take it only before"

HTTP = Table(
    "idle",
    "request",
    [
        # received
        ("request", "<http.request+more_body", "request", "HTTP, Request"),
        ("request", "<http.request", "requested", "HTTP, Request"),
        ("request", "<http.disconnect", "disconnected", "HTTP, Disconnect; servers: only after the whole body"),
        ("requested", "<http.disconnect", "disconnected", "HTTP, Disconnect; also when the response is complete"),
        ("disconnected", "<http.disconnect", "disconnected", "HTTP, Disconnect; hypercorn, daphne: blocks for ever"),
        # sent
        ("idle", ">http.response.start", "started", "HTTP, Response Start"),
        ("idle", ">http.response.start+trailers", "started, trailers", "extensions, HTTP Trailers"),
        ("idle", ">http.response.debug", "debugged", "extensions, Debug: once, before start"),
        ("idle", ">http.response.early_hint", "idle", _HINT),
        ("debugged", ">http.response.start", "started", "HTTP, Response Start"),
        ("debugged", ">http.response.start+trailers", "started, trailers", "extensions, HTTP Trailers"),
        ("debugged", ">http.response.early_hint", "debugged", _HINT),
        ("started", ">http.response.body+more_body", "streaming", _BODY),
        ("started", ">http.response.zerocopysend+more_body", "streaming", _COPY),
        ("started", ">http.response.body", "complete", _BODY),
        ("started", ">http.response.zerocopysend", "complete", _COPY),
        ("started", ">http.response.pathsend", "complete", _PATH),
        ("started", ">http.response.push", "started", _PUSH),
        ("streaming", ">http.response.body+more_body", "streaming", _BODY),
        ("streaming", ">http.response.zerocopysend+more_body", "streaming", _COPY),
        ("streaming", ">http.response.body", "complete", _BODY),
        ("streaming", ">http.response.zerocopysend", "complete", _COPY),
        ("streaming", ">http.response.push", "streaming", _PUSH),
        ("started, trailers", ">http.response.body+more_body", "streaming, trailers", _BODY),
        ("started, trailers", ">http.response.zerocopysend+more_body", "streaming, trailers", _COPY),
        ("started, trailers", ">http.response.body", "trailers", _BODY),
        ("started, trailers", ">http.response.zerocopysend", "trailers", _COPY),
        ("started, trailers", ">http.response.pathsend", "trailers", _PATH),
        ("started, trailers", ">http.response.push", "started, trailers", _PUSH),
        ("streaming, trailers", ">http.response.body+more_body", "streaming, trailers", _BODY),
        ("streaming, trailers", ">http.response.zerocopysend+more_body", "streaming, trailers", _COPY),
        ("streaming, trailers", ">http.response.body", "trailers", _BODY),
        ("streaming, trailers", ">http.response.zerocopysend", "trailers", _COPY),
        ("streaming, trailers", ">http.response.push", "streaming, trailers", _PUSH),
        ("trailers", ">http.response.trailers+more_trailers", "trailers", "extensions, HTTP Trailers"),
        ("trailers", ">http.response.trailers", "complete", "extensions, HTTP Trailers"),
    ],
)

_DENY = "spec: answers connect; Starlette does it before reading connect, and every server takes it"
_LATE = "Disconnected Client: the app may not know yet; 2.4: send raises OSError, before and elsewhere it does nothing"

WEBSOCKET = Table(
    "connecting",
    "connecting",
    [
        ("connecting", "<websocket.connect", "handshake", "WebSocket, Connect"),
        ("connecting", ">websocket.close", "closed", _DENY),
        ("connecting", ">websocket.http.response.start", "denying", "extensions, Websocket Denial Response; " + _DENY),
        ("handshake", ">websocket.accept", "open", "WebSocket, Accept"),
        ("handshake", ">websocket.close", "closed", "WebSocket, Close: before accept it is a 403"),
        ("handshake", ">websocket.http.response.start", "denying", "extensions, Websocket Denial Response"),
        ("handshake", "<websocket.disconnect", "disconnected", "WebSocket, Disconnect"),
        ("denying", ">websocket.http.response.body+more_body", "denying", "granian: one body message only"),
        ("denying", ">websocket.http.response.body", "closed", "extensions, Websocket Denial Response"),
        ("denying", "<websocket.connect", "denying", "WebSocket, Connect: not read yet"),
        ("denying", "<websocket.disconnect", "disconnected", "WebSocket, Disconnect"),
        ("open", "<websocket.receive", "open", "WebSocket, Receive"),
        ("open", ">websocket.send", "open", "WebSocket, Send"),
        ("open", ">websocket.close", "closed", "WebSocket, Close"),
        ("open", "<websocket.disconnect", "disconnected", "WebSocket, Disconnect"),
        ("closed", "<websocket.connect", "closed", "WebSocket, Connect: not read yet"),
        ("closed", "<websocket.receive", "closed", "WebSocket, Receive: it was on its way"),
        ("closed", "<websocket.disconnect", "closed", "WebSocket, Disconnect; hypercorn, daphne: once, then blocks"),
        ("disconnected", "<websocket.disconnect", "disconnected", "hypercorn, daphne: blocks for ever"),
        ("disconnected", ">websocket.accept", "disconnected", _LATE),
        ("disconnected", ">websocket.send", "disconnected", _LATE),
        ("disconnected", ">websocket.close", "disconnected", _LATE),
        ("disconnected", ">websocket.http.response.start", "disconnected", _LATE),
        ("disconnected", ">websocket.http.response.body+more_body", "disconnected", _LATE),
        ("disconnected", ">websocket.http.response.body", "disconnected", _LATE),
    ],
)

LIFESPAN = Table(
    "begin",
    "begin",
    [
        ("begin", "<lifespan.startup", "starting", "Lifespan, Startup"),
        ("starting", ">lifespan.startup.complete", "running", "Lifespan, Startup Complete"),
        ("starting", ">lifespan.startup.failed", "failed", "Lifespan, Startup Failed"),
        ("running", "<lifespan.shutdown", "stopping", "Lifespan, Shutdown"),
        ("stopping", ">lifespan.shutdown.complete", "stopped", "Lifespan, Shutdown Complete"),
        ("stopping", ">lifespan.shutdown.failed", "stopped", "Lifespan, Shutdown Failed"),
    ],
)

TABLES = {"http": HTTP, "websocket": WEBSOCKET, "lifespan": LIFESPAN}
FLAGS = ("more_body", "trailers", "more_trailers")
_EVENTS = {row.event for table in TABLES.values() for row in table.rows}


def event(arrow: str, message: Mapping[str, object]) -> str:
    """The name of *message* in the tables' rows."""
    name = f"{arrow}{message.get('type')}"
    flagged = (f"{name}+{flag}" for flag in FLAGS if message.get(flag))
    return next((each for each in flagged if each in _EVENTS), name)


class Order:
    """Where one exchange stands in its *table*; each message moves it or is refused.

    Raises: OutOfOrder for a message of the app, ServerError for one of the server; then nothing has moved.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.sending: str = table.sending
        self.receiving: str = table.receiving

    def __repr__(self) -> str:
        return f"<Order sending={self.sending!r} receiving={self.receiving!r}>"

    @property
    def state(self) -> str:
        """What decides what may be sent; for a websocket and a lifespan the state of it all."""
        return self.sending

    @property
    def complete(self) -> bool:
        """Whether the app has said all that it owes."""
        return self.sending in ("complete", "closed", "disconnected", "failed", "stopped")

    def sent(self, message: Mapping[str, object]) -> None:
        """The app sends *message*."""
        then = self.table.then.get((self.sending, event(">", message)))
        if then is None:
            legal = " or ".join(self.table.legal(self.sending, ">")) or "nothing any more"
            raise OutOfOrder(f"{message.get('type')} cannot be sent when {self.sending!r}: send {legal}")
        self._move(then, ">")

    def received(self, message: Mapping[str, object]) -> None:
        """The server gives the app *message*."""
        then = self.table.then.get((self.receiving, event("<", message)))
        if then is None:
            legal = " or ".join(self.table.legal(self.receiving, "<")) or "nothing any more"
            raise ServerError(f"{message.get('type')} cannot be received when {self.receiving!r}: give {legal}")
        self._move(then, "<")

    def _move(self, then: str, arrow: str) -> None:
        together = self.table.sending == self.table.receiving
        if arrow == ">" or together:
            self.sending = then
        if arrow == "<" or together:
            self.receiving = then
