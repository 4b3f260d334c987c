"""What the head of a request says: of an HTTP request, or of a websocket's handshake."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar, cast, overload

from rawasgi import cookies, parameters, paths
from rawasgi import headers as fields
from rawasgi.asgi import Headers, HTTPScope, WebSocketScope
from rawasgi.url import URL, Address, address_of, url_of

T = TypeVar("T")
D = TypeVar("D")
S = TypeVar("S", HTTPScope, WebSocketScope)

# In a scope: the Router that has it; and (Router, its root_path, those around it) of the one that has mounted the app.
_ROUTER, _OUTER = "rawasgi.router", "rawasgi.outer_router"


class Names(Protocol):
    """What knows the path of a route by its name: a Router."""

    def url_for(self, name: str, /, **params: object) -> str: ...


class Connection(Generic[S]):
    """What a Request and a WebSocket have in common: a view of their scope.

    Parameters come typed: ``request.query("delay", float, default=0.5)``. One that is missing or bad raises
    HTTPError(422), whose ``errors`` say where it stands (loc), what it must be (msg) and what came (input).
    """

    def __init__(self, scope: S) -> None:
        self.scope: S = scope

    @property
    def path(self) -> str:
        """The path, percent-decoded. With the root_path in it on uvicorn, and in a mount."""
        return self.scope["path"]

    @property
    def headers(self) -> Headers:
        """The header fields in their order, as pairs of bytes."""
        return self.scope["headers"]

    def header(self, name: str) -> str | None:
        """Return the first value of the header *name*, as latin-1, or None."""
        value = fields.get(self.headers, name.encode("latin-1"))
        return None if value is None else value.decode("latin-1")

    @property
    def state(self) -> dict[str, object]:
        """What the lifespan left: see ``lifespans``; empty if the server has none."""
        return self.scope.get("state", {})

    @property
    def client(self) -> Address | None:
        """The address of the client, or of the proxy before it; None if the server has none, as on a Unix socket."""
        return address_of(self.scope.get("client"))

    @cached_property
    def url(self) -> URL:
        """The URL, with its query; see ``url.url_of`` for what is known of the host."""
        return url_of(self.scope)

    @cached_property
    def cookies(self) -> Mapping[str, str]:
        """The cookies by their names; of several with one name the first: see ``cookies.parse``, which has all."""
        header = b"; ".join(fields.getlist(self.headers, b"cookie"))
        return dict(reversed(cookies.parse(header)))

    def url_for(self, name: str, /, **params: object) -> str:
        """Return the path of the route *name*, with the root_path: as the client has to ask for it.

        Looks in the Router that has chosen this handler, in what is mounted there, then in the Routers around it. For a
        whole URL put ``url.origin`` before it. Raises: KeyError for no such route; ValueError as ``Pattern.format``.
        """
        routers = _routers(self.scope)
        while routers is not None:
            router, root, routers = routers
            try:
                return paths.quoted(root) + cast(Names, router).url_for(name, **params)
            except KeyError:
                pass
        raise KeyError(name)

    # Parameters

    @overload
    def query(self, name: str) -> str: ...
    @overload
    def query(self, name: str, *, default: D) -> str | D: ...
    @overload
    def query(self, name: str, type: Callable[[str], T], *, minimum: T | None = ..., maximum: T | None = ...) -> T: ...
    @overload
    def query(
        self, name: str, type: Callable[[str], T], default: T, *, minimum: T | None = ..., maximum: T | None = ...
    ) -> T: ...

    def query(
        self,
        name: str,
        type: Callable[[str], T] = str,  # type: ignore[assignment]
        default: object = parameters.MISSING,
        *,
        minimum: T | None = None,
        maximum: T | None = None,
    ) -> Any:
        """Return the query parameter *name* as *type*: str, int, float, bool, or a function of a str.

        That raises ValueError or ArithmeticError for a bad one. Of several of that name the last counts. Raises:
        HTTPError(422); HTTPError(400) for more than 1000 fields.
        """
        return parameters.one("query", self._query, name, type, default, minimum, maximum)

    @overload
    def query_list(self, name: str) -> list[str]: ...
    @overload
    def query_list(
        self, name: str, type: Callable[[str], T], *, minimum: T | None = ..., maximum: T | None = ...
    ) -> list[T]: ...

    def query_list(
        self,
        name: str,
        type: Callable[[str], T] = str,  # type: ignore[assignment]
        *,
        minimum: T | None = None,
        maximum: T | None = None,
    ) -> list[Any]:
        """Return every query parameter *name* as *type*, in their order; none is an empty list. As ``query``."""
        values = self._query.get(name, ())
        return [parameters.convert("query", name, value, type, minimum, maximum) for value in values]

    @cached_property
    def _query(self) -> dict[str, list[str]]:
        return parameters.parse_query(self.scope.get("query_string") or b"")

    @overload
    def param(self, name: str) -> Any: ...
    @overload
    def param(self, name: str, type: Callable[[str], T], *, minimum: T | None = ..., maximum: T | None = ...) -> T: ...

    def param(
        self,
        name: str,
        type: Callable[[str], T] | None = None,
        *,
        minimum: T | None = None,
        maximum: T | None = None,
    ) -> object:
        """Return the path parameter *name*.

        Without *type*, it is what its converter gives: ``{id:int}`` an int, ``:float`` a float, ``:uuid`` a UUID,
        ``{name}`` and ``:path`` a str; a type checker takes it for Any. With *type*, it is of that type, and checked as
        a query parameter is. Raises: HTTPError(422); KeyError if the route has no such parameter.
        """
        value = self.scope.get("path_params", {})[name]
        if type is None:
            return value
        if value.__class__ is type:
            return parameters.convert("path", name, str(value), lambda _: cast(T, value), minimum, maximum)
        return parameters.convert("path", name, str(value), type, minimum, maximum)


def _routers(scope: HTTPScope | WebSocketScope) -> Any:
    """Return (Router, its root_path, those around it, or None) of the innermost Router; None without one."""
    keys = cast(dict[str, Any], scope)
    router, outer = keys.get(_ROUTER), keys.get(_OUTER)
    return outer if router is None else (router, scope.get("root_path", ""), outer)


def enter_router(scope: HTTPScope | WebSocketScope, router: Names) -> None:
    """Have ``url_for`` of a request with *scope* look in *router* first."""
    scope[_ROUTER] = router  # type: ignore[literal-required]  # not the spec's


def leave_router(scope: HTTPScope | WebSocketScope, child: HTTPScope | WebSocketScope) -> None:
    """Have ``url_for`` of a mounted app, which is called with *child*, look in the Router of *scope* last."""
    keys = cast(dict[str, Any], child)
    keys[_OUTER] = _routers(scope)
    keys.pop(_ROUTER, None)
