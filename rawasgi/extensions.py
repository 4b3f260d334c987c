"""What only some servers can do, and what stands in for it on the others: one function an extension.

A server offers an extension by its name in ``scope["extensions"]``, connection by connection: many only over HTTP/2 and
HTTP/3. What is true of one server only is in servers.py. Spec: extensions, as of asgiref 3.13; each section has the
name of its extension. Trailers are in trailers.py, denials of websockets in websocket.py.
"""

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from rawasgi import headers as fields
from rawasgi.asgi import App, HTTPScope, Receive, Scope, Send, Sent

Pairs: TypeAlias = Iterable[tuple[bytes, bytes]]


def offers(scope: Scope, name: str) -> bool:
    """Return whether the server takes the messages of the extension *name*; the key may be absent, or None."""
    return name in (cast(HTTPScope, scope).get("extensions") or {})


# Early Hints

_LINK = re.compile(rb"<[^<> \t]*>([ \t]*;.*)?")  # RFC 8288, 3, as far as the target


def early_hints(app: App, links: Iterable[str | bytes]) -> App:
    """Return *app* with *links* told to its client before it begins, and again in its answer.

    *links*: values of Link fields, as ``</style.css>; rel=preload; as=style``. Sends: http.response.early_hint before
    *app* is called, if offered; else nothing. In both cases each link is also a field of http.response.start, after the
    app's own, for what did not see the hint (RFC 8297, 2). Raises: ValueError for what is no link.
    """
    hints = [_link(value) for value in links]

    async def hinted(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and hints:
            if offers(scope, "http.response.early_hint"):
                # Before the start: see Server.refuses_late_hints. If the client left, the app still runs: it may have
                # something to close.
                with suppress(OSError):
                    await send({"type": "http.response.early_hint", "links": hints.copy()})
            send = _linking(send, hints)
        await app(scope, receive, send)

    return hinted


def _link(value: str | bytes) -> bytes:
    [(_, link)] = fields.encode([(b"link", value)])
    if not _LINK.fullmatch(link):
        raise ValueError(f"a link must be <target>; rel=..., not {value!r}: percent-encode the target")
    return link


def _linking(send: Send, links: Iterable[bytes]) -> Send:
    async def linked(message: Sent) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *((b"link", link) for link in links)]}
        await send(message)

    return linked


# HTTP/2 Server Push

_PATH = re.compile(r"/[!-;=?-~]*")


def push(app: App, path: str, headers: Pairs = (), destination: str | None = None) -> App:
    """Return *app* with the answer to a GET of *path* pushed along with its own. *app* is a page, not the whole site.

    *headers*: those of the pushed request. *destination*: what it is for, as "style" or "script"; browsers pass over a
    preload that does not say (HTML, "as"). Sends: http.response.push right after http.response.start, if offered. In
    both cases the start has a ``link`` field with ``rel=preload``: a server offers push also to clients that refuse it
    (RFC 9113, 8.4), as browsers do, and does not tell. A request for *path* itself is left alone: its own push would
    call it again. Raises: ValueError for a path that is not a percent-encoded one.
    """
    if not _PATH.fullmatch(path):
        raise ValueError(f"the path of a push must begin with / and be percent-encoded, not {path!r}")
    pairs = fields.encode(headers)
    link = _link(f"<{path}>; rel=preload" + (f"; as={destination}" if destination else ""))

    async def pushing(scope: Scope, receive: Receive, send: Send) -> None:
        async def and_push(message: Sent) -> None:
            await linked(message)
            if message["type"] == "http.response.start" and offers(scope, "http.response.push"):
                await send({"type": "http.response.push", "path": path, "headers": pairs.copy()})

        linked = _linking(send, [link])
        itself = scope["type"] != "http" or scope["path"] == path
        await app(scope, receive, send if itself else and_push)

    return pushing


# Debug


def debug(app: App, info: Callable[[], dict[str, object]]) -> App:
    """Return *app* with what *info()* says given to the test client; no server offers that, and there it is not called.

    Sends: http.response.debug just before http.response.start, if offered. If the app sends its own, one message has
    both, as there may be but one, and the app's values win.
    """

    async def debugged(scope: Scope, receive: Receive, send: Send) -> None:
        told = False

        async def telling(message: Sent) -> None:
            nonlocal told
            if message["type"] == "http.response.debug":
                told, message = True, {**message, "info": {**info(), **message["info"]}}
            elif message["type"] == "http.response.start" and not told:
                await send({"type": "http.response.debug", "info": info()})
            await send(message)

        await app(scope, receive, telling if offers(scope, "http.response.debug") else send)

    return debugged


# TLS

_VERSIONS = {0x0300: "SSLv3", 0x0301: "TLSv1", 0x0302: "TLSv1.1", 0x0303: "TLSv1.2", 0x0304: "TLSv1.3"}


@dataclass(frozen=True, slots=True)
class TLS:
    """What the server knows of a connection's TLS; None: it does not say. Certificates are PEM.

    *client_cert_chain*: the client's certificate first; () if it sent none. *client_cert_name*: its subject, as RFC
    4514 writes it. *client_cert_error*: why it is not to be trusted.
    """

    server_cert: str | None = None
    client_cert_chain: tuple[str, ...] = ()
    client_cert_name: str | None = None
    client_cert_error: str | None = None
    tls_version: int | None = None
    cipher_suite: int | None = None

    @property
    def version(self) -> str | None:
        """The version's name as in ``ssl``, "TLSv1.3" for 0x0304; one without a name is its number, "0x7f1c"."""
        if self.tls_version is None:
            return None
        return _VERSIONS.get(self.tls_version, f"0x{self.tls_version:04x}")


def tls(scope: Scope) -> TLS | None:
    """Return the TLS facts of the connection, or None: it has no TLS, or, as of all four servers, no word of it."""
    if not offers(scope, "tls"):
        return None
    facts: dict[str, Any] = cast(HTTPScope, scope)["extensions"]["tls"]  # type: ignore[index]  # offers() has looked
    return TLS(
        facts.get("server_cert"),
        tuple(facts.get("client_cert_chain") or ()),
        facts.get("client_cert_name"),
        facts.get("client_cert_error"),
        facts.get("tls_version"),
        facts.get("cipher_suite"),
    )
