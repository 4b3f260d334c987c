"""The question of the many followers: that all are told, whoever serves them."""

import re
import socket
from contextlib import closing
from functools import partial

import pytest

from benchmarks import fanout, peers, serving
from benchmarks.clients import HOST, PATIENCE
from benchmarks.fanout import FIRST, QUESTION, Crowd
from benchmarks.question import Turn
from benchmarks.serving import Served

assert QUESTION.peers is not None
PEERS = pytest.mark.parametrize("peer", QUESTION.peers)


def turn(peer: str) -> Turn:
    if (reason := peers.PEERS[peer].missing()) is not None:
        pytest.skip(reason)
    return Turn(peer, Served(0, 0), True, partial(serving.serving, "uvicorn", peers.PEERS[peer].module))


@PEERS
def test_each_follower_is_told_once_of_each_event(peer: str) -> None:
    most, last, *_ = fanout.follow(turn(peer), FIRST + 20)
    assert most is not None
    assert last is not None
    assert 0 < most <= last


@PEERS
def test_all_send_the_same_but_for_what_the_id_is(peer: str) -> None:
    with turn(peer).serving("fanout") as served, closing(Crowd(served)) as crowd:
        crowd.append()
        body = b""
        with socket.create_connection((HOST, served.port), timeout=PATIENCE) as follower:
            follower.sendall(fanout.FOLLOW)
            while not body.endswith(b"\n\n\r\n"):
                body += follower.recv(65536)
    event = re.search(rb"(?:id: \S+\n|data: \S+\n){2}", body)
    assert event is not None
    lines = sorted(re.sub(rb"[0-9a-f]{8}-[0-9a-f]{8}-0*", b"journal-", event[0]).splitlines())
    assert lines == [b"data: 0000001", b"id: journal-1"]
