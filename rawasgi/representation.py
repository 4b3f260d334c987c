"""One representation, answered whole, in part or not at all, as its validators and the request say.

Spec: RFC 9110, 3.2 "Representations", 13 "Conditional Requests", 14 "Range Requests", 15.3.7 "206 Partial Content".
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from rawasgi import headers as fields
from rawasgi import preconditions, ranges
from rawasgi.asgi import App, HTTPScope
from rawasgi.error_responses import error_response
from rawasgi.errors import HTTPError
from rawasgi.ranges import Slice
from rawasgi.response import Response
from rawasgi.sendfile import FileParts
from rawasgi.sending import Streaming

Parts: TypeAlias = tuple[bytes | Slice, ...]  # bytes as they are, and slices of what is represented
Body: TypeAlias = Callable[[Parts], Streaming | FileParts]


@dataclass(frozen=True, slots=True)
class Representation:
    """What there is, before anybody asks for less of it.

    *tag*: its entity tag, with quotes; *modified*: seconds since the epoch; None for what it does not have. *headers*
    go before what follows from the rest.
    """

    size: int
    tag: bytes | None
    modified: int | None
    media_type: str
    headers: list[tuple[bytes, bytes]]
    status: int = 200


def answer(scope: HTTPScope, whole: Representation, body: Body) -> App:
    """Return the response to *scope*: 200, 206, 304, 412 or 416; *body* is called only if there is one to send.

    Only a 200 to GET or HEAD has preconditions (RFC 9110, 13.2.1), only one to GET has ranges (14.2).
    """
    asked = scope["headers"]
    pairs = list(whole.headers)
    tag = fields.get(pairs, b"etag") or whole.tag
    if tag is not None:
        fields.setdefault(pairs, b"etag", tag)
    if whole.modified is not None:
        fields.setdefault(pairs, b"last-modified", preconditions.http_date(whole.modified))
    slices: list[Slice] | None = None
    if whole.status == 200 and scope["method"] in ("GET", "HEAD"):
        fields.setdefault(pairs, b"accept-ranges", b"bytes")
        status = preconditions.check(asked, tag, whole.modified)
        if status == 304:  # with nothing that speaks of a body (15.4.5)
            return Response(b"", 304, tuple(pair for pair in pairs if not pair[0].startswith(b"content-")))
        if status == 412:
            return error_response(HTTPError(412))
        if scope["method"] == "GET" and preconditions.is_same(asked, tag, whole.modified, time.time()):
            wanted = fields.getlist(asked, b"range")
            slices = ranges.parse(wanted[0], whole.size) if len(wanted) == 1 else None
    if slices == []:
        unsatisfied = (b"content-range", ranges.unsatisfied(whole.size))
        return error_response(HTTPError(416, headers=(unsatisfied, (b"accept-ranges", b"bytes"))))
    fields.setdefault(pairs, b"content-type", whole.media_type.encode("latin-1"))
    if slices is None:
        parts: Parts = ((0, whole.size),)
    elif len(slices) == 1:
        parts = (slices[0],)
        pairs.append((b"content-range", ranges.content_range(slices[0], whole.size)))
    else:
        pairs, parts = _multipart(slices, whole.size, pairs)
    length = sum(len(part) if isinstance(part, bytes) else part[1] - part[0] for part in parts)
    pairs = fields.replace(pairs, b"content-length", b"%d" % length)
    return Response(body(parts) if length else b"", whole.status if slices is None else 206, tuple(pairs))


def _multipart(
    slices: list[Slice], size: int, pairs: list[tuple[bytes, bytes]]
) -> tuple[list[tuple[bytes, bytes]], Parts]:
    """Lay *slices* out as multipart/byteranges (RFC 9110, 14.6)."""
    boundary = secrets.token_hex(13).encode()
    kind = fields.get(pairs, b"content-type") or b""
    parts: list[bytes | Slice] = []
    before = b"--" + boundary + b"\r\n"
    for part in slices:
        about = b"Content-Type: " + kind + b"\r\nContent-Range: " + ranges.content_range(part, size) + b"\r\n\r\n"
        parts += (before + about, part)
        before = b"\r\n--" + boundary + b"\r\n"
    pairs = fields.replace(pairs, b"content-type", b"multipart/byteranges; boundary=" + boundary)
    return pairs, (*parts, b"\r\n--" + boundary + b"--")
