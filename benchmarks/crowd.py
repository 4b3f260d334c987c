"""How evenly do many paced streams flow? 1,000 of them, a chunk each 50 ms: how far the gaps are from that."""

from time import perf_counter

from benchmarks import crowds
from benchmarks.peers import NAKED
from benchmarks.question import Figure, Question, Sample, Target, Turn

STREAMS = 1_000
TICK = 0.05  # seconds between the chunks of a stream
SECONDS, QUICK = 5.0, 1.5


def measure(turn: Turn) -> Sample:
    """Take the time of whatever comes on each stream."""
    with turn.serving() as served, crowds.held(served.port, f"/ticks/{TICK * 1000:.0f}", STREAMS) as streams:
        crowds.gaps(streams, 0.5)  # all have begun
        before, began = served.processor_seconds(), perf_counter()
        errors = [abs(gap - TICK) * 1000 for gap in crowds.gaps(streams, QUICK if turn.quick else SECONDS)]
        after, taken = served.processor_seconds(), perf_counter() - began
    busy = None if before is None or after is None else (after - before) / taken * 100
    return crowds.percentile(errors, 99), crowds.percentile(errors, 50), busy


QUESTION = Question(
    name="crowd",
    text="How evenly do 1,000 streams flow, with 20 chunks a second each?",
    note="the figures are how far the gaps are from 50 ms",
    figures=(Figure("p99, ms"), Figure("p50, ms"), Figure("% of a core")),
    path="/paced/100",
    measure=measure,
    turns=2,
    rounds=3,
    targets={"uvicorn": (Target(NAKED, slower=1.1),)},
)
