"""The responses of Starlette, FastAPI and sse-starlette as subclasses, each sent by one of ``rawasgi.familiar``."""

import os
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from typing import Any, Literal

import fastapi.sse
import starlette.responses
from starlette.background import BackgroundTask
from starlette.types import Message, Receive, Scope, Send

from rawasgi.familiar import eventsource, files, responses


class StreamingResponse(starlette.responses.StreamingResponse):
    """Starlette's StreamingResponse: *content* as it comes, closed at once when the client disconnects.

    ``join``: items that are ready together are sent in one message; False sends each in its own, as Starlette does.

    A subclass that overrides ``stream_response`` or ``listen_for_disconnect`` is sent by Starlette, as it was.
    """

    join = True

    def __init__(
        self,
        content: AsyncIterable[Any] | Iterable[Any],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: BackgroundTask | None = None,
    ) -> None:
        self._sender = responses.StreamingResponse(content)
        self.body_iterator: starlette.responses.AsyncContentStream = self._sender.body_iterator  # type: ignore[assignment]  # str, bytes or memoryview
        self.status_code = status_code
        self.media_type: str | None = self.media_type if media_type is None else media_type
        self.background = background
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, close *content*, then run ``background``. Sends and raises as ``rawasgi.familiar``'s."""
        own, theirs = type(self), starlette.responses.StreamingResponse
        if (own.stream_response, own.listen_for_disconnect) != (theirs.stream_response, theirs.listen_for_disconnect):
            await super().__call__(scope, receive, send)
        else:
            self._sender.join, self._sender.charset = self.join, self.charset
            self._sender.body_iterator = self.body_iterator
            await send_as(self._sender, self, scope, receive, send)


class EventSourceResponse(fastapi.sse.EventSourceResponse):
    """sse-starlette's EventSourceResponse; as a ``response_class`` of an endpoint that yields, FastAPI's.

    Parameters and items: those of ``rawasgi.familiar.EventSourceResponse``.
    """

    DEFAULT_PING_INTERVAL: float = 15
    DEFAULT_SEPARATOR = "\r\n"
    DEFAULT_CLEANUP_TIMEOUT = 30.0

    def __init__(
        self,
        content: AsyncIterable[Any] | Iterable[Any],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str = "text/event-stream",
        background: BackgroundTask | None = None,
        ping: float | None = None,
        sep: str | None = None,
        ping_message_factory: Callable[[], Any] | None = None,
        data_sender_callable: Callable[[], Awaitable[object]] | None = None,
        send_timeout: float | None = None,
        client_close_handler_callable: Callable[[Message], Awaitable[object]] | None = None,
        shutdown_event: None = None,
        shutdown_grace_period: float = 0,
        cleanup_timeout: float | None = DEFAULT_CLEANUP_TIMEOUT,
    ) -> None:
        self._sender = eventsource.EventSourceResponse(
            content,
            ping=self.DEFAULT_PING_INTERVAL if ping is None else ping,
            sep=self.DEFAULT_SEPARATOR if sep is None else sep,
            ping_message_factory=ping_message_factory,
            data_sender_callable=data_sender_callable,
            send_timeout=send_timeout,
            client_close_handler_callable=client_close_handler_callable,  # type: ignore[arg-type]  # a message, typed
            shutdown_event=shutdown_event,
            shutdown_grace_period=shutdown_grace_period,
            cleanup_timeout=cleanup_timeout,
        )
        self.body_iterator: starlette.responses.AsyncContentStream = self._sender.body_iterator  # type: ignore[assignment]  # items, which are encoded later
        self.status_code = status_code
        self.media_type = media_type
        self.background = background
        self.init_headers(headers)
        self.headers.setdefault("cache-control", "no-store")
        self.headers.setdefault("x-accel-buffering", "no")

    @property
    def ping_interval(self) -> float:
        """Seconds of silence after which a comment is sent; 0 for never."""
        return self._sender.ping_interval

    @ping_interval.setter
    def ping_interval(self, seconds: float) -> None:
        self._sender.ping_interval = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events, close *content*, then run ``background``. Sends and raises as ``rawasgi.familiar``'s."""
        self._sender.body_iterator = self.body_iterator
        await send_as(self._sender, self, scope, receive, send)


class FileResponse(starlette.responses.FileResponse):
    """Starlette's FileResponse, with the ranges, conditions and zero-copy of ``rawasgi.files``; 404 for no file."""

    def __init__(
        self,
        path: "str | os.PathLike[str]",
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: BackgroundTask | None = None,
        filename: str | None = None,
        stat_result: os.stat_result | None = None,
        content_disposition_type: Literal["attachment", "inline"] = "attachment",
    ) -> None:
        kind = self.media_type if media_type is None else media_type
        self._sender = files.FileResponse(
            path, status_code, headers, kind, None, filename, stat_result, content_disposition_type
        )
        self.path: str | os.PathLike[str] = path
        self.filename: str | None = filename
        self.stat_result: os.stat_result | None = stat_result
        self.status_code = status_code
        self.media_type: str | None = self._sender.media_type
        self.background = background
        self.raw_headers: list[tuple[bytes, bytes]] = self._sender.raw_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file, then run ``background``. Sends and raises as ``rawasgi.files.file``."""
        await send_as(self._sender, self, scope, receive, send)


class ServerSentEvent(fastapi.sse.ServerSentEvent):
    """One event, as fastapi.sse and as sse-starlette take it: *data* may be positional, and *sep* ends its lines."""

    sep: str | None = None

    def __init__(
        self,
        data: object = None,
        *,
        raw_data: str | None = None,
        event: str | None = None,
        id: str | int | None = None,
        retry: int | None = None,
        comment: str | None = None,
        sep: str | None = None,
    ) -> None:
        fields: dict[str, Any] = {"data": data, "raw_data": raw_data, "event": event, "retry": retry}
        fields |= {"id": None if id is None else str(id), "comment": comment, "sep": sep}
        super().__init__(**fields)

    def encode(self) -> bytes:
        """Return the bytes of the event, as sse-starlette writes it: a str is not quoted."""
        event = eventsource.ServerSentEvent(
            self.data,
            raw_data=self.raw_data,
            event=self.event,
            id=self.id,
            retry=self.retry,
            comment=self.comment,
            sep=self.sep,
        )
        return event.encode()


async def send_as(
    sender: responses.Response, response: starlette.responses.Response, scope: Scope, receive: Receive, send: Send
) -> None:
    """Send *response* by *sender*, with what the endpoint and FastAPI have set on it meanwhile."""
    sender.status_code, sender.raw_headers = response.status_code, response.raw_headers
    sender.background = response.background
    await sender(scope, receive, send)
