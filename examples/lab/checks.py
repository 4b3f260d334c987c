"""The checker, ``rawasgi check``, as a process of its own: its findings as they come, one at a time."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Sequence

from examples.catalogue import Row
from examples.lab.lines import ROOT
from examples.sources.pace import scale
from rawasgi.formats.sse import Event

APPS = {"FastAPI": "examples.twin:app", "rawasgi": "examples.raw:app"}
LIMIT = 120.0  # seconds that one may take
SCALE = 0.1  # of the documents' pauses at most: it asks dozens of times
MOST_LINES, MOST_BYTES = 500, 64 * 1024
CHECK = ("-m", "rawasgi.dev.cli", "check")


class Checks:
    """One check at a time, whoever asks: who comes meanwhile waits."""

    def __init__(self, command: Sequence[str] = (sys.executable, *CHECK)) -> None:
        self._command = command
        self._one = asyncio.Lock()

    async def check(self, side: str, row: Row) -> AsyncGenerator[Event, None]:
        """Yield each finding in the app of that *side* at *row*, as the checker's line of JSON has it.

        First an event ``begun`` when it is our turn, last one ``over`` with the exit status: 0 for nothing found. The
        process is killed when it takes too long, or when nobody reads any more.
        """
        async with self._one:
            yield Event(json.dumps({"app": APPS[side]}), "begun")
            process = await asyncio.create_subprocess_exec(
                *(*self._command, APPS[side], row.example, "--json", *asked(row)),
                cwd=ROOT,
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=PIPE,
                env={**os.environ, "PYTHONPATH": str(ROOT), "STREAM_TIME_SCALE": str(min(scale(), SCALE))},
                limit=MOST_BYTES,
            )
            errors = asyncio.create_task(_read(process.stderr))
            try:
                until = asyncio.get_running_loop().time() + LIMIT
                for _ in range(MOST_LINES):
                    line = await _line(process, until)
                    if line is None:
                        break
                    yield finding(line)
                yield Event(json.dumps(await _end(process, until, errors)), "over")
            finally:
                errors.cancel()
                await _kill(process)
                await asyncio.wait({errors})


def asked(row: Row) -> list[str]:
    """What the checker must be told of a *row* that is no GET."""
    body = ["--header", "content-type:application/json", "--data", row.body.decode()] if row.body is not None else []
    return [] if row.method == "GET" else ["--method", row.method, *body]


def finding(line: bytes) -> Event:
    """A line of the checker as an event; what is no JSON is shown as it is."""
    text = line.decode("utf-8", "replace").strip()
    try:
        found = json.loads(text)
    except ValueError:
        return Event(json.dumps({"text": text}), "said")
    return Event(json.dumps(found, ensure_ascii=False), "summary" if "summary" in found else "finding")


async def _line(process: Process, until: float) -> bytes | None:
    """The next line that is not empty; None at the end, or when the time is over."""
    assert process.stdout is not None
    try:
        async with asyncio.timeout_at(until):
            while line := await process.stdout.readline():
                if line.strip():
                    return line
    except (TimeoutError, ValueError):  # ValueError: a line that never ends
        pass
    return None


async def _end(process: Process, until: float, errors: "asyncio.Task[bytes]") -> dict[str, object]:
    try:
        async with asyncio.timeout_at(until):
            status = await process.wait()
    except TimeoutError:
        return {"status": None, "error": f"it took more than {LIMIT:.0f} s"}
    return {"status": status, "error": (await errors).decode("utf-8", "replace")[-2000:] if status > 1 else ""}


async def _read(stream: asyncio.StreamReader | None) -> bytes:
    """The end of what is said to *stream*: it must be read, or the process waits for us."""
    kept = b""
    while stream is not None and (data := await stream.read(MOST_BYTES)):
        kept = (kept + data)[-MOST_BYTES:]
    return kept


async def _kill(process: Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()
