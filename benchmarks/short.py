"""How many short streams a second? Five chunks a response, 32 connections that stay open, one server process."""

from benchmarks import loading, measuring
from benchmarks.peers import FASTAPI, NAKED
from benchmarks.question import Question, Sample, Target, Turn

CONNECTIONS = 32
SECONDS, QUICK = 2.0, 0.5


def measure(turn: Turn) -> Sample:
    """Read as many responses as come in time; count them."""
    seconds = QUICK if turn.quick else SECONDS
    return measuring.rate(turn, lambda: loading.load(turn.served.port, "/short", CONNECTIONS, seconds))


QUESTION = Question(
    name="short",
    text="How many streams of five chunks a second, over 32 connections?",
    figures=measuring.rates("response"),
    path="/short",
    measure=measure,
    targets={"uvicorn": (Target(FASTAPI, faster=7), Target(NAKED, faster=2))},
)
