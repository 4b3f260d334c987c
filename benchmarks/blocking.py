"""What does an item of a blocking generator cost? 50,000 chunks of 46 bytes that are ready, to one reader."""

from benchmarks import clients
from benchmarks.peers import FASTAPI
from benchmarks.question import Figure, Question, Sample, Target, Turn

CHUNKS, QUICK = 50_000, 10_000


def measure(turn: Turn) -> Sample:
    """Read one response; count its chunks. No processor time: threads that have ended take theirs with them."""
    count = QUICK if turn.quick else CHUNKS
    return (clients.drain(turn.served.port, f"/blocking/{count}") / count * 1e6,)


QUESTION = Question(
    name="blocking",
    text="What does an item of a blocking generator cost?",
    figures=(Figure("us an item"),),
    path="/blocking/100",
    measure=measure,
    rounds=3,
    targets={"uvicorn": (Target(FASTAPI, faster=100),)},
)
