"""What does a silent stream cost? 10,000 open event streams with a heartbeat: memory, tasks, processor."""

import time

from benchmarks import clients, crowds, measuring
from benchmarks.apps import sources
from benchmarks.question import Figure, Question, Sample, Target, Turn
from benchmarks.serving import Served

STREAMS, QUICK = 10_000, 1_000
WARM = 100


def measure(turn: Turn) -> Sample:
    """Hold the streams; the processor is watched for one heartbeat of each, and not at all if it is to be quick."""
    count = QUICK if turn.quick else STREAMS
    with turn.serving() as served:
        for _ in range(WARM):
            _tasks(served)
        before, memory = _tasks(served), served.memory_bytes()
        with crowds.held(served.port, "/idle", count):
            after, now = _tasks(served), served.memory_bytes()
            kib = None if memory is None or now is None else (now - memory) / 1024 / count
            return kib, (after - before) / count, None if turn.quick else _busy(served)


def _tasks(served: Served) -> int:
    return int(clients.read(served.port, "/tasks").body)


def _busy(served: Served) -> float | None:
    """Return the per cent of a core that the server takes from one heartbeat to the next."""
    before = served.processor_seconds()
    time.sleep(sources.BEAT)
    after = served.processor_seconds()
    return None if before is None or after is None else (after - before) / sources.BEAT * 100


QUESTION = Question(
    name="idle",
    text="What does a silent stream of events cost, with its heartbeat?",
    figures=(Figure("KiB a stream"), Figure("tasks a stream"), Figure("% of a core")),
    path="/sse/100",
    measure=measure,
    view=measuring.events,
    rounds=1,
    missing=crowds.needing(STREAMS),
    targets={
        "uvicorn": (Target(most=14), Target(most=1.01, figure=1)),
        "hypercorn": (Target(most=24),),
    },
)
