"""What does a row cost that is ready? 50,000 lines of JSON, to one reader."""

from benchmarks import clients, measuring
from benchmarks.clients import Taken
from benchmarks.question import Question, Sample, Target, Turn

ROWS, QUICK = 50_000, 10_000


def measure(turn: Turn) -> Sample:
    """Read one response; count its rows."""
    count = QUICK if turn.quick else ROWS
    return measuring.cost(turn, lambda: Taken(clients.drain(turn.served.port, f"/ndjson/{count}"), count))


QUESTION = Question(
    name="ndjson",
    text="What does a row cost that is ready?",
    figures=measuring.costs("row"),
    path="/ndjson/100",
    measure=measure,
    view=measuring.lines,
    targets={"uvicorn": (Target("fastapi-yield", faster=5),)},
)
