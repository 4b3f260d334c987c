"""What middleware around a router reads of its routes: the pattern, and the function."""

from typing import Any, cast

import clock
import pytest
from fastapi import FastAPI
from fastapi import Request as FastAPIRequest
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sentry_sdk.integrations.asgi import SentryAsgiMiddleware
from starlette.applications import Starlette
from starlette.middleware.opentelemetry import OpenTelemetryMiddleware as StarlettesMiddleware
from starlette.requests import Request as StarletteRequest
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from rawasgi import Request, Router, WebSocket, files, respond
from rawasgi.app_types import as_app
from rawasgi.asgi import App, Receive, Scope, Send
from rawasgi.compression import compress
from rawasgi.dev.client import fetch, websocket


def fastapi_app() -> FastAPI:
    """A FastAPI app with a route, a mount and a link."""
    app = FastAPI()

    @app.get("/items/{item_id:int}", name="item")
    async def item(item_id: int, request: FastAPIRequest) -> str:
        return str(request.url_for("item", item_id=item_id).path)

    app.mount("/sub", Starlette(routes=[Route("/x/{name}", below, name="below")]))
    app.mount("/static", as_app(respond.text("static")))
    return app


async def below(request: StarletteRequest) -> PlainTextResponse:
    return PlainTextResponse("below")


starlette_app = Starlette(
    routes=[Mount("/sub", routes=[Route("/x/{name}", below)]), Mount("/static", app=as_app(respond.text("static")))]
)


def site(folder: str = "/tmp") -> Router:
    outer, inner = Router(), Router()

    @outer.get("/items/{id:int}", name="item")
    async def item(request: Request) -> str:
        return request.url_for("item", id=request.param("id"))

    @outer.post("/items/{id:int}")
    async def create(request: Request) -> str:
        return ""

    @outer.websocket("/talk/{room}")
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()

    @inner.get("/deep/{path:path}")
    async def deep(request: Request) -> str:
        return ""

    @inner.get("/bug")
    async def bug(request: Request) -> str:
        raise ValueError("a bug")

    outer.route("GET", "/plain", respond.text("plain"))
    outer.mount("/inner", inner)
    outer.mount("/coded", compress(inner))
    outer.mount("/fast", fastapi_app())
    outer.mount("/starlette", starlette_app)
    outer.mount("/files", files.directory(folder))
    return outer


def keys(app: App, path: str, method: str = "GET", root: str = "") -> tuple[object, object, object]:
    """The route's path and path_format, and the endpoint's name, as middleware around *app* sees them."""
    seen: list[Any] = []

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        before = dict(scope)
        try:
            await app(scope, receive, send)
        finally:
            after = cast(dict[str, Any], dict(scope))
            assert {key: after[key] for key in before} == before
            seen.append(after)

    clock.run(fetch(middleware, method=method, scope={"path": root + path, "root_path": root}))
    route, endpoint = seen[0].get("route"), seen[0].get("endpoint")
    return (
        getattr(route, "path", None),
        getattr(route, "path_format", None),
        getattr(endpoint, "__qualname__", type(endpoint).__name__).rpartition(".")[2],
    )


