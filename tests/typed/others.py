"""Servers, clients, middleware and frameworks other than FastAPI and Starlette, with our apps and theirs in ours.

Only the type checkers read this file: most of these are run elsewhere in the tests.
"""
# pyright: basic
# Some of these have types that are unknown in part, which the strict mode reports at each use.

from typing import Any

import a2wsgi
import asgiref.typing
import blacksheep
import falcon.asgi
import httpx
import hypercorn.asyncio
import hypercorn.middleware
import hypercorn.typing
import litestar
import quart
import uvicorn
from a2wsgi.wsgi_typing import Environ, StartResponse
from asgi_correlation_id import CorrelationIdMiddleware
from brotli_asgi import BrotliMiddleware
from fastapi import FastAPI
from mangum import Mangum
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from sentry_sdk.integrations.asgi import SentryAsgiMiddleware
from slowapi.middleware import SlowAPIASGIMiddleware
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient
from starlette_compress import CompressMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

import rawasgi
from rawasgi import familiar, respond
from rawasgi.app_types import App, as_app
from rawasgi.background import after
from rawasgi.compression import compress
from rawasgi.decompression import decompress
from rawasgi.dev.client import connect, fetch, websocket
from rawasgi.dev.tracing import trace
from rawasgi.dev.validation import validate
from rawasgi.extensions import debug, early_hints, push
from rawasgi.files import directory, file
from rawasgi.lifespans import lifespan
from rawasgi.shutdown import Drain
from rawasgi.trailers import trailers
from rawasgi.websocket import websocket_app

# Who takes an app of ours: a class, or what a function returned


async def served(router: rawasgi.Router, app: App) -> None:
    uvicorn.run(router)
    uvicorn.run(app)
    uvicorn.Config(router)
    uvicorn.Config(app)
    await hypercorn.asyncio.serve(router, hypercorn.Config())
    await hypercorn.asyncio.serve(app, hypercorn.Config())


def called(router: rawasgi.Router, app: App, response: rawasgi.Response, stream: familiar.StreamingResponse) -> None:
    for each in (router, app, response, stream):
        TestClient(each)
        httpx.AsyncClient(transport=httpx.ASGITransport(each))
        a2wsgi.ASGIMiddleware(each)
        Mangum(as_app(each))
    Mangum(router)
    Mangum(response)
    Mangum(stream)


def wrapped(router: rawasgi.Router, app: App) -> None:
    for each in (router, app):
        ProxyHeadersMiddleware(each)
        CorrelationIdMiddleware(each)
        BrotliMiddleware(each, quality=4)
        CompressMiddleware(each)
        SentryAsgiMiddleware(each)
        SlowAPIASGIMiddleware(each)
        OpenTelemetryMiddleware(each)
        hypercorn.middleware.ProxyFixMiddleware(each)
        hypercorn.middleware.DispatcherMiddleware({"/a": each})


def annotated(router: rawasgi.Router, app: App) -> None:
    """As other libraries write the type of an app."""
    of_hypercorn: list[hypercorn.typing.ASGIFramework] = [router, app]
    of_asgiref: list[asgiref.typing.ASGI3Application] = [router, app]
    either: list[asgiref.typing.ASGIApplication] = [router, app]
    print(of_hypercorn, of_asgiref, either)


# Their apps, in ours


def wsgi(environ: Environ, start_response: StartResponse) -> list[bytes]:
    return []


async def of_asgiref(
    scope: asgiref.typing.Scope,
    receive: asgiref.typing.ASGIReceiveCallable,
    send: asgiref.typing.ASGISendCallable,
) -> None: ...


async def of_hypercorn(
    scope: hypercorn.typing.Scope,
    receive: hypercorn.typing.ASGIReceiveCallable,
    send: hypercorn.typing.ASGISendCallable,
) -> None: ...


async def untyped(scope: Any, receive: Any, send: Any) -> None: ...


async def of_dicts(scope: dict[str, Any], receive: Any, send: Any) -> None: ...


def mounted(router: rawasgi.Router) -> None:
    router.mount("/a", FastAPI())
    router.mount("/a", Starlette())
    router.mount("/a", a2wsgi.WSGIMiddleware(wsgi))
    router.mount("/a", CorrelationIdMiddleware(FastAPI()))
    router.mount("/a", BrotliMiddleware(FastAPI()))
    router.mount("/a", CompressMiddleware(FastAPI()))
    router.mount("/a", SentryAsgiMiddleware(FastAPI()))  # pyright: ignore[reportArgumentType]  # it may be of ASGI 2
    router.mount("/a", SlowAPIASGIMiddleware(FastAPI()))
    router.mount("/a", OpenTelemetryMiddleware(FastAPI()))
    router.mount("/a", ProxyHeadersMiddleware(untyped))
    router.mount("/a", hypercorn.middleware.ProxyFixMiddleware(of_hypercorn))
    router.mount("/a", falcon.asgi.App())
    router.mount("/a", litestar.Litestar())
    router.mount("/a", quart.Quart("a"))
    router.mount("/a", blacksheep.Application())
    router.mount("/a", of_asgiref)
    router.mount("/a", of_hypercorn)
    router.mount("/a", of_dicts)
    router.mount("/a", untyped)


async def nothing() -> None: ...


async def echo(websocket: rawasgi.WebSocket) -> None: ...


def composed(router: rawasgi.Router, theirs: App, life: Any) -> None:
    """Each function that takes apps takes any, and what it returns goes anywhere."""
    apps: list[App] = [
        compress(theirs),
        decompress(theirs),
        Drain()(theirs),
        after(theirs, nothing),
        lifespan(theirs, life),
        early_hints(theirs, ["</a.css>"]),
        push(theirs, "/a.css"),
        debug(theirs, dict),
        trailers(theirs),
        validate(theirs),
        trace(theirs, print),
        websocket_app(echo),
        directory("."),
        file("a"),
        respond.empty(),
    ]
    for app in apps:
        router.mount("/a", app)
        router.route("GET", "/a", app)
        FastAPI().mount("/a", app)
    FastAPI().add_middleware(trailers)
    FastAPI().add_middleware(early_hints, links=["</a.css>"])
    FastAPI().add_middleware(validate)
    Starlette(middleware=[Middleware(after, work=nothing), Middleware(lifespan, life)])


async def tested(theirs: FastAPI) -> None:
    await fetch(theirs)
    async with connect(theirs) as client, websocket(theirs) as talk:
        await client.started()
        await talk.accepted()
