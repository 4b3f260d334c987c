"""What a server owes an app. Servers that break a rule are named beside it."""

import re
from collections.abc import Iterable
from typing import cast

from rawasgi.dev import shapes
from rawasgi.dev.rules import Call, Message, rule
from rawasgi.errors import ServerError


@rule("HTTP and WebSocket, Connection Scope; Lifespan, Scope", "scope", fault=ServerError)
def scope_has_its_shape(call: Call, scope: Message) -> str | None:
    """A scope has the keys that it must have, and each key has its type."""
    if not isinstance(scope.get("type"), str):
        return f"scope['type'] must be str, not {scope.get('type')!r}"
    return shapes.mismatch(scope, shapes.SCOPES[call.kind], "scope") if call.known else None


@rule("HTTP, Connection Scope: asgi", "scope", types=("http", "websocket", "lifespan"), fault=ServerError)
def scope_has_versions(call: Call, scope: Message) -> str | None:
    """``asgi["version"]`` is 3.x, and ``asgi["spec_version"]``, if there, is a number with a dot."""
    asgi = cast(dict[str, str], scope["asgi"])
    if not asgi["version"].startswith("3."):
        return f"scope['asgi']['version'] must be '3.0', not {asgi['version']!r}: this is an ASGI 3 app"
    version = asgi.get("spec_version", "2.0")
    if not re.fullmatch(r"\d+\.\d+", version):
        return f"scope['asgi']['spec_version'] must be like '2.5', not {version!r}: leave it out if unknown"
    return None


@rule("HTTP, Connection Scope: method", "scope", types=("http",), fault=ServerError)
def method_is_uppercase(call: Call, scope: Message) -> str | None:
    """``method`` is uppercase and not empty."""
    method = str(scope["method"])
    return (
        None
        if method and method == method.upper()
        else f"scope['method'] must be uppercase, not {method!r}: upper() it"
    )


@rule("HTTP, Connection Scope: http_version", "scope", types=("http", "websocket"), fault=ServerError)
def http_version_is_known(call: Call, scope: Message) -> str | None:
    """``http_version`` is 1.0, 1.1 or 2; 3 is not in the spec, but hypercorn's, and let through."""
    version = scope.get("http_version", "1.1")
    return (
        None
        if version in ("1.0", "1.1", "2", "3")
        else f"scope['http_version'] must be '1.0', '1.1' or '2', not {version!r}"
    )


@rule("HTTP, Connection Scope: scheme", "scope", types=("http", "websocket"), fault=ServerError)
def scheme_is_not_empty(call: Call, scope: Message) -> str | None:
    """``scheme`` may be left out, but not empty."""
    return "scope['scheme'] must not be '': leave it out or say 'http'" if scope.get("scheme") == "" else None


@rule("HTTP, Connection Scope: raw_path", "scope", types=("http", "websocket"), fault=ServerError)
def raw_path_has_no_query(call: Call, scope: Message) -> str | None:
    """``raw_path`` ends before the question mark."""
    raw_path = cast(bytes, scope.get("raw_path") or b"")
    return (
        f"scope['raw_path'] must not have the query, as {raw_path!r}: it is query_string's"
        if b"?" in raw_path
        else None
    )


@rule("HTTP, Connection Scope: headers", "scope", types=("http", "websocket"), fault=ServerError)
def scope_headers_are_pairs(call: Call, scope: Message) -> str | None:
    """A header is a name and a value; pseudo headers are left out, ``:authority`` becomes ``host``."""
    for pair in cast(Iterable[tuple[bytes, ...]], scope["headers"]):
        if len(pair) != 2:
            return f"a header in scope['headers'] must be [name, value], not {pair!r}"
        if pair[0].startswith(b":"):
            return f"scope['headers'] must have no pseudo header, not {pair[0]!r}: leave it out"
    return None


@rule("HTTP, Connection Scope: client, server", "scope", types=("http", "websocket"), fault=ServerError)
def addresses_are_host_and_port(call: Call, scope: Message) -> str | None:
    """``client`` is a host and an int port; ``server`` too, or a socket's path and None. granian: the port is a str."""
    for key in ("client", "server"):
        match [*cast(Iterable[object], scope.get(key) or ("", None))]:
            case [str(), int() | None]:
                continue
            case address:
                return f"scope[{key!r}] must be [host, port] with an int port, not {address!r}"
    return None


@rule("TLS", "scope", types=("http", "websocket"), fault=ServerError)
def tls_is_of_secure_connections(call: Call, scope: Message) -> str | None:
    """The ``tls`` extension is there only if the connection is over TLS."""
    scheme = scope.get("scheme", "http")
    if "tls" in cast(dict[str, object], scope.get("extensions") or {}) and scheme in ("http", "ws"):
        return f"scope['extensions'] must not have 'tls' when the scheme is {scheme!r}"
    return None


@rule("ASGI, Error Handling", "received", fault=ServerError)
def received_has_its_shape(call: Call, message: Message) -> str | None:
    """What receive() gives is a message of this protocol, with its keys and types."""
    kind = message.get("type") if isinstance(message, dict) else None
    shape = shapes.RECEIVED[call.kind].get(str(kind))
    if shape is None:
        return f"receive() must give one of {', '.join(shapes.RECEIVED[call.kind])}, not {message!r}"
    return shapes.mismatch(message, shape, str(kind))


@rule("states.py", "received", fault=ServerError)
def received_in_order(call: Call, message: Message) -> str | None:
    """What receive() gives is legal at this moment; after a disconnect there are only disconnects."""
    try:
        call.order.received(message)
    except ServerError as error:
        return str(error)
    return None


@rule("WebSocket, Receive", "received", types=("websocket.receive",), fault=ServerError)
def received_is_bytes_or_text(call: Call, message: Message) -> str | None:
    """Exactly one of ``bytes`` and ``text`` of websocket.receive is not None."""
    return one_of(message)


def one_of(message: Message) -> str | None:
    """What is wrong with a websocket's message that has both, or neither."""
    there = [message.get(key) is not None for key in ("bytes", "text")]
    return (
        None
        if there.count(True) == 1
        else f"{message['type']} must have bytes or text, not {'both' if all(there) else 'neither'}"
    )