@pytest.mark.parametrize("root", ["", "/api"])
@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/items/7", ("/items/{id:int}", "/items/{id}", "item")),
        ("HEAD", "/items/7", ("/items/{id:int}", "/items/{id}", "item")),
        ("POST", "/items/7", ("/items/{id:int}", "/items/{id}", "create")),
        ("GET", "/plain", ("/plain", "/plain", "Response")),
        ("GET", "/inner/deep/a/b", ("/inner/deep/{path:path}", "/inner/deep/{path}", "deep")),
        ("GET", "/coded/deep/a/b", ("/coded/deep/{path:path}", "/coded/deep/{path}", "deep")),
        ("GET", "/fast/items/7", ("/fast/items/{item_id:int}", "/fast/items/{item_id}", "item")),
        ("GET", "/fast/sub/x/y", ("/fast/sub/x/{name}", "/fast/sub/x/{name}", "below")),
        ("GET", "/fast/static/y", ("/fast/static/{path:path}", "/fast/static/{path}", "Response")),
        ("GET", "/starlette/sub/x/y", ("/starlette/sub/x/{name}", "/starlette/sub/x/{name}", "below")),
        ("GET", "/starlette/static/y", ("/starlette/static", "/starlette/static/{path}", "Response")),
        ("GET", "/files/none", ("/files/{path:path}", "/files/{path}", "app")),
        ("GET", "/coded/none", ("/coded/{path:path}", "/coded/{path}", "compressed")),
        ("GET", "/inner/none", ("/inner/{path:path}", "/inner/{path}", "Router")),
        ("DELETE", "/items/7", (None, None, "NoneType")),
        ("GET", "/none", (None, None, "NoneType")),
    ],
)
def test_a_route_is_in_the_scope_by_its_pattern(
    method: str, path: str, root: str, expected: tuple[object, ...]
) -> None:
    assert keys(site(), path, method, root) == expected


@pytest.mark.parametrize("root", ["", "/api"])
def test_fastapi_in_ours_in_fastapi_has_its_own_links(root: str) -> None:
    outer = FastAPI()
    outer.mount("/ours", as_app(site()))
    for path in ("/ours/fast/items/7", "/ours/items/7"):
        answer = clock.run(fetch(outer, scope={"path": root + path, "root_path": root}))
        assert answer.text.strip('"') == root + path


def test_a_websocket_too() -> None:
    seen: list[Any] = []

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        await site()(scope, receive, send)
        seen.append((cast(Any, scope)["route"].path, cast(Any, scope)["endpoint"].__name__))

    async def script() -> None:
        async with websocket(middleware, "/talk/x") as client:
            await client.accepted()
            await client.finished()

    clock.run(script())
    assert seen == [("/talk/{room}", "talk")]


# Real ones


def ask(app: App, path: str, root: str) -> None:
    clock.run(fetch(app, scope={"path": root + path, "root_path": root}))


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/items/7", "/items/{id}"),
        ("/inner/deep/a", "/inner/deep/{path}"),
        ("/coded/deep/a", "/coded/deep/{path}"),
        ("/fast/items/7", "/fast/items/{item_id}"),
    ],
)
@pytest.mark.parametrize("root", ["", "/api"])
def test_opentelemetry_names_the_pattern(path: str, root: str, route: str) -> None:
    exporter, spans = InMemorySpanExporter(), TracerProvider()
    spans.add_span_processor(SimpleSpanProcessor(exporter))
    ask(StarlettesMiddleware(site(), tracer_provider=spans), path, root)
    assert exporter.get_finished_spans()[-1].name == f"GET {root}{route}"
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader])
    ask(OpenTelemetryMiddleware(site(), tracer_provider=spans, meter_provider=meters), path, root)
    metrics: Any = reader.get_metrics_data()
    (duration,) = [
        metric for metric in metrics.resource_metrics[0].scope_metrics[0].metrics if metric.name.endswith("duration")
    ]
    assert duration.data.data_points[0].attributes["http.target"] == f"{root}{route}"


@pytest.mark.parametrize(
    ("style", "path", "name"),
    [
        ("url", "/items/7", "/items/{id:int}"),
        ("url", "/inner/deep/a", "/inner/deep/{path:path}"),
        ("url", "/fast/items/7", "/fast/items/{item_id:int}"),
        ("endpoint", "/items/7", "test_route_patterns.site.<locals>.item"),
        ("endpoint", "/coded/deep/a", "test_route_patterns.site.<locals>.deep"),
    ],
)
def test_sentry_names_the_pattern_or_the_function(style: str, path: str, name: str) -> None:
    names: list[str] = []

    async def named(scope: Scope, receive: Receive, send: Send) -> None:
        await site()(scope, receive, send)
        names.append(sentry._get_transaction_name_and_source(style, cast(Any, scope))[0])

    sentry = SentryAsgiMiddleware(as_app(named), transaction_style=style)
    clock.run(fetch(cast(App, sentry), path))
    assert names[0].endswith(name)
