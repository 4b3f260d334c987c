"""Does a row cost the same, however many there are? 1,000 to 1,000,000 lines of JSON, to one reader."""

from statistics import median

from benchmarks import clients, measuring
from benchmarks.peers import FASTAPI, LITESTAR, NAKED, RAW
from benchmarks.question import Curve, Question, Sample, Turn

COUNTS = (1_000, 10_000, 100_000, 1_000_000)
QUICK = 10_000
ENOUGH = 20_000  # rows: a shorter response is read again, and the one in the middle counts


def measure(turn: Turn) -> Sample:
    """Read one response for each count, several of the short ones; the two longest not at all if it is to be quick."""
    return tuple(_cost(turn, count) if not turn.quick or count <= QUICK else None for count in COUNTS)


def _cost(turn: Turn, count: int) -> float:
    times = 1 if turn.quick else max(1, ENOUGH // count)
    return median(clients.drain(turn.served.port, f"/ndjson/{count}") for _ in range(times)) / count * 1e6


CURVE = Curve("us a row", "rows", COUNTS)
QUESTION = Question(
    name="rows",
    text="Does a row cost the same, however many there are?",
    figures=CURVE.figures(),
    path="/ndjson/100",
    measure=measure,
    view=measuring.lines,
    peers=(NAKED, RAW, "starlette", FASTAPI, "fastapi-yield", LITESTAR),
    rounds=1,
    curves=(CURVE,),
)
