"""What does a chunk cost that is ready? 200,000 chunks of 46 bytes to one reader."""

from benchmarks import clients, measuring
from benchmarks.clients import Taken
from benchmarks.peers import FASTAPI, NAKED
from benchmarks.question import Question, Sample, Target, Turn

CHUNKS, QUICK = 200_000, 40_000


def measure(turn: Turn) -> Sample:
    """Read one response; count its chunks."""
    count = QUICK if turn.quick else CHUNKS
    return measuring.cost(turn, lambda: Taken(clients.drain(turn.served.port, f"/burst/{count}"), count))


QUESTION = Question(
    name="burst",
    text="What does a chunk cost that is ready?",
    figures=measuring.costs("chunk"),
    path="/burst/1000",
    measure=measure,
    targets={
        "uvicorn": (Target(FASTAPI, faster=12), Target(NAKED, faster=10)),
        "hypercorn": (Target(FASTAPI, faster=30), Target(NAKED, faster=10)),
    },
)
