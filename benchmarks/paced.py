"""What does a chunk cost that its source waits for? 5,000 chunks of 46 bytes, each after sleep(0), to one reader."""

from benchmarks import clients, measuring
from benchmarks.clients import Taken
from benchmarks.peers import NAKED
from benchmarks.question import Question, Sample, Target, Turn

CHUNKS, QUICK = 5_000, 2_000


def measure(turn: Turn) -> Sample:
    """Read one response; count its chunks."""
    count = QUICK if turn.quick else CHUNKS
    return measuring.cost(turn, lambda: Taken(clients.drain(turn.served.port, f"/paced/{count}"), count))


QUESTION = Question(
    name="paced",
    text="What does a chunk cost that its source waits for?",
    figures=measuring.costs("chunk"),
    path="/paced/1000",
    measure=measure,
    # A difference of a few per cent, on a machine whose speed is another one each second: one turn says it to 15 per
    # cent, and one process to 3.
    turns=24,
    checked=20,
    fresh=8,
    targets={"uvicorn": (Target(NAKED, slower=1.05),)},
)
