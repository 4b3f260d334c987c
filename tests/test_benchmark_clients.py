"""The benchmarks' readers: they find the end of a response, and count nothing that is not one."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks import clients, loading
from benchmarks.clients import Unexpected


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


@pytest.mark.parametrize("pieces", ENDS)
def test_the_end_is_found_wherever_it_is_cut(pieces: list[bytes]) -> None:
    with answering(pieces) as port:
        assert clients.drain(port, "/") > 0


def test_a_body_that_is_cut_off_is_no_measurement() -> None:
    with answering([HEAD + b"1\r\na\r\n"]) as port, pytest.raises(Unexpected, match="inside the body"):
        clients.drain(port, "/")
    with answering(ENDS[0], [HEAD + b"1\r\na\r\n"]) as port, pytest.raises(Unexpected, match="inside a response"):
        loading.load(port, "/", 1, 60)
    sized = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"
    with answering([sized], [sized + b"a"]) as port, pytest.raises(Unexpected, match="inside a response"):
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
    sized = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    wrong = [b"HTTP/1.1 500 "]
    with answering([sized], [sized, b"a", b"b"], wrong) as port, pytest.raises(Unexpected, match="500"):
        loading.load(port, "/", 1, 60)
