"""How fast does a large file go, from the page cache to one reader on this machine? 512 MiB."""

from benchmarks import clients
from benchmarks.apps import sources
from benchmarks.clients import Taken
from benchmarks.question import FASTAPI, NAKED, NGINX, RAW, Question, Target


def measure(port: int, quick: bool) -> Taken:
    """Read the file once, and forget it."""
    name = "64" if quick else "512"
    sources.file(name)  # before anybody is timed
    return clients.download(port, f"/file/{name}")


QUESTION = Question(
    name="file",
    text="How fast does a large file go?",
    unit="MiB",
    path="/file/1",
    measure=measure,
    apps=(NAKED, RAW, FASTAPI, NGINX),
    is_rate=True,
    turns=3,
    targets={"uvicorn": (Target(FASTAPI, faster=4), Target(NGINX, faster=1))},
)
