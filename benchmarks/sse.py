"""What does an event cost that is ready? 50,000 Server-Sent Events of JSON, to one reader."""

from benchmarks import clients, measuring
from benchmarks.clients import Taken
from benchmarks.peers import FASTAPI, NAKED
from benchmarks.question import Question, Sample, Target, Turn

EVENTS, QUICK = 50_000, 10_000


def measure(turn: Turn) -> Sample:
    """Read one response; count its events."""
    count = QUICK if turn.quick else EVENTS
    return measuring.cost(turn, lambda: Taken(clients.drain(turn.served.port, f"/sse/{count}"), count))


QUESTION = Question(
    name="sse",
    text="What does an event cost that is ready?",
    figures=measuring.costs("event"),
    path="/sse/100",
    measure=measure,
    view=measuring.events,
    checked=5,
    targets={
        "uvicorn": (Target(NAKED, faster=4), Target(FASTAPI, faster=6), Target("fastapi-yield", faster=20)),
    },
)
