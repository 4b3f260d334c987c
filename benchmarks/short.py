"""How many short streams a second? Five chunks a response, 32 connections that stay open, one server process."""

from benchmarks import loading, measuring, wrk
from benchmarks.peers import FASTAPI, NAKED
from benchmarks.question import Question, Sample, Target, Turn

CONNECTIONS = 32
SECONDS, QUICK = 0.4, 0.05
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
    turns=12,  # as paced; here one says it to 20 per cent
    checked=6,
    fresh=3,
    note=f"naked-joined sends the five in one message, and our two headers; it does nothing else; {wrk.NOTE}",
    targets={
        "uvicorn": (
            Target(FASTAPI, faster=7),
            Target(
                NAKED,
                faster=2,
                reason="naked-joined is 2.1 times as fast: 1 us would be left for routes, requests, clean-up.",
                holds=1.5,
            ),
        )
    },
)
