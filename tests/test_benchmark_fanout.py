"""The question of the many followers: that all are told, by either app, and what the table says."""

import os
import re
import resource
import signal
import socket
from contextlib import closing

import pytest

from benchmarks import fanout, running
from benchmarks.clients import HOST, PATIENCE
from benchmarks.fanout import APPS, FIRST, Crowd, Round, Told


@pytest.mark.parametrize("app", APPS)
def test_each_follower_is_told_once_of_each_event(app: str) -> None:
    measured = fanout.measure(APPS[app], FIRST + 20, 2)
    assert measured.followers == FIRST + 20
    assert len(measured.events) == 2
    assert all(0 < event.middle <= event.most <= event.last for event in measured.events)


def test_both_apps_send_the_same_but_for_what_the_id_is() -> None:
    events = []
    for app in APPS.values():
        with running.serving("uvicorn", app) as served, closing(Crowd(served)) as crowd:
            crowd.append()
            body = b""
            with socket.create_connection((HOST, served.port), timeout=PATIENCE) as follower:
                follower.sendall(fanout.FOLLOW)
                while not body.endswith(b"\n\n\r\n"):
                    body += follower.recv(65536)
            os.kill(served.pid, signal.SIGKILL)  # by hand, nobody notices that all have left
            events.append(re.sub(rb"[0-9a-f]{8}-[0-9a-f]{8}-0*", b"journal-", body.partition(b"\r\ndata: ")[2]))
    assert events[0] == events[1] == b"0000001\nid: journal-1\n\n\r\n"


def test_the_table_has_the_median_and_the_spread() -> None:
    events = [Told(1.0, 2.0, last, 4.0) for last in (3.0, 9.0, 4.0)]
    assert (
        fanout.table({"raw": [Round(10, 17.66, events)]}).splitlines()[2] == "| raw | 1 | 2 | 4 | 3 to 9 | 4 | 17.7 |"
    )


def test_no_more_follow_than_files_may_be_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 1200))
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    assert (fanout.allowed(10_000), fanout.allowed(10)) == (1000, 10)
