"""An app under a prefix."""

from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from rawasgi import paths
from rawasgi.app_types import AnyReceive, AnyScope, AnySend, App
from rawasgi.asgi import HTTPScope, WebSocketScope
from rawasgi.connection import leave_router

# What a router has written into the scope of its own requests. Starlette's Router takes the first two, if they are
# there, for those of the outermost app, and url_for() then looks in the wrong routes.
_ROUTERS_KEYS = ("router", "app_root_path", "route", "endpoint")


class Place(NamedTuple):
    """The route of a mounted app, as ``scope["route"]``: by these names OpenTelemetry and Sentry read it."""

    path: str
    path_format: str


@dataclass(frozen=True, slots=True)
class Mount:
    """*app* under *prefix*; itself the app that is called with the scope of the router."""

    prefix: str
    app: App

    def __post_init__(self) -> None:
        if self.prefix and (not self.prefix.startswith("/") or self.prefix.endswith("/")):
            raise ValueError(
                f"the prefix of a mount must begin with / and not end with it, not {self.prefix!r}: / alone is the root"
            )

    def takes(self, path: str) -> bool:
        """Return whether *path* is under the prefix."""
        return path.startswith(self.prefix) and path[len(self.prefix) : len(self.prefix) + 1] in ("", "/")

    def child(self, scope: HTTPScope | WebSocketScope) -> HTTPScope | WebSocketScope:
        """Return the scope for the app; *scope* stays as it is."""
        child = scope.copy()
        for key in _ROUTERS_KEYS:
            cast(dict[str, object], child).pop(key, None)
        leave_router(scope, child)
        root = scope.get("root_path", "")
        child["root_path"], child["path"] = root + self.prefix, root + paths.route_path(scope)
        return child

    def report(self, scope: HTTPScope | WebSocketScope, child: HTTPScope | WebSocketScope) -> None:
        """Write into *scope* the route and endpoint that the app has written into *child*, under the prefix."""
        route: Any = child.get("route")
        path, path_format = getattr(route, "path", "/{path:path}"), getattr(route, "path_format", "/{path}")
        # Starlette's mounts let the root_path grow in the scope that they are called with.
        root, grown = scope.get("root_path", "") + self.prefix, child.get("root_path", "")
        below = grown[len(root) :] if grown.startswith(root) else ""
        if path_format == f"{path}/{{path}}":  # the route is such a mount, and has its own prefix
            below = below.removesuffix(path)
        scope["route"] = Place(self.prefix + below + path, self.prefix + below + path_format)
        scope["endpoint"] = child.get("endpoint", self.app)

    async def __call__(self, scope: AnyScope, receive: AnyReceive, send: AnySend) -> None:
        child = self.child(scope)
        try:
            await self.app(child, receive, send)
        finally:
            self.report(scope, child)
