"""What does a chunk cost that its source waits for? 50,000 chunks of 46 bytes, each after sleep(0), to one reader."""

from benchmarks import clients
from benchmarks.clients import Taken
from benchmarks.question import NAKED, Question, Target

CHUNKS, QUICK = 50_000, 10_000


def measure(port: int, quick: bool) -> Taken:
    """Read one response; count its chunks."""
    count = QUICK if quick else CHUNKS
    return Taken(clients.drain(port, f"/paced/{count}"), count)


QUESTION = Question(
    name="paced",
    text="What does a chunk cost that its source waits for?",
    unit="chunk",
    path="/paced/1000",
    measure=measure,
    turns=5,  # a difference of a few per cent, on a machine that does other things too
    targets={"uvicorn": (Target(NAKED, slower=1.05),)},
)
