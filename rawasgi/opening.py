"""Open a file, alone or below a folder, in a thread.

What cannot be opened is an HTTPError: 404, which does not tell why, or 503 without a file descriptor.
"""

import asyncio
import errno
import logging
import os
import re
from collections.abc import Callable
from functools import partial

from rawasgi.errors import HTTPError
from rawasgi.sendfile import File

_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3])(\..*)?", re.IGNORECASE)

logger: logging.Logger = logging.getLogger("rawasgi")


async def open_file(path: str) -> File:
    """Open the file at *path*. Raises: HTTPError(404); HTTPError(503)."""
    return await _in_thread(partial(_opened, path))


async def open_below(folder: str, names: list[str], index: str | None) -> File:
    """Open what is at *names*, of ``segments``, below *folder*, an absolute path without links.

    Of a folder, open its *index*. Raises: IsADirectoryError for a folder if *index* is None or is a folder, too;
    HTTPError(404), also for what lies outside, behind a link; HTTPError(503).
    """
    return await _in_thread(partial(_opened_below, folder, names, index))


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


async def _in_thread(opening: Callable[[], File]) -> File:
    """Run *opening* in a thread; what it opens after we were cancelled is closed."""
    future = asyncio.get_running_loop().run_in_executor(None, opening)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        future.add_done_callback(_close_unused)
        raise


def _close_unused(future: "asyncio.Future[File]") -> None:
    if not future.cancelled() and future.exception() is None:
        future.result().close()


def _opened(path: str) -> File:
    try:
        return File(os.path.abspath(path))
    except (OSError, ValueError) as error:  # ValueError: a NUL in it
        raise _refusal(error) from None


def _opened_below(folder: str, names: list[str], index: str | None) -> File:
    try:
        path = os.path.realpath(os.path.join(folder, *names))  # of what is behind the links, not of what they are
        if os.path.commonpath([folder, path]) != folder:
            raise HTTPError(404)
        opened = File(path)
    except IsADirectoryError:
        if index is None:
            raise
        return _opened_below(folder, [*names, index], None)
    except (OSError, ValueError) as error:  # ValueError: half of a surrogate pair
        raise _refusal(error) from None
    if not names[-1]:
        opened.close()
        raise HTTPError(404)
    return opened


def _refusal(error: OSError | ValueError) -> HTTPError:
    """Return the response to a request for a file that could not be opened because of *error*."""
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        logger.warning("%s", error)
        return HTTPError(503, headers={"retry-after": "1"})
    return HTTPError(404)
