"""Every scope, message and extension of ASGI 3.0, as types.

Spec: ASGI 3.0; "HTTP & WebSocket" 2.5; "Lifespan" 2.0; extensions as of asgiref 3.13.
A key marked NotRequired may be absent; the comment beside it gives the default that the spec names.
Section names in quotes are the spec's own.

Not ``from __future__ import annotations`` here: with it, ``__required_keys__`` counts the optional keys as required.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Literal, NotRequired, TypeAlias, TypedDict

from rawasgi.app_types import App as App  # that of any library: see there

# A pair is (name, value). The spec shows lists, the servers give lists and tuples: read either, and send a new list of
# tuples with each message, as middleware appends to it.
Header: TypeAlias = tuple[bytes, bytes] | list[bytes]
Headers: TypeAlias = Iterable[Header]


class Versions(TypedDict):
    """``scope["asgi"]``."""

    version: str
    spec_version: NotRequired[str]  # "2.0" for http and websocket, "1.0" for lifespan


class HTTPScope(TypedDict):
    """ "HTTP Connection Scope"."""

    type: Literal["http"]
    asgi: Versions
    http_version: str
    method: str
    scheme: NotRequired[str]  # "http"
    path: str
    raw_path: NotRequired[bytes | None]  # None
    query_string: bytes
    root_path: NotRequired[str]  # ""
    headers: Headers
    client: NotRequired[Iterable[str | int] | None]  # None
    server: NotRequired[Iterable[str | int | None] | None]  # None
    state: NotRequired[dict[str, object]]  # absent: the server has no lifespan state
    extensions: NotRequired[dict[str, dict[str, object]] | None]  # {}
    # Not the spec's, but Starlette's: what a router found, and middleware around it reads after the call.
    path_params: NotRequired[dict[str, object]]
    route: NotRequired[object]  # has path and path_format: "/users/{id:int}" and "/users/{id}"
    endpoint: NotRequired[object]  # the function, or the app


class WebSocketScope(TypedDict):
    """ "WebSocket Connection Scope"."""

    type: Literal["websocket"]
    asgi: Versions
    http_version: NotRequired[str]  # "1.1"
    scheme: NotRequired[str]  # "ws"
    path: str
    raw_path: NotRequired[bytes | None]  # None
    query_string: NotRequired[bytes | None]  # b""
    root_path: NotRequired[str]  # ""
    headers: Headers
    client: NotRequired[Iterable[str | int] | None]  # None
    server: NotRequired[Iterable[str | int | None] | None]  # None
    subprotocols: NotRequired[Iterable[str]]  # []
    state: NotRequired[dict[str, object]]
    extensions: NotRequired[dict[str, dict[str, object]] | None]  # {}
    path_params: NotRequired[dict[str, object]]  # not the spec's, as above
    route: NotRequired[object]
    endpoint: NotRequired[object]


class LifespanScope(TypedDict):
    """ "Scope" of the lifespan protocol."""

    type: Literal["lifespan"]
    asgi: Versions
    state: NotRequired[dict[str, object]]  # absent: not supported


# HTTP, received


class HTTPRequest(TypedDict):
    """ "Request - receive event"."""

    type: Literal["http.request"]
    body: NotRequired[bytes]  # b""
    more_body: NotRequired[bool]  # False


class HTTPDisconnect(TypedDict):
    """ "Disconnect - receive event"."""

    type: Literal["http.disconnect"]


# HTTP, sent


class HTTPResponseStart(TypedDict):
    """ "Response Start - send event"."""

    type: Literal["http.response.start"]
    status: int
    headers: NotRequired[Headers]  # []; granian fails without it
    trailers: NotRequired[bool]  # False


class HTTPResponseBody(TypedDict):
    """ "Response Body - send event"."""

    type: Literal["http.response.body"]
    body: NotRequired[bytes]  # b""
    more_body: NotRequired[bool]  # False


class HTTPResponseTrailers(TypedDict):
    """Extension "HTTP Trailers"."""

    type: Literal["http.response.trailers"]
    headers: NotRequired[Headers]  # []
    more_trailers: NotRequired[bool]  # False


class HTTPResponsePush(TypedDict):
    """Extension "HTTP/2 Server Push"."""

    type: Literal["http.response.push"]
    path: str
    headers: Headers


class HTTPResponseZeroCopySend(TypedDict):
    """Extension "Zero Copy Send"."""

    type: Literal["http.response.zerocopysend"]
    file: int
    offset: NotRequired[int]  # where the file stands
    count: NotRequired[int]  # up to its end
    more_body: NotRequired[bool]  # False


class HTTPResponsePathSend(TypedDict):
    """Extension "Path Send"."""

    type: Literal["http.response.pathsend"]
    path: str


class HTTPResponseEarlyHint(TypedDict):
    """Extension "Early Hints"."""

    type: Literal["http.response.early_hint"]
    links: Iterable[bytes]


class HTTPResponseDebug(TypedDict):
    """Extension "Debug"."""

    type: Literal["http.response.debug"]
    info: dict[str, object]


# WebSocket, received


class WebSocketConnect(TypedDict):
    """ "Connect - receive event"."""

    type: Literal["websocket.connect"]


class WebSocketReceive(TypedDict):
    """ "Receive - receive event": exactly one of bytes and text is not None."""

    type: Literal["websocket.receive"]
    bytes: NotRequired[bytes | None]  # None
    text: NotRequired[str | None]  # None


class WebSocketDisconnect(TypedDict):
    """ "Disconnect - receive event"."""

    type: Literal["websocket.disconnect"]
    code: NotRequired[int]  # 1005
    reason: NotRequired[str | None]  # ""; since 2.5


# WebSocket, sent


class WebSocketAccept(TypedDict):
    """ "Accept - send event"."""

    type: Literal["websocket.accept"]
    subprotocol: NotRequired[str | None]  # None
    headers: NotRequired[Headers]  # []; since 2.1


class WebSocketSend(TypedDict):
    """ "Send - send event": exactly one of bytes and text is not None."""

    type: Literal["websocket.send"]
    bytes: NotRequired[bytes | None]  # None
    text: NotRequired[str | None]  # None


class WebSocketClose(TypedDict):
    """ "Close - send event"."""

    type: Literal["websocket.close"]
    code: NotRequired[int]  # 1000
    reason: NotRequired[str | None]  # ""; since 2.3


class WebSocketResponseStart(TypedDict):
    """Extension "WebSocket Denial Response", its start."""

    type: Literal["websocket.http.response.start"]
    status: int
    headers: NotRequired[Headers]  # []


class WebSocketResponseBody(TypedDict):
    """Extension "WebSocket Denial Response", its body."""

    type: Literal["websocket.http.response.body"]
    body: NotRequired[bytes]  # b""
    more_body: NotRequired[bool]  # False


# Lifespan


class LifespanStartup(TypedDict):
    """ "Startup - receive event"."""

    type: Literal["lifespan.startup"]


class LifespanShutdown(TypedDict):
    """ "Shutdown - receive event"."""

    type: Literal["lifespan.shutdown"]


class LifespanStartupComplete(TypedDict):
    """ "Startup Complete - send event"."""

    type: Literal["lifespan.startup.complete"]


class LifespanStartupFailed(TypedDict):
    """ "Startup Failed - send event"."""

    type: Literal["lifespan.startup.failed"]
    message: NotRequired[str]  # ""


class LifespanShutdownComplete(TypedDict):
    """ "Shutdown Complete - send event"."""

    type: Literal["lifespan.shutdown.complete"]


class LifespanShutdownFailed(TypedDict):
    """ "Shutdown Failed - send event"."""

    type: Literal["lifespan.shutdown.failed"]
    message: NotRequired[str]  # ""


Scope: TypeAlias = HTTPScope | WebSocketScope | LifespanScope

HTTPReceived: TypeAlias = HTTPRequest | HTTPDisconnect
WebSocketReceived: TypeAlias = WebSocketConnect | WebSocketReceive | WebSocketDisconnect
LifespanReceived: TypeAlias = LifespanStartup | LifespanShutdown
Received: TypeAlias = HTTPReceived | WebSocketReceived | LifespanReceived

HTTPSent: TypeAlias = (
    HTTPResponseStart
    | HTTPResponseBody
    | HTTPResponseTrailers
    | HTTPResponsePush
    | HTTPResponseZeroCopySend
    | HTTPResponsePathSend
    | HTTPResponseEarlyHint
    | HTTPResponseDebug
)
WebSocketSent: TypeAlias = (
    WebSocketAccept | WebSocketSend | WebSocketClose | WebSocketResponseStart | WebSocketResponseBody
)
LifespanSent: TypeAlias = (
    LifespanStartupComplete | LifespanStartupFailed | LifespanShutdownComplete | LifespanShutdownFailed
)
Sent: TypeAlias = HTTPSent | WebSocketSent | LifespanSent

Receive: TypeAlias = Callable[[], Awaitable[Received]]
Send: TypeAlias = Callable[[Sent], Awaitable[None]]
