"""How many silent streams can one process hold? 19,000, each of which must have its heartbeat in time."""

import selectors
import socket
from time import perf_counter

from benchmarks import clients, crowds, measuring
from benchmarks.apps import sources
from benchmarks.clients import Unexpected
from benchmarks.peers import NAKED, RAW
from benchmarks.question import Figure, Question, Sample, Target, Turn

STREAMS = 19_000
LATEST = 2 * sources.BEAT


def measure(turn: Turn) -> Sample:
    """Hold them, and wait for a heartbeat of each. Never quick: it is not asked then, unless by its name."""
    with turn.serving() as served:
        clients.read(served.port, "/tasks")
        memory, began = served.memory_bytes(), perf_counter()
        with crowds.held(served.port, "/idle", STREAMS, begun=True) as streams:
            opened = perf_counter() - began
            now = served.memory_bytes()
            alive = beating(streams, LATEST)
    kib = None if memory is None or now is None else (now - memory) / 1024 / STREAMS
    return alive, kib, opened / STREAMS * 1e6


def beating(streams: list[socket.socket], seconds: float) -> int:
    """Return how many of *streams* say something within so many seconds, and do not end."""
    end = perf_counter() + seconds
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map() and (left := end - perf_counter()) > 0:
            for key, _ in selector.select(left):
                assert isinstance(key.fileobj, socket.socket)
                if not key.fileobj.recv(65536):
                    raise Unexpected("a silent stream ended")
                selector.unregister(key.fileobj)
        return len(streams) - len(selector.get_map())


QUESTION = Question(
    name="held",
    text=f"How many silent streams can one process hold, of {STREAMS:,}?",
    figures=(Figure("streams held", more=True), Figure("KiB a stream"), Figure("us to open one")),
    path="/sse/100",
    measure=measure,
    view=measuring.events,
    peers=(NAKED, RAW, "starlette"),
    rounds=1,
    quick=False,
    missing=crowds.needing(STREAMS),
    targets={"uvicorn": (Target(least=STREAMS),)},
)
