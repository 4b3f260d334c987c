"""Server-sent events under the names of sse-starlette and fastapi.sse; the core's own: ``respond.sse``, ``Event``."""

import math
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Protocol, cast

from rawasgi import sending, states, streams
from rawasgi.asgi import HTTPDisconnect, Receive, Scope, Send, Sent
from rawasgi.familiar.background import Background
from rawasgi.familiar.responses import StreamingResponse
from rawasgi.formats import json_text, sse
from rawasgi.inbox import Inbox
from rawasgi.streams.base import CloseOnce


class ServerSentEvent:
    """One event. *data*: a str as it is, anything else as JSON; *raw_data*: a str, as it is."""

    def __init__(
        self,
        data: object = None,
        *,
        raw_data: str | None = None,
        event: str | None = None,
        id: str | None = None,
        retry: int | None = None,
        comment: str | None = None,
        sep: str | None = None,
    ) -> None:
        if data is not None and raw_data is not None:
            raise ValueError("an event must have data or raw_data, not both: data of type str is raw as well")
        self.data: object = data
        self.raw_data: str | None = raw_data
        self.event: str | None = event
        self.id: str | None = id
        self.retry: int | None = retry
        self.comment: str | None = comment
        self.sep: str = _line_end(sep)

    def encode(self) -> bytes:
        """Write the event, in sse-starlette's order. Raises: as ``formats.sse.encode``; TypeError for a retry that is
        not an int."""
        if self.retry is not None and not isinstance(self.retry, int):
            raise TypeError(f"retry argument must be int (milliseconds), not {self.retry!r}")
        data = self.raw_data
        if isinstance(self.data, str):
            data = self.data
        elif self.data is not None:
            data = json_text.dumps(self.data).decode()
        parts = [
            sse.Event(comment=self.comment),
            sse.Event(id=self.id),
            sse.Event(event=self.event),
            sse.Event(data=data),
            sse.Event(retry=self.retry),
        ]
        lines = b"".join(sse.encode(part)[:-1] for part in parts)
        return (lines + b"\n").replace(b"\n", self.sep.encode())


class ShutdownEvent(Protocol):
    """``anyio.Event`` or ``asyncio.Event``."""

    def set(self) -> object: ...


