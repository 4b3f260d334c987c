"""Apps that serve files and whatever else can be read in slices: ``file``, ``content``, ``directory``.

How much of it is sent is representation.py's to say, how sendfile.py's.
"""

import mimetypes
import os
from collections.abc import AsyncIterable, AsyncIterator
from functools import partial
from typing import Protocol
from urllib.parse import quote

from rawasgi import headers as fields
from rawasgi import paths, respond
from rawasgi.asgi import App, HTTPScope, Receive, Scope, Send
from rawasgi.error_responses import error_response
from rawasgi.errors import AppError, HTTPError
from rawasgi.inbox import Inbox
from rawasgi.opening import open_below, open_file, segments
from rawasgi.preconditions import ENTITY_TAG
from rawasgi.representation import Parts, Representation, answer
from rawasgi.respond import Fields
from rawasgi.sendfile import File, FileParts
from rawasgi.sending import Streaming
from rawasgi.streams import owned
from rawasgi.websocket import WebSocket, websocket_app

_NOT_ALLOWED = error_response(HTTPError(405, headers={"allow": "GET, HEAD"}))


class Seekable(Protocol):
    """What ``content`` serves: *size* bytes, of which any slice can be read."""

    @property
    def size(self) -> int: ...

    def read(self, start: int, stop: int) -> AsyncIterable[bytes]:
        """Yield the bytes [*start*, *stop*). The caller closes it, if it has an ``aclose``."""


def file(
    path: "str | os.PathLike[str]",
    *,
    filename: str | None = None,
    inline: bool = False,
    media_type: str | None = None,
    status: int = 200,
    headers: Fields = None,
) -> App:
    """Return the app that answers GET and HEAD with the file at *path*; 404 if there is none.

    Other methods get 405 with Allow. As the result of a handler, and with a *status* other than 200, the app answers
    any method. The answer is 503 with Retry-After if the process has no file descriptor left.

    With its type (*media_type*, or as its name says), length, ETag and Last-Modified; whole, in part (206, 416), or not
    at all (304, 412), as the request's Range and preconditions say. With *filename*, a Content-Disposition:
    ``attachment``, or *inline*. *headers* go before ours. The file is open only while it is being sent: by pathsend, by
    zerocopysend, or in pieces. Raises: FileChanged if it is changed meanwhile, so that the connection is cut.
    """
    pairs = _with_disposition(headers, filename, inline)
    name = os.fspath(path)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if _refuses(_http(scope), receive, status):
            await _NOT_ALLOWED(scope, receive, send)
            return
        try:
            opened = await open_file(name)
        except HTTPError as error:
            await error_response(error)(scope, receive, send)
            return
        await _serve(opened, scope, receive, send, media_type, pairs, status)

    return app


def content(
    source: Seekable,
    *,
    tag: str | None = None,
    modified: float | None = None,
    filename: str | None = None,
    inline: bool = False,
    media_type: str = "application/octet-stream",
    status: int = 200,
    headers: Fields = None,
) -> App:
    """Return the app that answers GET and HEAD with *source*, whole or in part, as ``file`` does; 405 as there.

    *tag*: its entity tag, with quotes, as ``'"abc"'``; *modified*: seconds since the epoch. What has neither is never
    304, and no If-Range holds. Raises: AppError if a read gives more or less than it should.
    """
    raw = None if tag is None else tag.encode()
    if raw is not None and not ENTITY_TAG.fullmatch(raw):
        raise ValueError(f"an entity tag must be quoted, as '\"abc\"' or 'W/\"abc\"' (RFC 9110, 8.8.3), not {tag!r}")
    second = None if modified is None else int(modified)
    pairs = _with_disposition(headers, filename, inline)

    def body(parts: Parts) -> Streaming:
        return Streaming(_read(source, parts))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if _refuses(http := _http(scope), receive, status):
            await _NOT_ALLOWED(scope, receive, send)
            return
        whole = Representation(source.size, raw, second, media_type, pairs, status)
        await answer(http, whole, body)(scope, receive, send)

    return app


def directory(
    root: "str | os.PathLike[str]",
    *,
    index: str | None = "index.html",
    fallback: str | None = None,
    headers: Fields = None,
) -> App:
    """Return the app that serves the files under *root*, for ``Router.mount``.

    A folder is its *index*, and its path ends with a slash: without one it is redirected. 404 for all that is not
    there, is no regular file, or lies outside, also behind a link: the answer does not tell which. 405 for other
    methods than GET and HEAD, 503 without a file descriptor. A websocket is denied with 404.

    *fallback*: the path, below *root*, of the page of a single-page app. It is the response, with status 200, to a
    request for a page that would be 404: its Accept names text/html, and the last segment of its path has no dot. So a
    missing ``/app.js`` is 404, and what a script fetches is too; so is ``/users/j.doe``, which needs a route. Whatever
    path it is sent for, the fallback has ``Cache-Control: no-cache``, in place of one of *headers*.

    Raises: NotADirectoryError at once if *root* is none, FileNotFoundError if *fallback* is not there; as ``file``.
    """
    folder = os.path.realpath(root)
    if not os.path.isdir(folder):
        raise NotADirectoryError(f"the root of files.directory() must be a folder, not {os.fspath(root)!r}")
    page = None if fallback is None else _page(folder, fallback)
    pairs = fields.encode(headers)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await _no_websocket(scope, receive, send)
            return
        http = _http(scope)
        if http["method"] not in ("GET", "HEAD"):
            await _NOT_ALLOWED(scope, receive, send)
            return
        last = http["path"].rpartition("/")[2]
        try:
            opened = await _find(folder, http, last, index, page)
        except IsADirectoryError:
            # Relative: no host and no scheme, whatever the path holds.
            await respond.redirect(quote(last, safe="") + "/")(scope, receive, send)
        except HTTPError as error:
            await error_response(error)(scope, receive, send)
        else:
            await _serve(opened, scope, receive, send, None, _as_page(pairs) if opened.path == page else pairs, 200)

    return app


