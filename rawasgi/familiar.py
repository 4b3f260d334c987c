"""The names that users of Starlette, FastAPI and sse-starlette know: change one import, and the same code runs here.

Each is a few lines over the core, so to read it is to see what it does under the hood. The signatures and defaults are
Starlette's (1.10), with ``EventSourceResponse`` and ``ServerSentEvent`` of sse-starlette (3.7) and of ``fastapi.sse``.
In all, a source is closed, HEAD starts no stream, and ``background`` runs also when the client left.

Where the three contradict each other, or an RFC:

- ``ServerSentEvent(data)``: a str is sent as it is, as sse-starlette does; FastAPI sends it as JSON. Anything else is
  sent as JSON, as FastAPI does; sse-starlette sends ``str(data)``, which for a dict is no format at all.
- CR, LF and NUL in ``event`` and ``id`` are refused, as FastAPI does; sse-starlette strips them.
- Lines end with LF, as FastAPI's do; sse-starlette ends them with CRLF, which no client tells apart: no ``sep``.
- No ``shutdown_event``: it needs sse-starlette's patch of the server.
- Headers of a connection (``connection`` and the like) are not sent over HTTP/2: RFC 9113, 8.2.2.
"""

import asyncio
import inspect
import json
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from http.cookies import SimpleCookie
from urllib.parse import quote

from rawasgi import headers as fields
from rawasgi import response, streams
from rawasgi.asgi import Receive, Scope, Send
from rawasgi.background import after
from rawasgi.formats import sse
from rawasgi.sending import Chunk, Streaming


class BackgroundTask:
    """``func(*args, **kwargs)``, run after the response; in a thread, if it is no async function."""

    def __init__(self, func: Callable[..., object], *args: object, **kwargs: object) -> None:
        self.func = func
        self.args = args
        self.kwargs = kwargs

    async def __call__(self) -> None:
        if inspect.iscoroutinefunction(self.func):
            await self.func(*self.args, **self.kwargs)
        else:
            await asyncio.to_thread(self.func, *self.args, **self.kwargs)


class BackgroundTasks:
    """Several tasks, run one after the other; the first error ends them."""

    def __init__(self, tasks: Sequence[BackgroundTask] | None = None) -> None:
        self.tasks = list(tasks or ())

    def add_task(self, func: Callable[..., object], *args: object, **kwargs: object) -> None:
        self.tasks.append(BackgroundTask(func, *args, **kwargs))

    async def __call__(self) -> None:
        for task in self.tasks:
            await task()


Background = Callable[[], Awaitable[None]]


class MutableHeaders(MutableMapping[str, str]):
    """A view of header pairs by name, whatever its case; ``append`` adds one more of a name."""

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        self.raw = raw

    def __getitem__(self, key: str) -> str:
        value = fields.get(self.raw, key.encode("latin-1"))
        if value is None:
            raise KeyError(key)
        return value.decode("latin-1")

    def __setitem__(self, key: str, value: str) -> None:
        [(name, encoded)] = fields.encode([(key, value)])
        self.raw[:] = fields.replace(self.raw, name, encoded)

    def __delitem__(self, key: str) -> None:
        name = key.lower().encode("latin-1")
        self.raw[:] = [pair for pair in self.raw if pair[0] != name]

    def __iter__(self) -> Iterator[str]:
        return iter([name.decode("latin-1") for name, _ in self.raw])

    def __len__(self) -> int:
        return len(self.raw)

    def append(self, key: str, value: str) -> None:
        self.raw += fields.encode([(key, value)])

    def getlist(self, key: str) -> list[str]:
        return [value.decode("latin-1") for value in fields.getlist(self.raw, key.encode("latin-1"))]


