"""What does compression save, and what does it hold back? 50 chunks of OpenAI's as events, one each 5 ms."""

import json
import zlib
from collections.abc import Callable
from http.client import HTTPConnection
from itertools import count
from time import perf_counter

from benchmarks import crowds, measuring
from benchmarks.apps import sources
from benchmarks.clients import HOST, PATIENCE, Unexpected
from benchmarks.peers import LITESTAR
from benchmarks.question import Figure, Question, Sample, Target, Turn
from rawasgi import codings

BROWSER = "gzip, deflate, br, zstd"
CODINGS = (BROWSER, "gzip", "br")
WINDOW = "br alone saves little on purpose: a window that does takes 319 KiB a stream, and no browser takes br only."
_tickets = count(1)


def measure(turn: Turn) -> Sample:
    """Ask as a browser does, then for one coding alone."""
    sizes, late = [], []
    for accepted in CODINGS:
        size, delays = _stream(turn, accepted)
        sizes.append(size)
        late += delays
    return *sizes, crowds.percentile(late, 50) * 1000, crowds.percentile(late, 95) * 1000


def _stream(turn: Turn, accepted: str) -> tuple[float, list[float]]:
    """Return the bytes of the body, and how long after it was made each event could be read."""
    ticket = next(_tickets)
    size, came = 0, []
    connection = HTTPConnection(HOST, turn.served.port, timeout=PATIENCE)
    try:
        connection.request("GET", f"/chat/{ticket}", headers={"accept-encoding": accepted})
        response = connection.getresponse()
        decode = decoder(response.getheader("content-encoding"))
        while data := response.read1(65536):
            now = perf_counter()
            size += len(data)
            came += [now] * decode(data).count(b"\n\n")
    finally:
        connection.close()
    made = json.loads(sources.made_at(ticket).read_text())
    sources.made_at(ticket).unlink()
    if len(came) != len(made):
        raise Unexpected(f"{turn.peer} must send {len(made)} events in {accepted}, not {len(came)}")
    return size, [arrived - at for arrived, at in zip(came, made, strict=True)]


def decoder(coding: str | None) -> Callable[[bytes], bytes]:
    """Return what makes of the bytes of a body the events that they complete."""
    if coding == "gzip":
        return zlib.decompressobj(wbits=31).decompress
    if coding == "zstd":
        unzstd: Callable[[bytes], bytes] = codings.zstd().ZstdDecompressor().decompress
        return unzstd
    if coding == "br":
        process: Callable[[bytes], bytes] = codings.brotli().Decompressor().process
        return process
    return bytes


QUESTION = Question(
    name="compressed",
    text="How many bytes do 50 events of a chat take, and how late is each?",
    figures=(
        *(Figure("bytes, of a browser's codings"), Figure("bytes, gzip"), Figure("bytes, br")),
        *(Figure("p50, ms late"), Figure("p95, ms late")),
    ),
    path="/chat/0",
    measure=measure,
    view=measuring.events,
    app="compressed",
    targets={
        "uvicorn": (
            *(Target(LITESTAR, slower=1, figure=figure) for figure in range(2)),
            Target(LITESTAR, slower=1, figure=2, reason=WINDOW, holds=13),
            *(Target(most=1, figure=3), Target(most=1, figure=4)),
        )
    },
)
