"""One request to a stack, in virtual time: what the client gets, when, and how the call of the app ends."""

import asyncio
import zlib
from collections.abc import Callable, Coroutine
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import brotli
import clock
import twins
from backports import zstd

from rawasgi.asgi import App
from rawasgi.dev.client import HTTPClient, connect
from rawasgi.dev.exchange import Unfinished

T = TypeVar("T")
Headers = list[tuple[str, str]]
SOON = 20  # iterations of the event loop; 3 are the clean-up's, and 9 the most that were counted
NOTHING: list[bytes] = []
FEW = 100  # iterations of the event loop: no stack needs half as many to close a source and return


@dataclass
class Outcome:
    """*pieces*: what the client decoded, and the second when it came; *error*: what the call of the app raised."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[tuple[float, str]] = field(default_factory=list)
    error: str = ""

    @property
    def body(self) -> str:
        return "".join(text for _, text in self.pieces)

    @property
    def arrivals(self) -> dict[float, str]:
        """What came in each second."""
        return {second: "".join(text for when, text in self.pieces if when == second) for second, _ in self.pieces}


def decoder(coding: str | None) -> Callable[[bytes], bytes]:
    if coding == "gzip":
        return zlib.decompressobj(31).decompress
    if coding == "br":
        decompress: Callable[[bytes], bytes] = brotli.Decompressor().process
        return decompress
    if coding == "zstd":
        return zstd.ZstdDecompressor().decompress
    return bytes


class Reader:
    """Decodes what *client* gets of a body."""

    def __init__(self, client: HTTPClient) -> None:
        self.client = client
        self.rest = b""
        self._decode: Callable[[bytes], bytes] | None = None

    async def chunk(self) -> bytes:
        """Return what can be decoded next; b"" at the end."""
        data = b""
        while not data and (chunk := await self.client.chunk()):
            if self._decode is None:
                self._decode = decoder(self.client.header("content-encoding"))
            data = self._decode(chunk)
        return data

    async def until(self, mark: bytes) -> None:
        data = b""
        while mark not in data:
            chunk = await self.chunk()
            if not chunk:
                raise EOFError(f"the body ended before {mark!r}, with {data!r}")
            data += chunk


async def exchange(
    app: App,
    method: str,
    path: str,
    headers: Headers,
    body: list[bytes] = NOTHING,
    in_turn: bool = False,
    sized: bool = True,
    **options: Any,
) -> Outcome:
    """Return the whole answer. *in_turn*: send each chunk of *body* when the answer has brought the one before.
    *sized*: say its length.
    """
    outcome = Outcome()
    size = [("content-length", f"{sum(map(len, body))}")] if body and sized else []
    options.update(headers=[*headers, *size])
    in_thread = clock.outside() if path.endswith("/file") else nullcontext()  # Starlette reads a file in anyio's
    try:
        with in_thread:
            async with asyncio.timeout(1000), connect(app, method, path, body=None, **options) as client:
                await converse(client, body, in_turn, outcome)
                await client.finished()
    except Exception as error:
        outcome.error = type(error).__name__
    return outcome


async def converse(client: HTTPClient, body: list[bytes], in_turn: bool, outcome: Outcome) -> None:
    """Send *body*, and read the answer into *outcome*."""
    later = [(chunk, number < len(body)) for number, chunk in enumerate(body, 1)] or [(b"", False)]
    while later and not (in_turn and len(later) < len(body)):
        await client.say(*later.pop(0))
    outcome.status = await client.started()
    outcome.headers = {name.decode(): value.decode() for name, value in client.headers}
    reader = Reader(client)
    while data := await reader.chunk():
        outcome.pieces.append((clock.now(), data.decode()))
        if later and body[-len(later) - 1] in data:
            await client.say(*later.pop(0))


def run_unwatched(main: Coroutine[object, object, T]) -> T:
    """Run *main*, which may leave tasks and generators behind: Starlette closes no source that waits for send()."""
    loop = clock.Loop()
    limit_iterations(loop)
    try:
        return loop.run_until_complete(main)
    finally:
        loop.run_until_complete(_tidy())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def limit_iterations(loop: clock.Loop) -> None:
    """Fail instead of running for ever: virtual time stands still while a task yields again and again."""
    select, busy = loop.selector.select, 0

    def counted(timeout: float | None = None) -> Any:
        nonlocal busy
        busy = busy + 1 if timeout == 0 else 0
        assert busy < 100_000, "a busy loop: something yields again and again, and nothing comes of it"
        return select(timeout)

    setattr(loop.selector, "select", counted)  # noqa: B010  a method, to mypy


async def _tidy() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for source in twins.opened:
        with suppress(RuntimeError):
            await source.aclose()


async def iterations_until(happened: Callable[[], bool]) -> int:
    """Return how many iterations of the event loop go by until *happened()*, at most FEW."""
    for number in range(FEW):
        if happened():
            return number
        await asyncio.sleep(0)
    return FEW


@dataclass(frozen=True)
class End:
    """How a stream ended whose client left."""

    log: tuple[str, ...]  # what was closed when the call of the app returned
    soon: bool  # within SOON iterations
    seconds: float  # from the disconnect to the return
    error: str = ""


async def disconnect(app: App, path: str, headers: Headers, **options: Any) -> End:
    """Leave an endless stream; return how it ended."""
    twins.log.clear()
    iterations, error = FEW, ""
    try:
        async with asyncio.timeout(1000), connect(app, "GET", path, headers=headers, **options) as client:
            if not path.endswith("/silent"):
                await Reader(client).chunk()
            client.stall()
            await asyncio.sleep(2.5)
            left_at = clock.now()
            await client.leave()
            iterations = await iterations_until(lambda: len(twins.log) == 2)
            await client.finished()
    except (Exception, Unfinished) as raised:
        error = type(raised).__name__
    return End(tuple(twins.log), iterations <= SOON, clock.now() - left_at, error)
