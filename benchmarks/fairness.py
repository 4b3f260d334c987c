"""How long does an answer take beside a stream that is always ready? The 99th of 100 requests."""

import socket
from time import perf_counter

from benchmarks import clients, crowds, draining, measuring
from benchmarks.clients import HOST
from benchmarks.question import Figure, Question, Sample, Target, Turn

REQUESTS, QUICK = 100, 20
LIMIT, QUICK_LIMIT = 4.0, 0.5


def measure(turn: Turn) -> Sample:
    """Time the answers; once one takes longer than the limit, no more are asked, and the limit is the figure."""
    limit = QUICK_LIMIT if turn.quick else LIMIT
    taken: list[float] = []
    with turn.serving() as served, draining.draining(served.port, "/hot"):
        while len(taken) < (QUICK if turn.quick else REQUESTS) and limit not in taken:
            taken.append(answered(served.port, "/plain", limit))
    return crowds.percentile(taken, 99) * 1000, crowds.percentile(taken, 50) * 1000


def answered(port: int, path: str, limit: float) -> float:
    """Return the seconds to the first of the answer to GET *path* over a new connection, but no more than *limit*."""
    began = perf_counter()
    try:
        with socket.create_connection((HOST, port), timeout=limit) as connection:
            connection.sendall(clients.request(path))
            clients.check(connection.recv(65536), path)
    except TimeoutError:
        return limit
    return min(perf_counter() - began, limit)


QUESTION = Question(
    name="fairness",
    text="How long does an answer take beside a stream that is always ready?",
    note=f"after {LIMIT:g} seconds an answer is given up, and counts as that ({QUICK_LIMIT:g} if it is to be quick)",
    figures=(Figure("p99, ms"), Figure("p50, ms")),
    path="/plain",
    measure=measure,
    view=measuring.value,
    rounds=2,
    targets={"uvicorn": (Target(most=100),)},
)