# Whatever can be read


async def _read(source: Seekable, parts: Parts) -> AsyncIterator[bytes]:
    for part in parts:
        if isinstance(part, bytes):
            yield part
            continue
        left = part[1] - part[0]
        async with owned(source.read(*part)) as chunks:
            async for chunk in chunks:
                left -= len(chunk)
                if left < 0:
                    break
                yield chunk
        if left:
            off = "less" if left > 0 else "more"
            raise AppError(f"read{part} must give the bytes of that slice, and gave {off}: the source has changed")


# A file


def _http(scope: Scope) -> HTTPScope:
    if scope["type"] != "http":
        raise AppError(f"a file answers http, not {scope['type']}: route it by its kind of scope")
    return scope


def _refuses(scope: HTTPScope, receive: Receive, status: int) -> bool:
    """Return whether the method of the request is refused.

    A handler that returns the app has accepted the method and done the work. It calls the app with its Inbox, marked as
    answered.
    """
    if scope["method"] in ("GET", "HEAD") or status != 200:
        return False
    return not (isinstance(receive, Inbox) and receive.answered)


def _with_disposition(headers: Fields, filename: str | None, inline: bool) -> list[tuple[bytes, bytes]]:
    pairs = fields.encode(headers)
    if filename is not None:
        pairs.append((b"content-disposition", fields.disposition(filename, "inline" if inline else "attachment")))
    return pairs


async def _serve(
    opened: File,
    scope: Scope,
    receive: Receive,
    send: Send,
    media_type: str | None,
    pairs: list[tuple[bytes, bytes]],
    status: int,
) -> None:
    """Send an open file, and close it."""
    try:
        tag = tag_of(opened.modified_ns, opened.size)
        kind = media_type or media_type_of(opened.path)
        whole = Representation(opened.size, tag, opened.modified_ns // 10**9, kind, pairs, status)
        await answer(_http(scope), whole, partial(FileParts, opened))(scope, receive, send)
    finally:
        opened.close()


def tag_of(modified_ns: int, size: int) -> bytes:
    """Return the entity tag of a file: a strong one, as its clock has nanoseconds (RFC 9110, 8.8.3)."""
    return b'"%x-%x"' % (modified_ns, size)


def media_type_of(path: str) -> str:
    """Return the media type of a file by its name; that of its coding, if it is encoded, as ``.gz``."""
    kind, encoded = mimetypes.guess_type(path)
    if encoded is not None:
        return f"application/{encoded}" if encoded == "gzip" else "application/octet-stream"
    if kind is None:
        return "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


# A folder


@websocket_app
async def _no_websocket(websocket: WebSocket) -> None:
    raise HTTPError(404)


def _page(folder: str, fallback: str) -> str:
    """Return the absolute path of the *fallback*."""
    names = segments(fallback)
    path = os.path.realpath(os.path.join(folder, *names or ()))
    if names is None or os.path.commonpath([folder, path]) != folder or not os.path.isfile(path):
        raise FileNotFoundError(f"the fallback of files.directory() must be a file below {folder!r}, not {fallback!r}")
    return path


async def _find(folder: str, scope: HTTPScope, last: str, index: str | None, page: str | None) -> File:
    """Open the file for a path that ends with the segment *last*. Raises: IsADirectoryError if a slash is missing."""
    names = segments(paths.route_path(scope))
    if names is None:
        raise HTTPError(404)
    try:
        return await open_below(folder, names, None if last else index)
    except IsADirectoryError:
        if last:
            raise
        error = HTTPError(404)
    except HTTPError as refusal:
        error = refusal
    if page is not None and error.status == 404 and "." not in last and _names_html(scope):
        return await open_file(page)
    raise error


def _names_html(scope: HTTPScope) -> bool:
    """Return whether the request is for a page: ``*/*`` is what scripts, images and ``fetch()`` ask for, too."""
    accept = fields.joined(scope["headers"], b"accept") or b""
    names = {element.partition(b";")[0].strip().lower() for element in accept.split(b",")}
    return b"text/html" in names and fields.accepts(accept, ["text/html"]) is not None


def _as_page(pairs: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    # A page names the scripts of one build. Kept for longer, it asks the next build for what is not there any more.
    return [*fields.replace(pairs, b"cache-control", b"no-cache"), (b"vary", b"Accept")]
