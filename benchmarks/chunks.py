"""How does a chunk's cost grow with its size? 16 bytes to 1 MiB, ready, to one reader."""

from benchmarks import clients
from benchmarks.question import Curve, Question, Sample, Turn, binary

SIZES = tuple(16 << (2 * step) for step in range(9))
BYTES, MOST = 32 << 20, 40_000  # no more of either
QUICK = 4  # times less


def measure(turn: Turn) -> Sample:
    """Read one response for each size."""
    return tuple(_cost(turn, size) for size in SIZES)


def _cost(turn: Turn, size: int) -> float:
    count = min(MOST, BYTES // size) // (QUICK if turn.quick else 1)
    return clients.drain(turn.served.port, f"/chunks/{size}/{count}") / count * 1e6


CURVE = Curve("us a chunk", "", SIZES, binary)
QUESTION = Question(
    name="chunks",
    text="How does a chunk's cost grow with its size?",
    figures=CURVE.figures(),
    path="/chunks/64/100",
    measure=measure,
    curves=(CURVE,),
)
