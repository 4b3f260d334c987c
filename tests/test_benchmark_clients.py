"""The benchmarks' readers: they find the end of a response, and count nothing that is not one; of many at once, too."""

import resource
import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks import (
    clients,
    compressed,
    crowds,
    draining,
    fairness,
    held,
    instructions,
    loading,
    running,
    serving,
    wrk,
)
from benchmarks.apps import naked, raw
from benchmarks.clients import Unexpected
from benchmarks.peers import NAKED, RAW
from benchmarks.question import Figure, Question
from rawasgi import codings
from rawasgi.asgi import App


@contextmanager
def answering(*responses: list[bytes]) -> Iterator[int]:
    """A server that answers each connection with the next of *responses*, written piece by piece, and then ends it."""

    def serve() -> None:
        for pieces in responses:
            connection, _ = listener.accept()
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.recv(65536)
                for piece in pieces:
                    connection.sendall(piece)

    with socket.create_server((clients.HOST, 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
ENDS = [
    [HEAD + b"1\r\na\r\n0\r\n\r\n"],
    [HEAD, b"1\r\na\r\n", b"0\r\n\r\n"],
    [HEAD, *(bytes([byte]) for byte in b"1\r\na\r\n0\r\n\r\n")],
]


SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
SIZED_ENDS = [[SIZED + b"ab"], [SIZED, b"a", b"b"], [SIZED[:20], SIZED[20:] + b"a", b"b"]]


@pytest.mark.parametrize("pieces", [*ENDS, *SIZED_ENDS])
def test_the_end_is_found_wherever_it_is_cut(pieces: list[bytes]) -> None:
    with answering(pieces) as port:
        assert clients.drain(port, "/") > 0


def test_a_body_that_is_cut_off_is_no_measurement() -> None:
    with answering([HEAD + b"1\r\na\r\n"]) as port, pytest.raises(Unexpected, match="inside the answer"):
        clients.drain(port, "/")
    with answering(ENDS[0], [HEAD + b"1\r\na\r\n"]) as port, pytest.raises(Unexpected, match="inside a response"):
        loading.load(port, "/", 1, 60)
    with answering([SIZED], [SIZED + b"a"]) as port, pytest.raises(Unexpected, match="inside a response"):
        loading.load(port, "/", 1, 60)


def test_an_answer_that_is_not_200_is_no_measurement() -> None:
    wrong = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"
    with answering([wrong]) as port, pytest.raises(Unexpected, match="500"):
        clients.drain(port, "/")
    with answering([wrong]) as port, pytest.raises(Unexpected, match="500"):
        loading.load(port, "/", 1, 60)


def test_a_connection_that_ends_between_two_responses_is_opened_anew() -> None:
    wrong = [b"HTTP/1.1 500 "]
    with answering(ENDS[0], *ENDS, wrong) as port, pytest.raises(Unexpected, match="500"):
        loading.load(port, "/", 1, 60)


def test_a_response_with_a_length_ends_where_the_first_did() -> None:
    wrong = [b"HTTP/1.1 500 "]
    with answering([SIZED], [SIZED, b"a", b"b"], wrong) as port, pytest.raises(Unexpected, match="500"):
        loading.load(port, "/", 1, 60)


def test_a_crowd_is_held_and_its_gaps_are_taken() -> None:
    with serving.serving("uvicorn", "benchmarks.apps.naked") as served:
        with crowds.held(served.port, "/ticks/50", 5) as streams:
            gaps = crowds.gaps(streams, 0.5)
    assert len(streams) == 5
    assert 5 <= len(gaps) <= 5 * 12  # at most as many as there were ticks; a busy machine may have fewer
    assert 0 < min(gaps) <= max(gaps) < 60


def test_a_crowd_that_says_nothing_is_no_measurement() -> None:
    ours, theirs = socket.socketpair()
    with ours, pytest.raises(Unexpected, match="was silent"):
        crowds.gaps([ours], 0.01)
    theirs.close()
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours, pytest.raises(Unexpected, match="ended"):
        crowds.gaps([ours], 60)


@pytest.mark.parametrize(("percent", "figure"), [(0, 1), (50, 51), (99, 100), (100, 100)])
def test_a_percentile_is_one_of_the_figures(percent: float, figure: float) -> None:
    assert crowds.percentile([float(number) for number in range(100, 0, -1)], percent) == figure


def test_an_answer_that_does_not_come_takes_as_long_as_one_waits() -> None:
    with socket.create_server((clients.HOST, 0)) as listener:
        assert fairness.answered(listener.getsockname()[1], "/", 0.05) == 0.05
    with answering(ENDS[0]) as port:
        assert fairness.answered(port, "/", 60) < 60


def test_a_stream_is_read_beside() -> None:
    with answering([HEAD, b"1\r\na\r\n"]) as port, draining.draining(port, "/"):
        pass
    with answering([]) as port, pytest.raises(Unexpected, match="nothing came"), draining.draining(port, "/"):
        pass


@pytest.mark.parametrize("coding", [None, "gzip", "br", "zstd"])
def test_events_are_decoded_as_they_come(coding: str | None) -> None:
    decode = compressed.decoder(coding)
    if coding is None:
        assert decode(b"data: 1\n\n") == b"data: 1\n\n"
        return
    if coding not in codings.available():
        pytest.skip(f"{coding} is not installed")
    encoder = codings.encoder(coding, None)
    for event in (b"data: 1\n\n", b"data: 2\n\n"):
        assert decode(encoder.encode(event) + encoder.flush()) == event


def test_a_crowd_that_needs_more_files_than_there_are_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    assert crowds.needing(1_000)() is None
    said = "19,000 streams take 19,500 open files, and the system gives a process 4,096 (ulimit -Hn)"
    assert crowds.needing(19_000)() == said
    asked = Question("held", "What?", (Figure("us"),), "/", lambda turn: (1.0,), missing=crowds.needing(19_000))
    result = running.run([asked], [NAKED, RAW], "uvicorn", 1, True, lambda text: None)["held"]
    assert result == running.Result({}, {NAKED: said, RAW: said})


def test_a_greater_crowd_comes_from_several_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowds, "FROM_ONE", 2)
    with serving.serving("uvicorn", "benchmarks.apps.naked") as served:
        with crowds.held(served.port, "/idle", 5, begun=True) as streams:
            addresses = [stream.getsockname()[0] for stream in streams]
    if sys.platform == "linux":
        assert addresses == ["127.0.0.1", "127.0.0.1", "127.0.0.2", "127.0.0.2", "127.0.0.3"]


@pytest.mark.parametrize(
    "pieces", [[HEAD + b"1\r\na\r\n"], [HEAD, b"1\r\na\r\n"], [HEAD[:30], HEAD[30:], b"1\r\na\r\n"]]
)
def test_a_stream_that_has_begun_has_sent_a_chunk(pieces: list[bytes]) -> None:
    with answering(pieces) as port, crowds.held(port, "/", 1, begun=True):
        pass
    with answering([HEAD]) as port, pytest.raises(Unexpected, match="before its first chunk"):
        with crowds.held(port, "/", 1, begun=True):
            pass


def test_a_stream_is_held_when_it_says_something_in_time() -> None:
    pairs = [socket.socketpair() for _ in range(3)]
    ours = [pair[0] for pair in pairs]
    pairs[0][1].send(b": still here\n\n")
    assert held.beating(ours, 0.01) == 1
    for pair in pairs:
        pair[1].send(b": still here\n\n")
    assert held.beating(ours, 60) == 3
    pairs[1][1].close()
    with pytest.raises(Unexpected, match="ended"):
        held.beating(ours, 60)
    for pair in pairs:
        pair[0].close()
        pair[1].close()


def test_a_request_has_the_fields_that_are_wanted() -> None:
    assert b"\r\naccept-encoding: gzip\r\n\r\n" in clients.request("/", accept_encoding="gzip")


WRK = """\
Running 1s test @ http://127.0.0.1:8765/short
  7255 requests in 1.01s, 2.82MB read
Requests/sec:   7217.99
Transfer/sec:      2.80MB
"""


def test_what_wrk_says_is_read() -> None:
    assert wrk.said(WRK, "/short") == 7217.99
    for wrong in ("", WRK + "  Non-2xx or 3xx responses: 3\n", WRK.replace("7217.99", "0.00")):
        with pytest.raises(Unexpected, match="wrk must find nothing but 200"):
            wrk.said(wrong, "/short")


def test_wrk_is_asked_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("wrk") is not None:
        with serving.serving("uvicorn", "benchmarks.apps.naked") as served:
            assert (wrk.rate(served.port, "/short", 2, 1) or 0) > 0
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert wrk.rate(1, "/", 1, 1) is None
    assert instructions.missing() == "valgrind is not on the path"


@pytest.mark.parametrize("app", [naked.app, raw.app])
def test_an_app_is_asked_without_a_server(app: App) -> None:
    once = [instructions.ask(app, path, 1) for path in ("/short", "/plain", "/burst/500", "/paced/50")]
    assert min(once) >= 2
    assert instructions.ask(app, "/plain", 3) == 3 * once[1]


def test_instructions_are_counted() -> None:
    if (reason := instructions.missing()) is not None:
        pytest.skip(reason)
    assert instructions.counted(["true"]) > 10_000
    with pytest.raises(Unexpected, match="must end well"):
        instructions.counted(["false"])


def test_what_came_before_is_forgotten() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"x" * 100_000)
        crowds.forget([ours])
        with pytest.raises(Unexpected, match="was silent"):
            crowds.gaps([ours], 0.01)
        theirs.close()
        with pytest.raises(Unexpected, match="ended"):
            crowds.forget([ours])
