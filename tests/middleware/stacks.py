"""The middlewares and their places: around a Router, around one mounted in FastAPI, around `familiar` responses."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import sentry_sdk
import telemetry
import twins
from asgi_correlation_id import CorrelationIdMiddleware
from brotli_asgi import BrotliMiddleware
from fastapi import FastAPI
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from prometheus_client import CollectorRegistry
from prometheus_fastapi_instrumentator.middleware import PrometheusInstrumentatorMiddleware
from sentry_sdk.envelope import Envelope
from sentry_sdk.integrations.asgi import SentryAsgiMiddleware
from sentry_sdk.transport import Transport
from slowapi import Limiter
from slowapi.middleware import SlowAPIASGIMiddleware, SlowAPIMiddleware
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette_compress import CompressMiddleware, add_compress_type

from rawasgi.asgi import App

Wrap = Callable[[Any], Any]
Next = Callable[[Request], Awaitable[Response]]
ORIGIN = "https://a.example"
LIMIT_BYTES = 1000  # of a request body
add_compress_type(twins.NDJSON, streaming=True)  # it compresses listed types only


def of(middleware: Callable[..., Any], **options: object) -> Wrap:
    return lambda app: middleware(app, **options)


# Middleware by hand


async def pass_on(request: Request, call_next: Next) -> Response:
    return await call_next(request)


async def add_header(request: Request, call_next: Next) -> Response:
    response = await call_next(request)
    response.headers["x-process-time"] = "0.1"
    return response


async def read_body_first(request: Request, call_next: Next) -> Response:
    await request.body()
    return await call_next(request)


def append_header(app: Any) -> Any:
    """Append to the list of headers, as most middleware does."""

    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        async def send_with_header(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"x-process-time", b"0.1"))
            await send(message)

        await app(scope, receive, send_with_header)

    return middleware


def limit_body(app: Any) -> Any:
    """Raise HTTPException(413) out of receive() for a body that is too long, as the recipes on the web do."""

    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        size = 0

        async def limited() -> Any:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > LIMIT_BYTES:
                raise HTTPException(413, "Content Too Large")
            return message

        await app(scope, limited, send)

    return middleware


def set_variables(app: Any) -> Any:
    """Set a context variable before the call, as tracing does, and another one in receive()."""

    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        async def receive_and_set() -> Any:
            twins.received.set("waiting")
            message = await receive()
            twins.received.set(message["type"])
            return message

        token = twins.outer.set("set")
        try:
            await app(scope, receive_and_set, send)
        finally:
            twins.outer.reset(token)

    return middleware


def open_scopes(app: Any) -> Any:
    """Receive and send in task groups and under timeouts of their own."""

    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        async def receive_in_scope() -> Any:
            message = None

            async def wait() -> None:
                nonlocal message
                message = await receive()

            async with anyio.create_task_group() as group:
                group.start_soon(wait)
            return message

        async def send_in_scope(message: Any) -> None:
            with anyio.fail_after(10):
                await send(message)

        await app(scope, receive_in_scope, send_in_scope)

    return middleware


# Sentry, in memory

envelopes: list[Envelope] = []


class InMemory(Transport):
    def capture_envelope(self, envelope: Envelope) -> None:
        envelopes.append(envelope)


def sentry(app: Any) -> Any:
    sentry_sdk.init(
        dsn="http://key@localhost/1",
        transport=InMemory,
        traces_sample_rate=1.0,
        default_integrations=False,
        auto_enabling_integrations=False,
        auto_session_tracking=False,
        enable_backpressure_handling=False,
    )
    return SentryAsgiMiddleware(app)


# slowapi and prometheus-fastapi-instrumentator look for the Starlette app in the scope


async def any_endpoint(request: Request) -> None:
    raise NotImplementedError


def new_limiter() -> Limiter:
    return Limiter(key_func=lambda: "everyone", default_limits=["10000/minute"], headers_enabled=True)


def in_starlette(wrap: Wrap) -> Wrap:
    """Put the app that these middlewares expect in the scope, with a route for every path."""
    app = Starlette(routes=[Route("/{path:path}", any_endpoint, methods=["GET", "POST"])])
    app.state.limiter = new_limiter()

    def wrap_with_app(inner: Any) -> Any:
        wrapped = wrap(inner)

        async def with_app(scope: Any, receive: Any, send: Any) -> None:
            await wrapped({**scope, "app": scope.get("app", app)}, receive, send)

        return with_app

    return wrap_with_app


def add_to(wrap: Wrap) -> Callable[[Any], None]:
    def install(app: Any) -> None:
        app.state.limiter = new_limiter()
        app.add_middleware(wrap)

    return install


@dataclass(frozen=True)
class Row:
    """A middleware: *wrap* puts it around an app, *install* into a Starlette or FastAPI app."""

    wrap: Wrap | None = None
    install: Callable[[Any], None] | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)  # of each request
    adds: str = ""  # the header that it adds to each response
    native_telemetry: bool = False  # FastAPI's own
    needs_app: bool = False
    reads_body: bool = False  # before it calls the app


def compressing(coding: str, wrap: Wrap) -> Row:
    return Row(wrap, headers=[("accept-encoding", coding)], adds="content-encoding")


def as_decorator(app: FastAPI) -> None:
    app.middleware("http")(pass_on)


def twice(app: Any) -> Any:
    return BaseHTTPMiddleware(BaseHTTPMiddleware(app, add_header), pass_on)


ROWS: dict[str, Row] = {
    "none": Row(lambda app: app),
    "append a header": Row(append_header, adds="x-process-time"),
    "scopes": Row(open_scopes),
    "variables": Row(set_variables),
    "body limit": Row(limit_body),
    "starlette base": Row(of(BaseHTTPMiddleware, dispatch=pass_on)),
    "starlette base with a header": Row(of(BaseHTTPMiddleware, dispatch=add_header), adds="x-process-time"),
    "starlette base that reads the body": Row(of(BaseHTTPMiddleware, dispatch=read_body_first), reads_body=True),
    "starlette base twice": Row(twice, adds="x-process-time"),
    "starlette gzip": compressing("gzip", of(GZipMiddleware, minimum_size=1)),
    "starlette cors": Row(
        of(CORSMiddleware, allow_origins=[ORIGIN]), headers=[("origin", ORIGIN)], adds="access-control-allow-origin"
    ),
    "starlette sessions": Row(of(SessionMiddleware, secret_key="for a test")),
    "starlette body limit": Row(of(RequestBodyLimitMiddleware, max_body_size=LIMIT_BYTES)),
    "fastapi middleware": Row(install=as_decorator),
    "fastapi telemetry": Row(install=lambda app: None, native_telemetry=True),
    "opentelemetry": Row(of(OpenTelemetryMiddleware, tracer_provider=telemetry.provider)),
    "sentry": Row(sentry),
    "correlation id": Row(CorrelationIdMiddleware, adds="x-request-id"),
    "prometheus": Row(
        lambda app: PrometheusInstrumentatorMiddleware(app, registry=CollectorRegistry()), needs_app=True
    ),
    "slowapi": Row(SlowAPIMiddleware, needs_app=True),
    "slowapi asgi": Row(SlowAPIASGIMiddleware, needs_app=True),
    "brotli-asgi": compressing("br", of(BrotliMiddleware, minimum_size=1)),
    "starlette-compress gzip": compressing("gzip", of(CompressMiddleware, minimum_size=1)),
    "starlette-compress br": compressing("br", of(CompressMiddleware, minimum_size=1)),
    "starlette-compress zstd": compressing("zstd", of(CompressMiddleware, minimum_size=1)),
}


@dataclass(frozen=True)
class Stack:
    """A middleware in its place: *ours* serves rawasgi's responses, *theirs* Starlette's own, at *prefix*."""

    ours: App
    theirs: App
    prefix: str
    headers: list[tuple[str, str]]


def around(row: Row, app: Any) -> App:
    """*row* around *app*; an HTTPException that it raises is answered, as Starlette does around its router."""
    assert row.wrap is not None
    wrap = in_starlette(row.wrap) if row.needs_app else row.wrap
    return ExceptionMiddleware(wrap(app)) if row.wrap is limit_body else wrap(app)


def in_fastapi(row: Row, app: Any) -> App:
    fastapi = FastAPI(telemetry={"tracer_provider": telemetry.provider, "tracing": row.native_telemetry})
    fastapi.mount("/in", app)
    installed(row, fastapi)
    return twins.as_app(fastapi)


def installed(row: Row, app: Any) -> App:
    install = row.install
    if install is None:
        assert row.wrap is not None
        install = add_to(row.wrap)
    install(app)
    return twins.as_app(app)


def router_stack(row: Row, ours: App) -> Stack:
    return Stack(around(row, ours), around(row, twins.own_starlette()), "", row.headers)


def fastapi_stack(row: Row, ours: App) -> Stack:
    return Stack(in_fastapi(row, ours), in_fastapi(row, twins.own_starlette()), "/in", row.headers)


def familiar_stack(row: Row, ours: App) -> Stack:
    return Stack(installed(row, twins.familiar_starlette()), installed(row, twins.own_starlette()), "", row.headers)


PLACES: dict[str, Callable[[Row, App], Stack]] = {
    "around a router": router_stack,
    "in fastapi": fastapi_stack,
    "familiar": familiar_stack,
}


def has(place: str, row: Row) -> bool:
    """FastAPI's own middleware is only in FastAPI."""
    return row.wrap is not None or place == "in fastapi"


STACKS = [(place, name) for place in PLACES for name, row in ROWS.items() if has(place, row)]


def stack(place: str, name: str, ours: App = twins.router) -> Stack:
    """Return the middleware *name* at *place*, around *ours* where that is no Starlette app."""
    return PLACES[place](ROWS[name], ours)
