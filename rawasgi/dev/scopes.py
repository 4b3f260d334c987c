"""The scope of a request, as a server makes it, and headers as a script writes and reads them."""

from collections.abc import Iterable, Mapping
from typing import cast
from urllib.parse import quote, unquote

from rawasgi.asgi import Headers, Scope
from rawasgi.dev.exchange import How

Pairs = Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]]


class Options(How, total=False):
    """What the scope of a request has. None: it has no such key."""

    headers: Pairs
    spec_version: str | None  # "2.3"
    extensions: Mapping[str, dict[str, object]] | None  # None
    state: Mapping[str, object] | None  # None; the app gets a shallow copy, as from servers
    scope: Mapping[str, object]  # more keys, or other values: {"root_path": "/api"}


def how(options: Options) -> How:
    """The part of *options* that is not about the scope."""
    return cast(How, {key: value for key, value in options.items() if key in How.__annotations__})


def pairs(headers: Pairs | Headers) -> list[tuple[bytes, bytes]]:
    """Headers as byte pairs, names lowercase."""
    items = headers.items() if isinstance(headers, Mapping) else headers
    return [(raw(name).lower(), raw(value)) for name, value in items]


def raw(text: str | bytes) -> bytes:
    return text.encode("latin-1") if isinstance(text, str) else text


def find(headers: Iterable[tuple[bytes, bytes]], name: str) -> str | None:
    """The value of the first header of that name."""
    return next((value.decode("latin-1") for key, value in headers if key == raw(name).lower()), None)


def request_scope(kind: str, target: str, options: Options, **more: object) -> Scope:
    """The scope of a request for *target*, which may be percent-encoded and have a query."""
    path, _, query = target.partition("?")
    raw_path = quote(path, safe="/%:@!$&'()*+,;=")
    version = options.get("spec_version", "2.3")
    headers = pairs(options.get("headers", ()))
    if find(headers, "host") is None:
        headers.insert(0, (b"host", b"testserver"))
    scope = {
        "type": kind,
        "asgi": {"version": "3.0"} if version is None else {"version": "3.0", "spec_version": version},
        "http_version": "1.1",
        "path": unquote(raw_path),
        "raw_path": raw_path.encode(),
        "query_string": quote(query, safe="/%:@!$&'()*+,;=?").encode(),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
        **more,
    }
    if (extensions := options.get("extensions")) is not None:
        scope["extensions"] = dict(extensions)
    if (state := options.get("state")) is not None:
        scope["state"] = dict(state)
    return cast(Scope, {**scope, **options.get("scope", {})})
