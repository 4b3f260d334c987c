"""The benchmarks' readers: they find the end of a response, and count nothing that is not one; of many at once, too."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks import clients, compressed, crowds, draining, fairness, loading, serving
from benchmarks.clients import Unexpected
from rawasgi import codings


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
        with crowds.held(served.port, "/ticks", 5) as streams:
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
