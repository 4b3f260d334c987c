"""How many short streams a second? Five chunks a response, 32 connections that stay open, one server process."""

from benchmarks import clients
from benchmarks.clients import Taken
from benchmarks.question import FASTAPI, NAKED, Question, Target

CONNECTIONS = 32
SECONDS, QUICK = 2.0, 0.5


def measure(port: int, quick: bool) -> Taken:
    """Read as many responses as come in time; count them."""
    return clients.load(port, "/short", CONNECTIONS, QUICK if quick else SECONDS)


QUESTION = Question(
    name="short",
    text="How many streams of five chunks a second, over 32 connections?",
    unit="response",
    path="/short",
    measure=measure,
    is_rate=True,
    turns=2,
    targets={"uvicorn": (Target(FASTAPI, faster=7), Target(NAKED, faster=2))},
)
