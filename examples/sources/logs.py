"""Documents 001 and 002: log lines, invented ones and those of a file that grows, is rotated or cut."""

import os
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import BinaryIO

from examples.sources.files import cache_folder
from examples.sources.pace import pause
from examples.sources.shared import WhileWatched

LINE_LIMIT_BYTES = 64 * 1024
DEMO_LIMIT_BYTES = 64 * 1024


def _line(number: int) -> str:
    return f"[{time.strftime('%H:%M:%S')}] 日志条目 #{number}: 系统运行正常\n"


async def invented() -> AsyncGenerator[str, None]:
    """Twenty log lines, 0.3 s before each."""
    for number in range(1, 21):
        await pause(0.3)
        yield _line(number)


class LogFile:
    """What was added to a file since the last look, as whole lines.

    Rotation (the name means another file now): the rest of the old one, then the new one from its start. Truncation: on
    from the start. A line that has no end yet is held back, up to 64 KiB; a longer one comes in pieces. Each look reads
    what the page cache has, 64 KiB at most, so it may be taken on the event loop.
    """

    def __init__(self, path: Path, *, from_start: bool = False) -> None:
        """Raises: FileNotFoundError."""
        self._path = path
        self._file: BinaryIO = path.open("rb")
        self._rest = b""
        if not from_start:
            self._file.seek(0, os.SEEK_END)

    def close(self) -> None:
        self._file.close()

    def look(self) -> list[str]:
        """The lines since the last look; [] for none."""
        if os.fstat(self._file.fileno()).st_size < self._file.tell():
            self._file.seek(0)
            self._rest = b""
        data = self._file.read(LINE_LIMIT_BYTES)
        if not data and (successor := self._successor()) is not None:
            self._file.close()
            self._file = successor
            # Nobody will finish the old file's last line.
            last, self._rest = self._rest, b""
            return [last.decode("utf-8", "replace")] if last else self.look()
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) >= LINE_LIMIT_BYTES:
            lines.append(self._rest)
            self._rest = b""
        return [line.removesuffix(b"\r").decode("utf-8", "replace") for line in lines]

    def _successor(self) -> BinaryIO | None:
        """The file that has the name now, if it is another one. Between two files of a rotation there may be none."""
        try:
            if os.path.samestat(os.stat(self._path), os.fstat(self._file.fileno())):
                return None
            return self._path.open("rb")
        except FileNotFoundError:
            return None


async def tail(path: Path, *, from_start: bool = False, poll: float = 0.1) -> AsyncGenerator[str, None]:
    """The lines that are added to *path*, for ever. Raises: FileNotFoundError, before the first line."""
    log = LogFile(path, from_start=from_start)
    try:
        while True:
            lines = log.look()
            for line in lines:
                yield line
            await (pause(0) if lines else pause(poll, at_least=0.01))
    finally:
        log.close()


def demo_path() -> Path:
    """The log that the demo writes itself; made if there is none."""
    path = cache_folder() / "demo.log"
    path.touch(mode=0o600)
    return path


async def write_demo() -> None:
    """Add a line each second to the demo's log, for ever; rotate it at 64 KiB."""
    number = 0
    while True:
        number += 1
        path = demo_path()
        if path.stat().st_size > DEMO_LIMIT_BYTES:
            path.replace(path.with_suffix(".log.1"))
        with path.open("a", encoding="utf-8") as file:
            file.write(_line(number))
        await pause(1, at_least=0.02)


demo_writer = WhileWatched(write_demo)


async def followed(max_lines: int | None = None) -> AsyncGenerator[str, None]:
    """New lines of the log that RAWASGI_LOG_FILE names, or of the demo's own; at most *max_lines*.

    Raises: FileNotFoundError, before the first line.
    """
    configured = os.environ.get("RAWASGI_LOG_FILE")
    if configured:
        async with aclosing(_first(tail(Path(configured)), max_lines)) as lines:
            async for line in lines:
                yield line
        return
    path = demo_path()
    async with aclosing(_first(tail(path), max_lines)) as lines, demo_writer:
        async for line in lines:
            yield line


async def _first(source: AsyncGenerator[str, None], max_lines: int | None) -> AsyncGenerator[str, None]:
    async with aclosing(source):
        sent = 0
        async for line in source:
            yield line
            sent += 1
            if sent == max_lines:
                return
