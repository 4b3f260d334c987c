"""How fast does a large file go, from the page cache to one reader on this machine? 512 MiB."""

from benchmarks import clients, measuring
from benchmarks.apps import sources
from benchmarks.clients import Taken
from benchmarks.peers import FASTAPI, NGINX
from benchmarks.question import Question, Sample, Target, Turn


def measure(turn: Turn) -> Sample:
    """Read the file once, and forget it."""
    name = "32" if turn.quick else "512"
    sources.file(name)  # before anybody is timed
    return measuring.rate(turn, lambda: Taken(clients.drain(turn.served.port, f"/file/{name}"), int(name)))


QUESTION = Question(
    name="file",
    text="How fast does a large file go?",
    figures=measuring.rates("MiB"),
    path="/file/1",
    measure=measure,
    turns=10,  # one says it to 30 per cent
    checked=3,
    fresh=2,  # what a process has by chance is up to 20 per cent of a copy's time
    rounds=2,
    targets={"uvicorn": (Target(FASTAPI, faster=4), Target(NGINX, faster=1))},
)
