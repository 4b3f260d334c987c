"""How long does another endpoint take beside blocking streams? 40 and 120 of them; both work in threads."""

from statistics import median
from time import perf_counter

from benchmarks import crowds
from benchmarks.fairness import answered
from benchmarks.question import Figure, Question, Sample, Target, Turn

STREAMS = (120, 40)
ANSWERS = 3
LIMIT, QUICK_LIMIT = 10.0, 1.5


def measure(turn: Turn) -> Sample:
    """Time the endpoint that works in a thread, as each app has it, beside streams that block half a second an item."""
    limit = QUICK_LIMIT if turn.quick else LIMIT
    return tuple(_beside(turn, count, limit) for count in STREAMS)


def _beside(turn: Turn, count: int, limit: float) -> float:
    taken: list[float] = []
    with turn.serving() as served, crowds.held(served.port, "/blocked", count):
        end = perf_counter() + limit
        while len(taken) < ANSWERS and perf_counter() < end:
            taken.append(answered(served.port, "/thread", limit))
    return median(taken) * 1000


QUESTION = Question(
    name="neighbours",
    text="How long does another endpoint take beside blocking streams?",
    note=f"after {LIMIT:g} seconds an answer is given up, and counts as that ({QUICK_LIMIT:g} if it is to be quick)",
    figures=tuple(Figure(f"ms beside {count}") for count in STREAMS),
    path="/thread",
    measure=measure,
    rounds=1,
    targets={"uvicorn": (Target(most=20), Target(most=20, figure=1))},
)
