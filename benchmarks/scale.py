"""Does a stream cost the same, however many there are? 10 to 10,000, which together send 2,000 chunks a second."""

from benchmarks import crowds
from benchmarks.peers import FASTAPI, LITESTAR, NAKED, RAW
from benchmarks.question import Curve, Question, Sample, Turn

COUNTS = (10, 100, 1_000, 10_000)
QUICK = 100
RATE = 2_000  # chunks a second of all of them: a stream has one each 5 ms, or each 5 s
MEMORY = COUNTS[1:]  # what ten streams take is lost in what the process takes anyhow
SECONDS, QUICK_SECONDS = 3.0, 0.5
Measured = tuple[float | None, float | None, float | None]


def measure(turn: Turn) -> Sample:
    """Hold each crowd in turn; the greatest two not at all if it is to be quick."""
    taken = [_crowd(turn, count) if not turn.quick or count <= QUICK else (None,) * 3 for count in COUNTS]
    cost, late, kib = zip(*taken, strict=True)
    return *cost, *late, *kib[-len(MEMORY) :]


def _crowd(turn: Turn, count: int) -> Measured:
    """Return what a chunk takes of the server's processor, how late 99 of 100 are, and a stream's memory."""
    period = count / RATE
    seconds = (QUICK_SECONDS if turn.quick else SECONDS) + 2 * period  # two of a stream are one gap
    with turn.serving() as served:
        with crowds.held(served.port, f"/ticks/{period * 1000:.0f}", COUNTS[0], begun=True):
            before = served.memory_bytes()
        with crowds.held(served.port, f"/ticks/{period * 1000:.0f}", count, begun=True) as streams:
            crowds.forget(streams)
            after = served.memory_bytes()
            began = served.processor_seconds()
            gaps = crowds.gaps(streams, seconds)
            ended = served.processor_seconds()
    chunks = len(gaps) + len(streams)  # the first of each has no gap
    cost = None if began is None or ended is None else (ended - began) / chunks * 1e6
    kib = None if before is None or after is None else (after - before) / count / 1024
    return cost, crowds.percentile([abs(gap - period) * 1000 for gap in gaps], 99), kib


COST = Curve("server, us a chunk", "streams", COUNTS)
LATE = Curve("p99, ms from its time", "streams", COUNTS)
KIB = Curve("KiB a stream", "streams", MEMORY)
QUESTION = Question(
    name="scale",
    text="Does a stream cost the same, however many there are?",
    figures=(*COST.figures(), *LATE.figures(), *KIB.figures()),
    path="/paced/100",
    measure=measure,
    peers=(NAKED, RAW, "starlette", FASTAPI, LITESTAR),
    rounds=1,
    curves=(COST, LATE, KIB),
    missing=crowds.needing(COUNTS[-1]),
    note=f"together they send {RATE:,} chunks a second, however many they are",
)
