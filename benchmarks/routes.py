"""What does it cost to be the last route? 10 to 10,000 routes with a parameter: the last against the first."""

from contextlib import ExitStack
from statistics import median

from benchmarks import clients, loading, measuring
from benchmarks.clients import Unexpected
from benchmarks.peers import RAW
from benchmarks.question import Curve, Question, Sample, Target, Turn
from benchmarks.serving import PATIENCE, Served

COUNTS = (1_000, 10, 100, 10_000)
CONNECTIONS = 8
SECONDS, QUICK = 0.5, 0.2


def measure(turn: Turn) -> Sample:
    """Return how many times as long the last route takes as the first; only of 1,000 and 10 if it is to be quick."""
    return tuple(_last(turn, count) if not turn.quick or count in COUNTS[:2] else None for count in COUNTS)


def _last(turn: Turn, count: int) -> float | None:
    paths = ("/area0/items/7", f"/area{count - 1}/items/7")
    with ExitStack() as stack:
        try:
            served = stack.enter_context(turn.serving(f"routed {count}"))
        except Unexpected:
            if turn.peer == RAW:
                raise
            return None
        for path in paths:
            clients.read(served.port, path)  # Falcon compiles its routes for the first request
        times = 1 if turn.quick else 3
        pairs = [[_cost(served, path, turn.quick) for path in paths] for _ in range(times)]
    return median(last / first for first, last in pairs)


def _cost(served: Served, path: str, quick: bool) -> float:
    """Return what an answer costs the server's processor; the time it takes, where the system does not tell that."""
    seconds = QUICK if quick else SECONDS
    taken, processor = measuring.with_processor(served, lambda: loading.load(served.port, path, CONNECTIONS, seconds))
    return taken.seconds / taken.count if processor is None else processor


CURVE = Curve("times the first", "routes", COUNTS)
QUESTION = Question(
    name="routes",
    text="What does it cost to be the last route?",
    note=f"in time of the server's processor; not known: not asked, or not up within {PATIENCE:.0f} seconds",
    figures=CURVE.figures(),
    curves=(CURVE,),
    path="/area9/items/7",
    measure=measure,
    app="routed 10",
    rounds=1,
    targets={"uvicorn": (Target(most=1.3, figure=3),)},
)
