"""Apps that serve files and whatever else can be read in slices: ``file``, ``content``, ``directory``.

How much of it is sent is representation.py's to say, how sendfile.py's.
"""

import asyncio
import errno
import logging
import mimetypes
import os
import re
from collections.abc import AsyncIterable, AsyncIterator, Callable
from functools import partial
from typing import Protocol
from urllib.parse import quote

from rawasgi import headers as fields
from rawasgi import paths, respond
from rawasgi.asgi import App, HTTPScope, Receive, Scope, Send
from rawasgi.errors import AppError
from rawasgi.inbox import Inbox
from rawasgi.preconditions import ENTITY_TAG
from rawasgi.representation import Parts, Representation, answer
from rawasgi.respond import Fields
from rawasgi.response import Response
from rawasgi.sendfile import File, FileParts
from rawasgi.sending import Streaming
from rawasgi.streams import owned

_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3])(\..*)?", re.IGNORECASE)

_NOT_FOUND = respond.text("Not Found", 404)
_NOT_ALLOWED = respond.text("Method Not Allowed", 405, {"allow": "GET, HEAD"})
_BUSY = respond.text("Service Unavailable", 503, {"retry-after": "1"})

logger: logging.Logger = logging.getLogger("rawasgi")


class Seekable(Protocol):
    """What ``content`` serves: *size* bytes, of which any slice can be read."""

    @property
    def size(self) -> int: ...

    def read(self, start: int, stop: int) -> AsyncIterable[bytes]:
        """Yield the bytes [*start*, *stop*); whoever takes them closes it, if it has an ``aclose``."""


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
    pairs = _disposed(headers, filename, inline)
    name = os.fspath(path)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if _refuses(_http(scope), receive, status):
            await _NOT_ALLOWED(scope, receive, send)
            return
        opened = await _open(partial(_opened, name))
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
    pairs = _disposed(headers, filename, inline)

    def body(parts: Parts) -> Streaming:
        return Streaming(_read(source, parts))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if _refuses(http := _http(scope), receive, status):
            await _NOT_ALLOWED(scope, receive, send)
            return
        whole = Representation(source.size, raw, second, media_type, pairs, status)
        await answer(http, whole, body)(scope, receive, send)

    return app


def directory(root: "str | os.PathLike[str]", *, index: str | None = "index.html", headers: Fields = None) -> App:
    """Return the app that serves the files under *root*, for ``Router.mount``.

    A folder is its *index*, and its path ends with a slash: without one it is redirected. 404 for all that is not
    there, is no regular file, or lies outside, also behind a link: the answer does not tell which. 405 for other
    methods than GET and HEAD, 503 without a file descriptor. Raises: NotADirectoryError at once, if *root* is none; as
    ``file``.
    """
    folder = os.path.realpath(root)
    if not os.path.isdir(folder):
        raise NotADirectoryError(f"the root of files.directory() must be a folder, not {os.fspath(root)!r}")
    pairs = fields.encode(headers)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        http = _http(scope)
        if http["method"] not in ("GET", "HEAD"):
            await _NOT_ALLOWED(scope, receive, send)
            return
        names = segments(paths.own_path(http))
        last = http["path"].rpartition("/")[2]
        opened = _NOT_FOUND if names is None else await _open(partial(_opened_below, folder, names, index, last))
        await _serve(opened, scope, receive, send, None, pairs, 200)

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


def _disposed(headers: Fields, filename: str | None, inline: bool) -> list[tuple[bytes, bytes]]:
    pairs = fields.encode(headers)
    if filename is not None:
        pairs.append((b"content-disposition", fields.disposition(filename, "inline" if inline else "attachment")))
    return pairs


async def _open(opening: Callable[[], File | Response]) -> File | Response:
    """Run *opening* in a thread; what it opens after we were cancelled is closed."""
    future = asyncio.get_running_loop().run_in_executor(None, opening)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        future.add_done_callback(_close_unused)
        raise


def _close_unused(future: "asyncio.Future[File | Response]") -> None:
    if not future.cancelled() and future.exception() is None and isinstance(opened := future.result(), File):
        opened.close()


def _opened(name: str) -> File | Response:
    try:
        return File(os.path.abspath(name))
    except (OSError, ValueError) as error:  # ValueError: a NUL in it
        return _unopened(error)


def _unopened(error: OSError | ValueError) -> Response:
    """Return the answer for a file that could not be opened because of *error*."""
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        logger.warning("%s", error)
        return _BUSY
    return _NOT_FOUND


async def _serve(
    opened: File | Response,
    scope: Scope,
    receive: Receive,
    send: Send,
    media_type: str | None,
    pairs: list[tuple[bytes, bytes]],
    status: int,
) -> None:
    """Answer with an open file, and close it; or with what is to be answered in its place."""
    if isinstance(opened, Response):
        await opened(scope, receive, send)
        return
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
    """Return the media type that the name of a file says; one that is packed is what it is packed as."""
    kind, packed = mimetypes.guess_type(path)
    if packed is not None:
        return f"application/{packed}" if packed == "gzip" else "application/octet-stream"
    if kind is None:
        return "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


# A folder


def segments(path: str, windows: bool = os.name == "nt") -> list[str] | None:
    """Split the *path* below a folder; None if it could lead out of it, or to a device.

    The last one is empty if the path ends with a slash.
    """
    names = path.removeprefix("/").split("/")
    for place, name in enumerate(names, 1):
        if name in (".", "..") or "\0" in name or "\\" in name or (not name and place < len(names)):
            return None
        if windows and (":" in name or name.endswith((" ", ".")) or _DEVICE.fullmatch(name)):
            return None
    return names


def _opened_below(folder: str, names: list[str], index: str | None, last: str) -> File | Response:
    """Open what is at *names*; a folder's path with a *last* segment is redirected to the same path with a slash."""
    try:
        path = os.path.realpath(os.path.join(folder, *names))  # of what is behind the links, not of what they are
        if os.path.commonpath([folder, path]) != folder:
            return _NOT_FOUND
        opened = File(path)
    except IsADirectoryError:
        if last:
            # Relative: no host and no scheme, whatever the path holds.
            return respond.redirect(quote(last, safe="") + "/")
        return _NOT_FOUND if index is None else _opened_below(folder, [*names, index], None, index)
    except (OSError, ValueError) as error:  # ValueError: half of a surrogate pair
        return _unopened(error)
    if names[-1]:
        return opened
    opened.close()
    return _NOT_FOUND
