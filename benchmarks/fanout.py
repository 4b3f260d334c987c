"""How long until the last of 10,000 followers has an event, and what is each in memory?

One server process has one topic, which N clients follow as server-sent events over loopback. One event is appended,
and each client notes when it has it. The clients are one process of their own, with one epoll. raw is as a user
writes it: it keeps the event for who comes back, has a heartbeat, and listens for each client's leaving; naked does
none of it.
"""

import selectors
import socket
import struct
from contextlib import closing
from dataclasses import dataclass
from statistics import median
from time import monotonic

from benchmarks import crowds, measuring
from benchmarks.clients import HOST, PATIENCE, Unexpected
from benchmarks.peers import NAKED, RAW
from benchmarks.question import Figure, Question, Sample, Target, Turn
from benchmarks.serving import Served

FOLLOWERS, QUICK = 10_000, 1_000
WRITING = (
    "Naked, which is a queue and a send() a follower, takes 277 on this machine; most of it is the system's write."
)
EVENTS = 10
FIRST = 100  # followers that come before the memory is measured
PENDING = 500  # connections that wait for their first event at once: uvicorn's backlog is 2048
FOLLOW = b"GET /follow HTTP/1.1\r\nhost: fanout\r\naccept: text/event-stream\r\n\r\n"
APPEND = b"POST /append HTTP/1.1\r\nhost: fanout\r\ncontent-length: %d\r\n\r\n%b"


@dataclass(frozen=True, slots=True)
class Told:
    """One event: milliseconds from its append to the follower in the middle, to 99 of 100, and to the last."""

    middle: float
    most: float
    last: float
    processor: float | None  # of the server


class Crowd:
    """Followers of one server, who note when they are told."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._selector = selectors.DefaultSelector()
        self._sockets: list[socket.socket] = []
        self._number = 0

    def grow(self, count: int) -> None:
        """Connect until there are *count*, each of which has had the newest event."""
        following = len(self._sockets)
        while following < count:
            while len(self._sockets) < min(count, following + PENDING):
                self._sockets.append(self._ask(FOLLOW))
            following += len(self._arrivals())

    def append(self) -> Told:
        """Append one event, and wait until all have it."""
        self._number += 1
        body = b"%07d" % self._number
        before = self._served.processor_seconds()
        asked = self._ask(APPEND % (len(body), body))
        began, arrivals = 0.0, list[float]()
        while not began or len(arrivals) < len(self._sockets):
            arrivals += self._arrivals()
            began = began or self._answer(asked)
        self._selector.unregister(asked)
        asked.close()
        after = self._served.processor_seconds()
        taken = sorted(1000 * (arrival - began) for arrival in arrivals) or [0.0]
        processor = None if before is None or after is None else 1000 * (after - before)
        return Told(median(taken), taken[int(0.99 * (len(taken) - 1))], taken[-1], processor)

    def _arrivals(self) -> list[float]:
        """Return when each came who has now the newest event."""
        mark = b"data: %07d\n" % self._number
        ready = self._selector.select(PATIENCE)
        if not ready:
            raise Unexpected(f"no follower was told anything for {PATIENCE:.0f} s")
        found = []
        for key, _ in ready:
            assert isinstance(key.fileobj, socket.socket)
            data = key.fileobj.recv(65536)
            if not data:
                raise Unexpected("the server ended a connection")
            key.data.extend(data)
            if mark in key.data:
                found.append(monotonic())
                key.data.clear()
        return found

    def _answer(self, asked: socket.socket) -> float:
        """Return when the server began to append; 0 if it has not said so yet."""
        head, _, body = bytes(self._selector.get_key(asked).data).partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0] or 1)
        return float(body) if len(body) == length else 0.0

    def _ask(self, request: bytes) -> socket.socket:
        one = socket.create_connection((HOST, self._served.port), timeout=PATIENCE)
        one.sendall(request)
        self._selector.register(one, selectors.EVENT_READ, bytearray())
        return one

    def close(self) -> None:
        for one in self._sockets:
            # by RST: nothing of us is left for the next round
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.close()
        self._selector.close()


def measure(turn: Turn) -> Sample:
    """Have a server followed, and append events; the medians."""
    return follow(turn, QUICK if turn.quick else FOLLOWERS)


def follow(turn: Turn, followers: int) -> Sample:
    """As measure(), with so many *followers*."""
    with turn.serving("fanout") as served, closing(Crowd(served)) as crowd:
        crowd.append()
        crowd.grow(FIRST)
        crowd.append()
        before = served.memory_bytes()
        crowd.grow(followers)
        after = served.memory_bytes()
        kib = None if before is None or after is None else (after - before) / (followers - FIRST) / 1024
        told = [crowd.append() for _ in range(EVENTS)]
    processor = [each.processor for each in told if each.processor is not None]
    return (
        median(each.most for each in told),
        median(each.last for each in told),
        median(processor) if processor else None,
        kib,
    )


QUESTION = Question(
    name="fanout",
    text="How long until 10,000 followers of one topic have an event?",
    figures=(Figure("ms to 99 of 100"), Figure("ms to the last"), Figure("ms of the server"), Figure("KiB a follower")),
    path="/sse/100",
    measure=measure,
    view=measuring.events,
    rounds=2,
    missing=crowds.needing(FOLLOWERS),
    peers=(NAKED, RAW, "starlette", "sse-starlette"),
    targets={"uvicorn": (Target(most=150, reason=WRITING, holds=500),)},
    note="A queue a follower for all but raw, which has a journal. A full garbage collection holds up some events.",
)
