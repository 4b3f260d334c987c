"""Run the questions: servers of our own, in turn, round after round.

A round starts one server process an app, compares what they send, asks each question of each app in turn, and stops
the servers. So a machine that is slower for a while is so for all three, and what a process has by chance (where its
memory lies, its hash seed) is in the spread. Only the app that is being measured has anything to do.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import clients
from benchmarks.clients import HOST, Unexpected
from benchmarks.question import APPS, Question

# figures by question and app, in the order in which they were taken: the n-th of each app belong together
Figures = dict[str, dict[str, list[float]]]

PATIENCE = 20.0
PROJECT = Path(__file__).parent.parent
SERVERS: dict[str, Callable[[str, int], list[str]]] = {
    "uvicorn": lambda app, port: [
        *["uvicorn", app, "--host", HOST, "--port", str(port)],
        *["--loop", "uvloop", "--http", "httptools", "--lifespan", "off", "--log-level", "error", "--no-access-log"],
    ],
    # 0 workers: in the process itself
    "hypercorn": lambda app, port: [
        *["hypercorn", app, "--bind", f"{HOST}:{port}"],
        *["--workers", "0", "--worker-class", "uvloop", "--log-level", "error"],
    ],
}


def run(questions: Sequence[Question], server: str, rounds: int, quick: bool, say: Callable[[str], None]) -> Figures:
    """Return what *rounds* rounds give; *say* is told of each figure. Raises: Unexpected."""
    figures: Figures = {question.name: {name: [] for name in APPS} for question in questions}
    for number in range(rounds):
        with ExitStack() as stack:
            ports = {name: stack.enter_context(serving(server, app)) for name, app in APPS.items()}
            for question in questions:
                compare({name: clients.read(port, question.path) for name, port in ports.items()})
                for turn in range(question.turns):
                    for name in _turned(list(ports), number * question.turns + turn):
                        figure = question.measure(ports[name], quick)
                        figures[question.name][name].append(figure)
                        say(f"{question.name} {number + 1}/{rounds} {name}: {figure:.2f} {question.unit}")
    return figures


def _turned(names: list[str], by: int) -> list[str]:
    """The same order, begun elsewhere: nobody is always the first."""
    by %= len(names)
    return names[by:] + names[:by]


def compare(answers: dict[str, clients.Answer]) -> None:
    """Raises: Unexpected unless all apps answer the same."""
    (first, wanted), *others = answers.items()
    if wanted.status != 200 or not wanted.body:
        raise Unexpected(f"{first} must answer 200 and a body, not {wanted}")
    for name, answer in others:
        if answer != wanted:
            raise Unexpected(f"{name} must answer what {first} answers, {wanted}, not {answer}")


@contextmanager
def serving(server: str, app: str) -> Iterator[int]:
    """Serve *app* in a process of its own while the block runs; gives the port."""
    port = free_port()
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-m", *SERVERS[server](app, port)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log)
        try:
            if not _answers(process, port):
                log.seek(0)
                said = log.read().decode(errors="replace")
                raise Unexpected(f"{server} must serve {app} within {PATIENCE:.0f} s, and said: {said}")
            yield port
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
            return True
        except OSError:
            time.sleep(0.05)
    return False
