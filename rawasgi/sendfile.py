"""Parts of an open file into the body of a response, by the cheapest way that the server has.

Theory of operation
===================

*Path send*: the server opens the file itself; only for a whole one. *Zero copy send*: the kernel moves the bytes. Where
the server offers neither, as most, the bytes go through us, by the sending loop and with all that it does (sending.py).

**Read where it costs nothing.** A hop to a thread and back takes as long as reading 256 KiB. What the page cache has
can be read here at once; what it has not would stop everybody. ``preadv(RWF_NOWAIT)`` of the first byte and the last
tells which it is, without waiting; only what must come from a disk goes to a thread.

**Large pieces for who takes them.** A file goes 1.6 times as fast in pieces of 768 KiB as of 128 KiB (from 1 MiB on
Linux takes a quarter longer again to write each byte), but the server keeps what its client does not take, and we the
next. The kernel alone takes 4 MB of a client that never reads. So the pieces are small until 8 MiB have gone, and from
there on large as long as the one before was taken within 5 ms.

**Cut visibly.** The length was promised. A file that is not any more as it was when it was opened is no longer what its
validators say, and may be half of one thing and half of another: the last piece is then withheld, which ends the
connection. What is only renamed or deleted stays whole, as we hold it open.
"""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from time import monotonic

from rawasgi.asgi import HTTPResponseStart, HTTPScope, HTTPSent, Send
from rawasgi.errors import FileChanged
from rawasgi.extensions import offers
from rawasgi.inbox import Inbox
from rawasgi.outcomes import Outcome
from rawasgi.ranges import Slice
from rawasgi.sending import Streaming, send_stream
from rawasgi.streams.stepping import give_way

_SMALL, _LARGE = 128 * 1024, 768 * 1024
_PROVEN = 8 * 1024 * 1024  # bytes
_QUICK = 0.005
_FAIR = 0.005  # as in sending.py
_COPIED = 1024 * 1024  # bytes in one zero copy message: at 35 kB/s it is sent before a send counts as stuck
_NOWAIT = getattr(os, "RWF_NOWAIT", None)  # Linux