class Response:
    """A whole body. As an app, it sends http.response.start and http.response.body, then runs *background*."""

    media_type: str | None = None
    charset = "utf-8"

    def __init__(
        self,
        content: object = None,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: Background | None = None,
    ) -> None:
        self._begin(status_code, headers, media_type, background)
        self.body = self.render(content)
        if status_code not in (204, 304):
            self.headers.setdefault("content-length", str(len(self.body)))

    def _begin(
        self, status_code: int, headers: Mapping[str, str] | None, media_type: str | None, background: Background | None
    ) -> None:
        self.status_code = status_code
        self.background = background
        if media_type is not None:
            self.media_type = media_type
        self.raw_headers = fields.encode(headers)
        self.headers = MutableHeaders(self.raw_headers)
        content_type = self.media_type
        if content_type is not None:
            if content_type.startswith("text/") and "charset=" not in content_type.lower():
                content_type += f"; charset={self.charset}"
            self.headers.setdefault("content-type", content_type)

    def render(self, content: object) -> bytes:
        """Return the bytes of *content*: None, str, or bytes of any kind."""
        if content is None:
            return b""
        if isinstance(content, str):
            return content.encode(self.charset)
        if isinstance(content, bytes | bytearray | memoryview):
            return bytes(content)
        raise TypeError(f"the content must be str or bytes, not {content!r}: render() it, or take a JSONResponse")

    def set_cookie(
        self,
        key: str,
        value: str = "",
        max_age: int | None = None,
        expires: str | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: str | None = "lax",
    ) -> None:
        """Add a set-cookie header. Spec: RFC 6265, 4.1."""
        cookie: SimpleCookie = SimpleCookie({key: value})
        wanted = {"max-age": max_age, "expires": expires, "path": path, "domain": domain, "samesite": samesite}
        for name, setting in wanted.items():
            if setting is not None:
                cookie[key][name] = setting
        cookie[key]["secure"] = secure
        cookie[key]["httponly"] = httponly
        self.headers.append("set-cookie", cookie[key].OutputString())

    def delete_cookie(self, key: str, path: str = "/", domain: str | None = None) -> None:
        """Have the client forget a cookie."""
        self.set_cookie(key, max_age=0, expires="Thu, 01 Jan 1970 00:00:00 GMT", path=path, domain=domain)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = response.Response(self._content(), self.status_code, tuple(self.raw_headers))
        if self.background is None:
            await app(scope, receive, send)
        else:
            await after(app, self.background)(scope, receive, send)

    def _content(self) -> bytes | Streaming:
        return self.body


class PlainTextResponse(Response):
    media_type = "text/plain"


class HTMLResponse(Response):
    media_type = "text/html"


class JSONResponse(Response):
    """*content* as JSON, as small as it goes. Raises: ValueError for NaN and Infinity."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


class RedirectResponse(Response):
    """Send the client to *url*."""

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
    """The items of *content* as they come: str, bytes, bytearray or memoryview.

    A sync iterable runs in a thread of its own, from its first item to its ``close``.
    """

    def __init__(
        self,
        content: AsyncIterable[Chunk] | Iterable[Chunk],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: Background | None = None,
    ) -> None:
        self._begin(status_code, headers, media_type, background)
        self.body_iterator = _async(content)

    def _content(self) -> bytes | Streaming:
        return Streaming(self.body_iterator)


@dataclass
class ServerSentEvent:
    """One event. *data*: a str as it is, anything else as JSON; *raw_data*: text, when *data* is not given."""

    data: object = None
    event: str | None = None
    id: str | int | None = None
    retry: int | None = None
    comment: str | None = None
    raw_data: str | None = None

    def encode(self) -> bytes:
        """Return its bytes. Raises: ValueError, TypeError as ``formats.sse.encode``."""
        if self.data is not None and self.raw_data is not None:
            raise ValueError("ServerSentEvent must have data or raw_data, not both")
        data = self.raw_data
        if self.data is not None:
            data = self.data if isinstance(self.data, str) else json.dumps(self.data, allow_nan=False)
        name = str(self.id) if isinstance(self.id, int) else self.id
        return sse.encode(sse.Event(data, self.event, name, self.retry, self.comment))


class EventSourceResponse(StreamingResponse):
    """The items of *content* as Server-Sent Events: ServerSentEvent, dict (its fields), or data.

    *ping*: seconds of silence after which a comment is sent, or what *ping_message_factory* gives; 0 for never.
    *send_timeout*: seconds after which a client that does not read counts as gone.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        content: AsyncIterable[object] | Iterable[object],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: Background | None = None,
        ping: float = 15,
        ping_message_factory: Callable[[], ServerSentEvent] | None = None,
        send_timeout: float = 30.0,
    ) -> None:
        self._begin(status_code, headers, media_type, background)
        self.headers.setdefault("cache-control", "no-store")
        self.headers.setdefault("connection", "keep-alive")
        self.headers.setdefault("x-accel-buffering", "no")
        self.ping_interval = ping
        self.send_timeout = send_timeout
        events: AsyncIterable[Chunk] = streams.map(_async(content), _event)
        if ping:
            message = ping_message_factory or (lambda: ServerSentEvent(comment="ping"))
            events = streams.heartbeat(events, ping, lambda: message().encode())
        self.body_iterator = events

    def _content(self) -> bytes | Streaming:
        return Streaming(self.body_iterator, send=self.send_timeout)


def _event(item: object) -> bytes:
    if isinstance(item, ServerSentEvent):
        return item.encode()
    if isinstance(item, sse.Event):
        return sse.encode(item)
    if isinstance(item, bytes):
        return item
    return (ServerSentEvent(**item) if isinstance(item, dict) else ServerSentEvent(item)).encode()


def _async(content: AsyncIterable[object] | Iterable[object]) -> AsyncIterable:  # type: ignore[type-arg]  # of either
    return content if isinstance(content, AsyncIterable) else streams.from_thread(content)
