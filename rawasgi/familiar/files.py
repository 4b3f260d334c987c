"""Starlette's FileResponse, a few lines over ``rawasgi.files``."""

import os
from collections.abc import Mapping
from typing import Literal

from rawasgi import files, preconditions
from rawasgi.asgi import Receive, Scope, Send
from rawasgi.familiar.background import Background
from rawasgi.familiar.responses import Response
from rawasgi.headers import disposition


class FileResponse(Response):
    """The file at *path*, whole or in part, as ``files.file`` serves it; 404 if it is not there.

    *stat_result*: the headers that follow from it are there at once; otherwise when the file is opened.
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
        if stat_result is not None:
            self.headers.setdefault("content-length", str(stat_result.st_size))
            self.headers.setdefault("last-modified", preconditions.http_date(stat_result.st_mtime_ns // 10**9).decode())
            self.headers.setdefault("etag", files.tag_of(stat_result.st_mtime_ns, stat_result.st_size).decode())

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await files.file(self.path, status=self.status_code, headers=self.raw_headers)(scope, receive, send)
