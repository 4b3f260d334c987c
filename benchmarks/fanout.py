"""How long until the last of 10,000 followers has an event, and what is each in memory? ``python -m benchmarks.fanout``

One uvicorn process has one topic, which N clients follow as server-sent events over loopback. One event is appended,
and each client notes when it has it. The clients are one process of their own, with one epoll. Both processes raise
their limit of open files; where 10,000 are not allowed, there are as many as are. raw is as a user writes it: it has a
heartbeat, and listens for each client's leaving; naked does neither.
"""

import argparse
import json
import os
import resource
import selectors
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import monotonic

from benchmarks import report, running
from benchmarks.clients import HOST, PATIENCE, Unexpected
from benchmarks.running import Served

APPS = {"naked": "benchmarks.apps.fanout:naked", "raw": "benchmarks.apps.fanout:raw"}
FOLLOWERS, ROUNDS, EVENTS = 10_000, 3, 10
QUICK = 2_000, 1, 5
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


@dataclass(frozen=True, slots=True)
class Round:
    """What one server process gave; *memory* is KiB a follower."""

    followers: int
    memory: float
    events: list[Told]


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


def measure(app: str, followers: int, events: int) -> Round:
    """Start a server with *app*, have it followed, and append so many *events*."""
    with running.serving("uvicorn", app) as served:
        crowd = Crowd(served)
        try:
            crowd.append()
            crowd.grow(FIRST)
            crowd.append()
            before = memory(served.pid)
            crowd.grow(followers)
            grown = (memory(served.pid) - before) / (followers - FIRST) / 1024
            return Round(followers, grown, [crowd.append() for _ in range(events)])
        finally:
            crowd.close()
            os.kill(served.pid, signal.SIGKILL)  # by hand, nobody notices that all have left


def memory(pid: int) -> int:
    """Return the bytes of a process that are in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def allowed(followers: int) -> int:
    """Raise the limit of open files, here and for whom we start; return how many followers that allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return followers if hard == resource.RLIM_INFINITY else min(followers, hard - 200)


def table(rounds: dict[str, list[Round]]) -> str:
    lines = ["| app | to the middle, ms | to 99 of 100 | to the last | least to most | server, ms | KiB a follower |"]
    lines.append("|---:|---:|---:|---:|---:|---:|---:|")
    for app, taken in rounds.items():
        events = [event for each in taken for event in each.events]
        last = [event.last for event in events]
        processor = [event.processor for event in events if event.processor is not None]
        cells = [median(event.middle for event in events), median(event.most for event in events), median(last)]
        figures = " | ".join(f"{cell:.0f}" for cell in cells)
        spent = f"{median(processor):.0f}" if processor else "not known"
        kept = median(each.memory for each in taken)
        lines.append(f"| {app} | {figures} | {min(last):.0f} to {max(last):.0f} | {spent} | {kept:.1f} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fanout", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2,000 followers, one round")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(arguments)
    wanted, times, events = QUICK if options.quick else (FOLLOWERS, ROUNDS, EVENTS)
    followers = allowed(wanted)
    rounds: dict[str, list[Round]] = {app: [] for app in APPS}
    try:
        for number in range(times):
            for app in sorted(APPS, reverse=bool(number % 2)):
                rounds[app].append(measure(APPS[app], followers, events))
                print(f"{number + 1}/{times} {app}: {rounds[app][-1].memory:.1f} KiB a follower", file=sys.stderr)
    except Unexpected as error:
        print(error, file=sys.stderr)
        return 2
    machine = report.machine()
    if options.json:
        taken = {app: [asdict(each) for each in each_app] for app, each_app in rounds.items()}
        print(json.dumps({"machine": machine, "followers": followers, "rounds": taken}, indent=1))
    else:
        print(f"{followers:,} followers of one topic on uvicorn, {times} rounds of {events} events\n")
        print(table(rounds), report.sentence(machine), sep="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
