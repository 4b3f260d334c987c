"""Starlette's FileResponse, a few lines over ``rawasgi.files``."""

import os
from collections.abc import Mapping
from typing import Literal

from rawasgi import files, preconditions
from rawasgi.asgi import Receive, Scope, Send
from rawasgi.familiar.background import Background
from rawasgi.familiar.responses import Response
from rawasgi.headers import disposition
from rawasgi.inbox import Inbox


class FileResponse(Response):
    """The file at *path*, whole or in part, as ``files.file`` serves it, to any method; 404 if it is not there.

    *stat_result*: the headers that follow from it are there at once; otherwise when the file is opened. If the file has
    changed by then, they are replaced, unless the caller has set others.
    """

    _is_whole = False

    def __init__(
        self,
        path: "str | os.PathLike[str]",
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: Background | None = None,
        filename: str | None = None,
        stat_result: os.stat_result | None = None,
        content_disposition_type: Literal["attachment", "inline"] = "attachment",
    ) -> None:
        kind = media_type or files.media_type_of(filename or os.fspath(path))
        super().__init__(None, status_code, headers, kind, background)
        self.path = path
        self.filename = filename
        self.headers.setdefault("accept-ranges", "bytes")
        if filename is not None:
            self.headers.setdefault("content-disposition", disposition(filename, content_disposition_type).decode())
        self._of_stat_result = [] if stat_result is None else stat_headers(stat_result)
        for name, value in self._of_stat_result:
            self.headers.setdefault(name.decode(), value.decode())

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        # files.file makes these anew, from the file as it is opened: it may have changed since.
        pairs = [pair for pair in self.raw_headers if pair not in self._of_stat_result]
        inbox = Inbox.of(receive)
        inbox.answered = True  # as from a handler: a response, unlike a route, answers any method
        await files.file(self.path, status=self.status_code, headers=pairs)(scope, inbox, send)


def stat_headers(status: os.stat_result) -> list[tuple[bytes, bytes]]:
    """Return the headers that *status* of a file is enough for."""
    return [
        (b"content-length", b"%d" % status.st_size),
        (b"last-modified", preconditions.http_date(status.st_mtime_ns // 10**9)),
        (b"etag", files.tag_of(status.st_mtime_ns, status.st_size)),
    ]
