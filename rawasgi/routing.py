"""Which app answers which path."""

from collections.abc import Callable, Collection
from contextlib import suppress
from typing import TypeVar, Unpack

from rawasgi import paths, respond
from rawasgi.asgi import App, HTTPScope, Scope, WebSocketScope
from rawasgi.connection import enter_router
from rawasgi.error_responses import ErrorFunction, error_response, set_error_function
from rawasgi.errors import AppError, HTTPError
from rawasgi.handling import Answering, Function, Handler, HandlerOptions, Kind, handler
from rawasgi.lifespans import lifespans
from rawasgi.mounting import Mount
from rawasgi.websocket import WebSocket, WebSocketEndpoint, websocket_app

F = TypeVar("F", bound=Function)
W = TypeVar("W", bound=WebSocketEndpoint)


class _Route:
    """What is at one pattern: an app for each method, and one for a websocket."""

    def __init__(self, pattern: paths.Pattern) -> None:
        self.pattern = pattern
        self.methods: dict[str, App] = {}
        self.websocket: App | None = None
        self.websocket_function: object = None

    def app(self, method: str) -> App | None:
        return self.methods.get(method) or (self.methods.get("GET") if method == "HEAD" else None)


class Router(Answering):
    """An app of many apps: ``get``, ``post``, ``put``, ``patch``, ``delete`` and ``websocket`` take functions,
    ``mount`` apps.

    HEAD follows GET; OPTIONS is answered with Allow. No route is 404, no such method 405 with Allow. A static path
    goes before a pattern, a route before a mount, the longest mount first. The lifespans of the mounted apps run each
    inside of the one mounted before it. *options*: of all its handlers, see ``HandlerOptions``. Raises: AppError for a
    lifespan without a mounted app: see ``lifespan``.

    *error*: a function, async or not, of a Request and an HTTPError, that returns the response to a request that failed
    with it: in a handler, in ``files``, or for want of a route, here and in what is mounted, unless that is a Router
    with one of its own. See ``error_responses.error_response``, which it may call for what it does not change.

    Writes ``route``, ``endpoint`` and ``path_params`` into the scope it is called with, as Starlette does, so that
    middleware around it (OpenTelemetry, Sentry) finds the pattern of the route.
    """

    def __init__(self, *, error: ErrorFunction | None = None, **options: Unpack[HandlerOptions]) -> None:
        self._error = error
        self._options = options
        self._table: paths.Table[_Route] = paths.Table()
        self._routes: dict[str, _Route] = {}
        self._names: dict[str, paths.Pattern] = {}
        self._mounts: list[Mount] = []
        self._mounted_apps: list[App] = []  # once each, in the order of their lifespans

    # Registering

    def get(
        self, path: str, kind: Kind | None = None, name: str | None = None, **options: Unpack[HandlerOptions]
    ) -> Callable[[F], F]:
        """Answer GET and HEAD of *path*. *name* is for ``url_for``.

        The items of an async generator function become a stream of *kind*, by default ``respond.stream``; a function
        that returns has no kind. *options*: see ``HandlerOptions``. Raises: TypeError, when the function is registered;
        as ``handler``.
        """
        return self._method("GET", path, kind, name, options)

    def post(
        self, path: str, kind: Kind | None = None, name: str | None = None, **options: Unpack[HandlerOptions]
    ) -> Callable[[F], F]:
        """Answer POST of *path*; as ``get``."""
        return self._method("POST", path, kind, name, options)

    def put(
        self, path: str, kind: Kind | None = None, name: str | None = None, **options: Unpack[HandlerOptions]
    ) -> Callable[[F], F]:
        """Answer PUT of *path*; as ``get``."""
        return self._method("PUT", path, kind, name, options)

    def patch(
        self, path: str, kind: Kind | None = None, name: str | None = None, **options: Unpack[HandlerOptions]
    ) -> Callable[[F], F]:
        """Answer PATCH of *path*; as ``get``."""
        return self._method("PATCH", path, kind, name, options)

    def delete(
        self, path: str, kind: Kind | None = None, name: str | None = None, **options: Unpack[HandlerOptions]
    ) -> Callable[[F], F]:
        """Answer DELETE of *path*; as ``get``."""
        return self._method("DELETE", path, kind, name, options)

    def _method(
        self, method: str, path: str, kind: Kind | None, name: str | None, options: HandlerOptions
    ) -> Callable[[F], F]:
        options = {**self._options, **options}

        def register(function: F) -> F:
            self.route(method, path, handler(function, kind, **options), name or function.__name__)
            return function

        return register

    def route(self, method: str, path: str, app: App, name: str | None = None) -> None:
        """Let *app* answer *method* of *path*. Raises: ValueError if something does already, or for a bad pattern."""
        route = self._at(path, name)
        if method in route.methods:
            raise ValueError(f"{method} {path} must have one handler, and has one already")
        route.methods[method] = app

    def websocket(self, path: str, name: str | None = None) -> Callable[[W], W]:
        """Let an async function of a WebSocket answer the websockets of *path*."""

        def register(function: W) -> W:
            route = self._at(path, name or function.__name__)
            if route.websocket is not None:
                raise ValueError(f"websocket {path} must have one handler, and has one already")
            route.websocket, route.websocket_function = websocket_app(function), function
            return function

        return register

    def _at(self, path: str, name: str | None) -> _Route:
        route = self._routes.get(path)
        if route is None:
            route = _Route(paths.compile(path))
            self._table.add(path, route)
            self._routes[path] = route
        if name is not None:
            self._names.setdefault(name, route.pattern)
        return route

    def mount(self, prefix: str, app: App) -> None:
        """Let *app* answer all under *prefix*: its root_path grows by it, its path has the whole root_path in it.

        So the spec wants it, and uvicorn gives it; hypercorn and granian leave their own root_path out of the path.
        With the prefix "/" or "", *app* gets what no route and no other mount takes. A route takes its path also for
        the methods that it does not have: they are 405, and do not reach *app*.
        """
        mount = Mount("" if prefix == "/" else prefix, app)
        self._mounts.append(mount)
        if app not in self._mounted_apps:
            self._mounted_apps.append(app)
        self._mounts.sort(key=lambda mount: len(mount.prefix), reverse=True)

    def url_for(self, name: str, /, **params: object) -> str:
        """Return the path of the route *name* below this router; ``Request.url_for`` puts the root_path before it.

        What is not here is looked for in the mounted routers, in the order of their mounting. Raises: KeyError for no
        such route; ValueError as ``Pattern.format``.
        """
        if name in self._names:
            return self._names[name].format(**params)
        for app in self._mounted_apps:
            if isinstance(app, Router):
                prefix = next(mount.prefix for mount in self._mounts if mount.app is app)
                with suppress(KeyError):
                    return paths.quoted(prefix) + app.url_for(name, **params)
        raise KeyError(name)

    # Answering

    def _app(self, scope: Scope) -> tuple[App, Scope]:
        if scope["type"] == "lifespan":
            if self._mounted_apps:
                return lifespans(self._mounted_apps), scope
            raise AppError(f"a Router answers http and websocket, not {scope['type']}: wrap it in lifespan()")
        enter_router(scope, self)
        if self._error is not None:
            set_error_function(scope, self._error)
        if scope["type"] == "websocket":
            return self._websocket(scope)
        path = paths.route_path(scope) if scope.get("root_path") else scope["path"]
        first = self._table.match(path)  # nearly always the one, and found in half the time
        if first is not None:
            route, params = first
            app = route.methods.get(scope["method"])
            if app is not None:
                # What _select() does, without a call.
                scope["route"] = route.pattern
                scope["endpoint"] = app.function if type(app) is Handler else app
                if params:
                    outer = scope.get("path_params")
                    scope["path_params"] = {**outer, **params} if outer else params
                return app, scope
        return self._http(path, scope)

    def _http(self, path: str, scope: HTTPScope) -> tuple[App, Scope]:
        """Return the app that answers *path*, whatever it takes to find it."""
        method = scope["method"]
        allowed: set[str] = set()
        for route, params in self._table.matches(path):
            if (app := route.app(method)) is not None:
                _select(scope, route, getattr(app, "function", app), params)
                return app, scope
            allowed.update(route.methods)
        if (mounted := self._mounted(path, scope, allowed)) is not None:
            return mounted
        if not allowed:
            return error_response(HTTPError(404)), scope
        allow = ", ".join(sorted(allowed | {"OPTIONS"} | ({"HEAD"} if "GET" in allowed else set())))
        if method == "OPTIONS":
            return respond.empty(204, {"allow": allow}), scope
        return error_response(HTTPError(405, headers={"allow": allow})), scope

    def _websocket(self, scope: WebSocketScope) -> tuple[App, Scope]:
        """As ``_http``, for a websocket."""
        path = paths.route_path(scope)
        for route, params in self._table.matches(path):
            if route.websocket is not None:
                _select(scope, route, route.websocket_function, params)
                return route.websocket, scope
        return self._mounted(path, scope, ()) or (_unknown, scope)

    def _mounted(
        self, path: str, scope: HTTPScope | WebSocketScope, allowed: Collection[str]
    ) -> tuple[App, Scope] | None:
        """Return the app that is mounted at *path*; not at the root if routes have *path* with *allowed* methods."""
        for mount in self._mounts:
            if mount.takes(path) and (mount.prefix or not allowed):
                if type(mount.app) is not Router:
                    return mount, scope
                child = mount.child(scope)
                found = mount.app._app(child)
                mount.report(scope, child)
                return found
        return None


def _select(scope: HTTPScope | WebSocketScope, route: _Route, endpoint: object, params: dict[str, object]) -> None:
    scope["route"] = route.pattern
    scope["endpoint"] = endpoint
    if params:
        outer = scope.get("path_params")
        scope["path_params"] = {**outer, **params} if outer else params


@websocket_app
async def _unknown(websocket: WebSocket) -> None:
    raise HTTPError(404)