class File:
    """A regular file, open, and how it stood then.

    ``path`` is absolute. Raises: OSError if it cannot be opened, IsADirectoryError and FileNotFoundError included, the
    latter also for what is no regular file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        # O_NONBLOCK: a FIFO that nobody writes to would hold the opening thread for ever.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(path, flags)
        self._readers = 0
        self._closed = False
        try:
            status = os.fstat(self._descriptor)
            if stat.S_ISDIR(status.st_mode):
                raise IsADirectoryError(path)
            if not stat.S_ISREG(status.st_mode):
                raise FileNotFoundError(f"{path} is no regular file")
        except OSError:
            self.close()
            raise
        self.size: int = status.st_size
        self.modified_ns: int = status.st_mtime_ns

    def fileno(self) -> int:
        return self._descriptor

    def check(self) -> None:
        """Raise FileChanged unless the file is as it was when it was opened."""
        status = os.fstat(self._descriptor)
        if (status.st_size, status.st_mtime_ns) != (self.size, self.modified_ns):
            raise FileChanged(f"{self.path} was {self.size} bytes, and changed while it was sent: replace it by rename")

    async def read(self, start: int, stop: int) -> bytes:
        """Return the bytes [*start*, *stop*). Raises: FileChanged if they are not there any more."""
        if self._is_cached(start, stop):
            data = self._read(start, stop)
        else:
            data = await self._in_thread(start, stop)
        if len(data) != stop - start:
            raise FileChanged(f"{self.path} was {self.size} bytes and now ends before {stop}: replace it by rename")
        return data

    def close(self) -> None:
        """Close the file, once nobody reads it in a thread."""
        if not self._closed:
            self._closed = True
            self._close_idle()

    def _is_cached(self, start: int, stop: int) -> bool:
        if _NOWAIT is None:
            return False
        byte = [bytearray(1)]
        try:
            for place in (start, stop - 1):
                os.preadv(self._descriptor, byte, place, _NOWAIT)
        except OSError:  # it would block, or the file system cannot tell
            return False
        return True

    def _read(self, start: int, stop: int) -> bytes:
        data = os.pread(self._descriptor, stop - start, start)
        if stop == self.size:
            self.check()
        return data

    async def _in_thread(self, start: int, stop: int) -> bytes:
        self._readers += 1
        reading = asyncio.get_running_loop().run_in_executor(None, self._read, start, stop)
        reading.add_done_callback(self._was_read)
        return await asyncio.shield(reading)  # the number of a closed file may be another's by then

    def _was_read(self, reading: "asyncio.Future[bytes]") -> None:
        self._readers -= 1
        if self._closed:
            reading.exception()
            self._close_idle()

    def _close_idle(self) -> None:
        if not self._readers:
            os.close(self._descriptor)


@dataclass(frozen=True, slots=True)
class FileParts:
    """A body made of an open file: bytes as they are, and slices of *file*, in order.

    *send*, *cleanup*: as of ``Streaming``. Whoever opened the file closes it, when the response was sent.
    """

    file: File
    parts: tuple[bytes | Slice, ...]
    send: float = 30.0
    cleanup: float = 5.0


async def send_file(body: FileParts, start: HTTPResponseStart, scope: HTTPScope, inbox: Inbox, send: Send) -> None:
    """Send *start*, then *body*.

    Sends: http.response.start, then http.response.pathsend | http.response.body* and http.response.zerocopysend* |
    http.response.body*. Returns also when the client left. Raises: FileChanged, and what reading raises.
    Spec: extensions, "Path Send", "Zero Copy Send".
    """
    if offers(scope, "http.response.pathsend") and body.parts == ((0, body.file.size),):
        await _send_all([start, {"type": "http.response.pathsend", "path": body.file.path}], inbox, send)
    elif offers(scope, "http.response.zerocopysend"):
        await _send_all(chain([start], _copies(body)), inbox, send, body.send)
    else:
        await send_stream(Streaming(_pieces(body), send=body.send, cleanup=body.cleanup), start, inbox, send)


async def _send_all(messages: Iterable[HTTPSent], inbox: Inbox, send: Send, limit: float | None = None) -> None:
    inbox.answered = True
    try:
        await _send_each(messages, inbox, send, limit)
    finally:
        await inbox.aclose()


async def _send_each(messages: Iterable[HTTPSent], inbox: Inbox, send: Send, limit: float | None) -> None:
    turn = monotonic()
    for number, message in enumerate(messages):
        if number > 1 and inbox.poll():
            return
        try:
            async with asyncio.timeout(limit):
                await send(message)
        except (OSError, TimeoutError) as error:  # the client left, or reads no more
            inbox.outcome = Outcome.SLOW if isinstance(error, TimeoutError) else Outcome.DISCONNECTED
            return
        if monotonic() - turn > _FAIR:
            await give_way()
            turn = monotonic()


def _copies(body: FileParts) -> Iterator[HTTPSent]:
    number = body.file.fileno()
    for index, part in enumerate(body.parts, 1):
        last = index == len(body.parts)
        if isinstance(part, bytes):
            yield {"type": "http.response.body", "body": part, "more_body": not last}
            continue
        for place in range(*part, _COPIED):
            count = min(_COPIED, part[1] - place)
            more_body = not last or place + count < part[1]
            if not more_body:
                body.file.check()
            yield {
                "type": "http.response.zerocopysend",
                "file": number,
                "offset": place,
                "count": count,
                "more_body": more_body,
            }


async def _pieces(body: FileParts) -> AsyncIterator[bytes]:
    sent, last = 0, 0.0
    for part in body.parts:
        if isinstance(part, bytes):
            yield part
            continue
        place, stop = part
        while place < stop:
            now = monotonic()
            size = _LARGE if sent > _PROVEN and now - last < _QUICK else _SMALL
            last = now
            until = min(place + size, stop)
            yield await body.file.read(place, until)
            sent += until - place
            place = until
