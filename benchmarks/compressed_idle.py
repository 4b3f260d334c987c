"""What does a silent stream of events cost that is compressed? 10,000 of them, as browsers ask, and in gzip."""

from benchmarks import crowds, measuring
from benchmarks.compressed import BROWSER
from benchmarks.peers import LITESTAR, NAKED, RAW
from benchmarks.question import Figure, Question, Sample, Target, Turn

STREAMS, QUICK = 10_000, 300
WARM = 50


def measure(turn: Turn) -> Sample:
    """Hold the streams, each coding on a server of its own."""
    return tuple(_kib(turn, accepted) for accepted in (BROWSER, "gzip"))


def _kib(turn: Turn, accepted: str) -> float | None:
    count = QUICK if turn.quick else STREAMS
    with turn.serving("compressed") as served:
        with crowds.held(served.port, "/idle", WARM, begun=True, accept_encoding=accepted):
            before = served.memory_bytes()
            with crowds.held(served.port, "/idle", count, begun=True, accept_encoding=accepted):
                after = served.memory_bytes()
    return None if before is None or after is None else (after - before) / 1024 / count


QUESTION = Question(
    name="compressed-idle",
    text="What does a silent stream of compressed events cost?",
    figures=(Figure("KiB a stream, of a browser's codings"), Figure("KiB a stream, gzip")),
    path="/chat/0",
    measure=measure,
    view=measuring.events,
    app="compressed",
    peers=(NAKED, "naked-small", RAW, LITESTAR),
    rounds=1,
    missing=crowds.needing(STREAMS),
    targets={"uvicorn": (Target(most=48), Target(most=48, figure=1))},
    note="naked compresses in gzip by zlib's defaults, naked-small with a window of 4 KiB",
)
