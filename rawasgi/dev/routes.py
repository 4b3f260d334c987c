"""Read the routes of an app: FastAPI's, Starlette's, and those of our own ``Router``.

Theory of operation. No framework is imported: a route is read by the attributes that the frameworks have in common.
``routes`` leads to the routes of an app, of a mount and of a host; ``path``, ``methods`` and ``endpoint`` are those of
a route. FastAPI includes routers lazily since 0.13x: ``effective_route_contexts()`` of what stands in ``app.routes``
yields the routes of the included router, each with its whole path. Middleware has the app that it wraps in ``app``, in
``__wrapped__``, or in the closure of a function.
"""

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from rawasgi.dev.places import relative
from rawasgi.handling import Handler
from rawasgi.routing import Router

PARAMETER = re.compile(r"\{(?P<name>[A-Za-z_][A-Za-z_0-9]*)(?::(?P<converter>[A-Za-z_]+))?\}")
WEBSOCKET = "WS"  # the method of a websocket, as rawasgi check has it
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY")
_DEPTH = 20  # of middleware around middleware


@dataclass(frozen=True, slots=True)
class Route:
    """One route, with one method.

    *path* has the prefixes of all mounts and routers around it, and its parameters in braces. *local_path* is without
    the prefixes of the mounts: as *app*, which the route belongs to, has it in ``openapi()``. *declared* is the
    framework's own object. *host*: the pattern of a ``Host`` around it; empty: any.
    """

    method: str
    path: str
    endpoint: Any
    declared: Any
    app: Any
    local_path: str
    host: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def function(self) -> FunctionType | None:
        """The function of the endpoint, without what decorates it; None if it is not written in Python."""
        return function_of(self.endpoint, self.method)


@dataclass(frozen=True, slots=True)
class Routes:
    """*found*: in the order in which the app tries them. *unread*: a mounted app that has no routes to read."""

    found: list[Route]
    unread: list[str]


def routes(app: Any) -> Routes:
    """Return the routes of *app*, and of all apps that are mounted in it, through the middleware around each."""
    reader = _Reader()
    reader.read(app, "", "")
    return Routes(reader.found, reader.unread)


def route_at(found: Iterable[Route], method: str, path: str) -> Route | None:
    """Return the route of *found* that answers *method* of *path*; None if there is none."""
    for route in found:
        if route.method == method and re.fullmatch(_expression(route.path), path.partition("?")[0]):
            return route
    return None


def _expression(pattern: str) -> str:
    parts, end = [], 0
    for match in PARAMETER.finditer(pattern):
        parts += [re.escape(pattern[end : match.start()]), ".*" if match["converter"] == "path" else "[^/]+"]
        end = match.end()
    return "".join([*parts, re.escape(pattern[end:])])


class _Reader:
    def __init__(self) -> None:
        self.found: list[Route] = []
        self.unread: list[str] = []
        self._open: list[int] = []  # ids of the apps that are being read: an app may be mounted in itself

    def read(self, app: Any, prefix: str, host: str) -> None:
        inner = unwrapped(app)
        if inner is None:
            self.unread.append(f"{prefix or '/'} ({_name(app)})")
        elif id(inner) not in self._open:
            self._open.append(id(inner))
            if isinstance(inner, Router):
                self._ours(inner, prefix, host)
            else:
                for declared in effective(inner.routes):
                    self._framework(declared, inner, prefix, host)
            self._open.pop()

    def _framework(self, declared: Any, app: Any, prefix: str, host: str) -> None:
        path = getattr(declared, "path", None)
        if (pattern := getattr(declared, "host", None)) is not None and path is None:
            self.read(declared.app, prefix, pattern)
        elif not isinstance(path, str):
            self.unread.append(f"{prefix or '/'} ({_name(declared)})")
        elif hasattr(declared, "endpoint"):
            for method in _methods(declared):
                self.found.append(Route(method, prefix + path, declared.endpoint, declared, app, path, host))
        else:
            self.read(getattr(declared, "app", None), prefix + path, host)

    def _ours(self, router: Router, prefix: str, host: str) -> None:
        for path, route in router._routes.items():
            answering = dict(route.methods) | ({WEBSOCKET: route.websocket} if route.websocket else {})
            for method, app in answering.items():
                function = app.function if isinstance(app, Handler) else app
                self.found.append(Route(method, prefix + path, function, app, router, path, host))
        for mount in router._mounts:
            self.read(mount.app, prefix + mount.prefix, host)


def effective(routes: Iterable[Any]) -> Iterator[Any]:
    """Yield the routes, and in the place of an included router its own, each with its whole path."""
    for route in routes:
        contexts = getattr(route, "effective_route_contexts", None)
        if contexts is None:
            yield route
        else:
            for context in contexts():
                yield getattr(context, "starlette_route", None) or context


def unwrapped(app: Any) -> Any:
    """Return the app with routes that *app* is, or wraps; None if there is none, or if it wraps several."""
    for _ in range(_DEPTH):
        if isinstance(app, Router) or isinstance(getattr(app, "routes", None), list | tuple):
            return app
        inner = getattr(app, "app", None) or getattr(app, "__wrapped__", None) or _enclosed(app)
        if inner is None:
            return None
        app = inner
    return None


def _enclosed(app: Any) -> Any:
    """Return the one app with routes in the closure of the function *app*, as ``Drain()(app)`` has it."""
    cells = getattr(app, "__closure__", None) or ()
    contents = [cell.cell_contents for cell in cells if _is_filled(cell)]
    apps = [each for each in contents if callable(each) and unwrapped(each) is not None]
    return apps[0] if len(apps) == 1 else None


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018  # it raises where the variable has no value yet
    except ValueError:
        return False
    return True


def _methods(declared: Any) -> list[str]:
    """Return the methods of a route, without HEAD and OPTIONS where GET is there, which they follow."""
    methods = getattr(declared, "methods", None)
    if methods is None:
        if "websocket" in type(declared).__name__.lower():
            return [WEBSOCKET]
        endpoint = declared.endpoint  # a class with a method for each, or an ASGI app
        methods = [method for method in _METHODS if hasattr(endpoint, method.lower())] or ["GET"]
    known = sorted(methods, key=lambda method: (*_METHODS, method).index(method))
    return [method for method in known if "GET" not in known or method not in ("HEAD", "OPTIONS")]


def function_of(endpoint: Any, method: str = "GET") -> FunctionType | None:
    """Return the function that *endpoint* is, or calls, without decorators that keep ``__wrapped__``."""
    if isinstance(endpoint, type):
        endpoint = getattr(endpoint, method.lower(), None) or getattr(endpoint, "on_receive", None)
    while isinstance(endpoint, functools.partial):
        endpoint = endpoint.func
    if not callable(endpoint):
        return None
    endpoint = inspect.unwrap(endpoint)
    endpoint = getattr(endpoint, "__func__", endpoint)
    if not isinstance(endpoint, FunctionType):
        endpoint = inspect.getattr_static(type(endpoint), "__call__", None)
    return endpoint if isinstance(endpoint, FunctionType) else None


def declaration(function: Callable[..., object] | None) -> tuple[str, int]:
    """Return the file and the line in which *function* begins, its decorators included; ("", 0) if it has none."""
    code = getattr(function, "__code__", None)
    return (relative(code.co_filename), code.co_firstlineno) if code is not None else ("", 0)


def _name(app: Any) -> str:
    return getattr(app, "__qualname__", None) or type(app).__qualname__
