"""How many short streams a second? Five chunks a response, 32 connections that stay open, one server process."""

from benchmarks import loading, measuring, wrk
from benchmarks.peers import FASTAPI, NAKED
from benchmarks.question import Question, Sample, Target, Turn

CONNECTIONS = 32
SECONDS, QUICK = 2.0, 0.5
WRK = 1.0  # seconds


def measure(turn: Turn) -> Sample:
    """Read as many responses as come in time; count them. Then let wrk do it, if it is not to be quick."""
    seconds = QUICK if turn.quick else SECONDS
    ours = measuring.rate(turn, lambda: loading.load(turn.served.port, "/short", CONNECTIONS, seconds))
    return *ours, None if turn.quick else wrk.rate(turn.served.port, "/short", CONNECTIONS, WRK)


QUESTION = Question(
    name="short",
    text="How many streams of five chunks a second, over 32 connections?",
    figures=(*measuring.rates("response"), wrk.FIGURE),
    path="/short",
    measure=measure,
    note=wrk.NOTE,
    targets={
        "uvicorn": (
            Target(FASTAPI, faster=7),
            Target(NAKED, faster=2),
        )
    },
)
