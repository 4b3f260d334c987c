"""What does a chunk cost that is ready? 200,000 chunks of 46 bytes to one reader."""

from benchmarks import clients
from benchmarks.clients import Taken
from benchmarks.question import FASTAPI, NAKED, Question, Target

CHUNKS, QUICK = 200_000, 40_000


def measure(port: int, quick: bool) -> Taken:
    """Read one response; count its chunks."""
    count = QUICK if quick else CHUNKS
    return Taken(clients.drain(port, f"/burst/{count}"), count)


QUESTION = Question(
    name="burst",
    text="What does a chunk cost that is ready?",
    unit="chunk",
    path="/burst/1000",
    measure=measure,
    turns=2,
    targets={
        "uvicorn": (Target(FASTAPI, faster=12), Target(NAKED, faster=10)),
        "hypercorn": (Target(FASTAPI, faster=30), Target(NAKED, faster=10)),
    },
)
