"""A file over HTTP by hand: validators, one range, chunks. Spec: RFC 9110, 13 "Conditional", 14 "Range"."""

import asyncio
import re
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path

from rawasgi import respond
from rawasgi.request import Request
from rawasgi.response import Response

CHUNK_BYTES = 256 * 1024


def answer(request: Request, path: Path, filename: str) -> Response:
    """The file at *path*: 200, 304 if the client has it, 206 for one range of it, 416 for one past its end."""
    stat = path.stat()
    size = stat.st_size
    etag = f'"{stat.st_mtime_ns:x}-{size:x}"'
    modified = formatdate(stat.st_mtime, usegmt=True)
    fields = {"Accept-Ranges": "bytes", "ETag": etag, "Last-Modified": modified}
    if matches(request.header("if-none-match"), etag):
        return respond.empty(304, fields)
    first, last, status = 0, size - 1, 200
    # With If-Range a part is for those who have the rest of this very file; its comparison is strong (13.1.5).
    if request.header("if-range") in (None, etag, modified) and (wanted := byte_range(request.header("range"), size)):
        first, last = wanted
        if first >= size or first > last:
            return respond.empty(416, {**fields, "Content-Range": f"bytes */{size}"})
        status = 206
        fields["Content-Range"] = f"bytes {first}-{last}/{size}"
    fields["Content-Length"] = str(last - first + 1)
    fields["Content-Disposition"] = f'attachment; filename="{filename}"'
    return respond.stream(chunks(path, first, last + 1), "application/octet-stream", status, fields)


def matches(if_none_match: str | None, etag: str) -> bool:
    """Whether one of the tags is *etag*; here a weak one will do (13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return etag in tags or tags == ["*"]


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First and last byte of ``bytes=0-99``, ``bytes=100-`` or ``bytes=-100``; None for anything else: send all."""
    found = re.fullmatch(r"bytes=([0-9]{0,18})-([0-9]{0,18})", header or "")
    if found is None or not any(found.groups()):
        return None
    first, last = found.groups()
    if not first:  # the last so many bytes; of none there are none
        return (max(0, size - int(last)), size - 1) if int(last) else (size, size)
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last), size - 1) if last else size - 1


async def chunks(path: Path, start: int, stop: int) -> AsyncIterator[bytes]:
    """The bytes [start, stop) of *path*: a thread reads, the loop goes on, and the memory is one chunk."""
    # Opened here: a thread that opens it may finish after we were cancelled, and nobody closes it then. Closing waits
    # for a read that is under way. If the file became shorter, so does the body, and the client finds out.
    with path.open("rb") as file:
        file.seek(start)
        while start < stop and (chunk := await asyncio.to_thread(file.read, min(CHUNK_BYTES, stop - start))):
            start += len(chunk)
            yield chunk
