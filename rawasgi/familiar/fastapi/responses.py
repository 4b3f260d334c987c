"""The responses of Starlette, FastAPI and sse-starlette as subclasses, each sent by one of ``rawasgi.familiar``."""

import os
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from typing import Any

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
        shutdown_event: eventsource.ShutdownEvent | None = None,
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
        self.sep: str = self._sender.sep
        self.ping_message_factory = ping_message_factory
        self.data_sender_callable = data_sender_callable
        self.send_timeout = send_timeout
        self.client_close_handler_callable = client_close_handler_callable
        self.active: bool = True
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

    def enable_compression(self, force: bool = False) -> None:
        """Raises: NotImplementedError, as sse-starlette: a middleware compresses, ``rawasgi.compression.compress``."""
        raise NotImplementedError("EventSourceResponse does not compress its events: put compress(app) around the app")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events, close *content*, then run ``background``. Sends and raises as ``rawasgi.familiar``'s."""
        for name in _SETTABLE:
            setattr(self._sender, name, getattr(self, name))
        try:
            await send_as(self._sender, self, scope, receive, send)
        finally:
            self.active = False


# The attributes of an EventSourceResponse that an app may set until it is sent
_SETTABLE = (
    "body_iterator",
    "client_close_handler_callable",
    "data_sender_callable",
    "ping_message_factory",
    "send_timeout",
    "sep",
)


class FileResponse(starlette.responses.FileResponse):
    """Starlette's FileResponse, with the ranges, conditions and zero-copy of ``rawasgi.files``; 404 for no file.

    A subclass that overrides ``set_stat_headers`` is sent by Starlette, as it was.
    """

    def __init__(
        self,
        path: "str | os.PathLike[str]",
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: BackgroundTask | None = None,
        filename: str | None = None,
        stat_result: os.stat_result | None = None,
        content_disposition_type: str = "attachment",
    ) -> None:
        super().__init__(path, status_code, headers, media_type, background, filename, None, content_disposition_type)
        self.stat_result = stat_result
        if stat_result is not None:
            self.set_stat_headers(stat_result)

    def set_stat_headers(self, stat_result: os.stat_result) -> None:
        """Set the headers that follow from *stat_result*: they are replaced if the file has changed by then."""
        for name, value in files.stat_headers(stat_result):
            self.headers.setdefault(name.decode(), value.decode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file, then run ``background``. Sends and raises as ``rawasgi.files.file``."""
        if type(self).set_stat_headers is not FileResponse.set_stat_headers:
            await super().__call__(scope, receive, send)
        else:
            sender = files.FileResponse(self.path, stat_result=self.stat_result)
            await send_as(sender, self, scope, receive, send)


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
