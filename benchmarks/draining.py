"""A process that reads a stream as fast as it comes, and forgets it: python -m benchmarks.draining PORT PATH."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.clients import HOST, Unexpected, request


def drain(port: int, path: str) -> None:
    """Read GET *path* for ever; say so when the first of it has come."""
    buffer = bytearray(1 << 20)
    with socket.create_connection((HOST, port)) as connection:
        connection.sendall(request(path))
        if connection.recv_into(buffer):
            print("reading", flush=True)
        while connection.recv_into(buffer):
            pass


@contextmanager
def draining(port: int, path: str) -> Iterator[None]:
    """Let another process read GET *path* while the block runs."""
    command = [sys.executable, "-m", "benchmarks.draining", str(port), path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # it is a PIPE
            if process.stdout.readline() != "reading\n":
                raise Unexpected(f"GET {path}: nothing came")
            yield
        finally:
            process.kill()


if __name__ == "__main__":
    drain(int(sys.argv[1]), sys.argv[2])
