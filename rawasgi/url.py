"""The URL of a request.

Spec: RFC 3986; RFC 9110, 7.1 "Determining the Target Resource", 7.2 "Host and :authority".
"""

import re
from collections.abc import Iterable
from ipaddress import IPv6Address
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit

from rawasgi import headers as fields
from rawasgi import paths
from rawasgi.asgi import HTTPScope, WebSocketScope

# Narrower than RFC 3986, 3.2.2: no user, and no character that a name in the DNS never has.
_HOST = re.compile(rb"(?:\[([0-9A-Fa-f:.]+)\]|[0-9A-Za-z._-]+)(?::([0-9]{1,5}))?")
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
_PATH_SAFE, _QUERY_SAFE = _PRINTABLE.replace("#", "").replace("?", ""), _PRINTABLE.replace("#", "")


class URL(str):
    """A URL, and its parts. An absolute one, or a path and a query if no host is known."""

    __slots__ = ()

    @property
    def _split(self) -> SplitResult:
        return urlsplit(str(self))

    @property
    def scheme(self) -> str:
        """ "http", "https", "ws" or "wss"."""
        return self._split.scheme

    @property
    def netloc(self) -> str:
        """The host and the port, as ``example.com:8000``."""
        return self._split.netloc

    @property
    def hostname(self) -> str | None:
        """The host in lowercase, without the port."""
        return self._split.hostname

    @property
    def port(self) -> int | None:
        """The port, or None if it is the one of the scheme."""
        return self._split.port

    @property
    def path(self) -> str:
        """The path, percent-encoded, with the root_path."""
        return self._split.path

    @property
    def query(self) -> str:
        """The query, percent-encoded, without ``?``."""
        return self._split.query

    @property
    def origin(self) -> str:
        """The scheme and the host, to put before what ``url_for`` returns; "" if no host is known."""
        return f"{self.scheme}://{self.netloc}" if self.netloc else ""


class Address(NamedTuple):
    """One end of a connection."""

    host: str
    port: int


def address_of(pair: Iterable[str | int | None] | None) -> Address | None:
    """Return the address that is ``client`` or ``server`` of a scope; None if there is none, as of a Unix socket."""
    host, port, *_ = (*(pair or ()), None, None)
    if isinstance(port, str) and port.isdecimal():  # granian 2.8
        port = int(port)
    return Address(host, port) if isinstance(host, str) and isinstance(port, int) else None


def url_of(scope: HTTPScope | WebSocketScope) -> URL:
    """Return the URL that the client asked for, as far as the server has learnt it.

    The host is that of the Host header, which the client chooses: compare it before trusting it. If that is absent or
    no host, it is the address of the server. The path is percent-encoded as it came if the server has kept that
    (``raw_path``). Behind a proxy, the scheme is right if the server has it from the proxy (uvicorn
    ``--proxy-headers``), and the path if the server has its ``root_path``.
    """
    scheme = scope.get("scheme") or ("ws" if scope["type"] == "websocket" else "http")
    netloc, path = _netloc(scope, scheme), _path(scope)
    query = quote(scope.get("query_string") or b"", safe=_QUERY_SAFE)
    if netloc:
        path = f"{scheme}://{netloc}{path}"
    elif path.startswith("//"):
        path = "/%2F" + path[2:]  # two slashes begin a host
    return URL(f"{path}?{query}" if query else path)


def _netloc(scope: HTTPScope | WebSocketScope, scheme: str) -> str:
    host = fields.get(scope["headers"], b"host")
    if host is not None and _is_host(host):
        return host.decode()
    server = address_of(scope.get("server"))
    if server is None:
        return ""
    name = f"[{server.host}]" if ":" in server.host else server.host
    return name if server.port == _PORTS.get(scheme) else f"{name}:{server.port}"


def _is_host(host: bytes) -> bool:
    found = _HOST.fullmatch(host)
    if found is None or int(found[2] or 0) > 65535:
        return False
    try:
        return found[1] is None or bool(IPv6Address(found[1].decode()))
    except ValueError:
        return False


def _path(scope: HTTPScope | WebSocketScope) -> str:
    own = paths.route_path(scope)
    path = scope.get("root_path", "") + (own if own.startswith("/") else f"/{own}")
    raw = scope.get("raw_path") or b""
    # The raw path has neither the root_path of some servers nor what a mount adds to it.
    decoded = unquote(raw.decode("latin-1"))
    if raw.startswith(b"/") and path.endswith(decoded):
        return paths.quoted(path[: len(path) - len(decoded)]) + quote(raw, safe=_PATH_SAFE)
    return paths.quoted(path)