class EventSourceResponse(StreamingResponse):
    """The items of *content* as server-sent events: str (data), dict (fields of an event), ServerSentEvent or Event,
    bytes (sent as they are), anything else as data in JSON.

    *ping*: after so many seconds of silence a comment is sent, or what *ping_message_factory* gives; 0 for never.
    *send_timeout*: a client that has not read for so long counts as gone (None: 30 s). *data_sender_callable* runs
    beside the stream, in a task of its own that ends with it. *client_close_handler_callable* is told when the client
    left before the end. *cleanup_timeout*: seconds for closing *content*; None for no limit.

    When a ``Drain`` around the app begins, *shutdown_event* is set, and *content* has *shutdown_grace_period* seconds
    to end by itself before it is closed. Nothing patches the server at import: without a Drain nothing sets the event,
    and a middleware that wraps ``receive()`` hides the Drain.
    """

    DEFAULT_PING_INTERVAL = 15
    DEFAULT_SEPARATOR = "\r\n"
    DEFAULT_CLEANUP_TIMEOUT = 30.0

    def __init__(
        self,
        content: AsyncIterable[object] | Iterable[object],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str = "text/event-stream",
        background: Background | None = None,
        ping: float | None = None,
        sep: str | None = None,
        ping_message_factory: Callable[[], ServerSentEvent] | None = None,
        data_sender_callable: Callable[[], Awaitable[object]] | None = None,
        send_timeout: float | None = None,
        client_close_handler_callable: Callable[[HTTPDisconnect], Awaitable[object]] | None = None,
        shutdown_event: ShutdownEvent | None = None,
        shutdown_grace_period: float = 0,
        cleanup_timeout: float | None = DEFAULT_CLEANUP_TIMEOUT,
    ) -> None:
        if shutdown_grace_period < 0:
            raise ValueError(f"shutdown_grace_period must be >= 0, not {shutdown_grace_period!r}")
        if cleanup_timeout is not None and cleanup_timeout < 0:
            raise ValueError(f"cleanup_timeout must be >= 0 (None: no limit), not {cleanup_timeout!r}")
        super().__init__(content, status_code, headers, media_type, background)
        self.headers.setdefault("cache-control", "no-store")
        self.headers.setdefault("x-accel-buffering", "no")
        self.sep: str = _line_end(self.DEFAULT_SEPARATOR if sep is None else sep)
        self.ping_interval = self.DEFAULT_PING_INTERVAL if ping is None else ping
        self.ping_message_factory = ping_message_factory
        self.data_sender_callable = data_sender_callable
        self.send_timeout = send_timeout
        self.client_close_handler_callable = client_close_handler_callable
        self.cleanup_timeout = cleanup_timeout
        self._shutdown_event = shutdown_event
        self._shutdown_grace_period = shutdown_grace_period

    @property
    def ping_interval(self) -> float:
        return self._ping_interval

    @ping_interval.setter
    def ping_interval(self, seconds: float) -> None:
        if not isinstance(seconds, int | float):
            raise TypeError(f"ping interval must be int or float, not {seconds!r}")
        if seconds < 0:
            raise ValueError(f"ping interval must be >= 0 (0 disables ping), not {seconds!r}")
        self._ping_interval = seconds

    def _on_drain(self) -> float:
        if self._shutdown_event is not None:
            self._shutdown_event.set()
        return self._shutdown_grace_period

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            receive = Inbox.of(receive)
            receive.on_drain = self._on_drain
        if self.client_close_handler_callable is None:
            await super()._answer(scope, receive, send)
            return
        order = states.Order(states.TABLES[scope["type"]])

        async def noted(message: Sent) -> None:
            await send(message)
            order.sent(cast(Mapping[str, object], message))

        await super()._answer(scope, receive, noted)
        if not order.complete:
            await self.client_close_handler_callable(HTTPDisconnect(type="http.disconnect"))

    def _what(self) -> sending.Streaming:
        source = self._items()
        if self.data_sender_callable is not None:
            once = CloseOnce(source)
            source = streams.Stream(_beside(once, self.data_sender_callable), once)
        events = streams.map(source, self._encode)
        if self.ping_interval:
            events = streams.heartbeat(events, self.ping_interval, self._ping)
        send = 30.0 if self.send_timeout is None else self.send_timeout
        cleanup = math.inf if self.cleanup_timeout is None else self.cleanup_timeout
        return sending.Streaming(events, self.join, send, cleanup)

    def _encode(self, item: object) -> bytes:
        if isinstance(item, bytes | bytearray | memoryview):
            return bytes(item)
        if isinstance(item, sse.Event):
            return sse.encode(item)
        if isinstance(item, dict):
            item = ServerSentEvent(**{**item, "sep": self.sep})
        elif isinstance(item, str) or not hasattr(item, "encode"):  # an event of another library encodes itself
            item = ServerSentEvent(item, sep=self.sep)
        encoded: bytes = item.encode()
        return encoded

    def _ping(self) -> bytes:
        if self.ping_message_factory is not None:
            return self._encode(self.ping_message_factory())
        return ServerSentEvent(comment=f"ping - {datetime.now(UTC)}", sep=self.sep).encode()


_OVER, _DONE = object(), object()


async def _beside(source: AsyncIterable[object], work: Callable[[], Awaitable[object]]) -> AsyncIterator[object]:
    """Yield from *source* while *work* runs in a task of its own, until the one is over or the other has failed."""

    async def items() -> AsyncIterator[object]:
        async with streams.owned(source) as its:
            async for item in its:
                yield item
        yield _OVER

    async def worked() -> AsyncIterator[object]:
        await work()
        yield _DONE

    async with streams.owned(streams.merge(items(), worked())) as both:
        async for item in both:
            if item is _OVER:
                return
            if item is not _DONE:
                yield item


def _line_end(sep: str | None) -> str:
    if sep not in (None, "\r\n", "\r", "\n"):
        raise ValueError(f"sep must be one of: \\r\\n, \\r, \\n, got: {sep}")
    return sep or "\r\n"
