"""Server processes: one an app, started and stopped by us."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import peers
from benchmarks.apps import sources
from benchmarks.clients import HOST, Unexpected

PATIENCE = 60.0  # ten thousand routes take FastAPI long
PROJECT = Path(__file__).parent.parent


def uvicorn(app: str, port: int, http: str) -> list[str]:
    where = ["uvicorn", app, "--host", HOST, "--port", str(port)]
    return [*where, "--loop", "uvloop", "--http", http, "--log-level", "error", "--no-access-log"]


SERVERS: dict[str, Callable[[str, int], list[str]]] = {
    "uvicorn": lambda app, port: uvicorn(app, port, "httptools"),
    "uvicorn-h11": lambda app, port: uvicorn(app, port, "h11"),
    # 0 workers: in the process itself
    "hypercorn": lambda app, port: [
        *["hypercorn", app, "--bind", f"{HOST}:{port}"],
        *["--workers", "0", "--worker-class", "uvloop", "--log-level", "error"],
    ],
    "granian": lambda app, port: [
        *["granian", app, "--interface", "asgi", "--host", HOST, "--port", str(port)],
        *["--workers", "1", "--loop", "uvloop", "--log-level", "error", "--no-access-log", "--no-ws"],
    ],
}


@dataclass(frozen=True, slots=True)
class Served:
    """A server process."""

    pid: int
    port: int

    def processor_seconds(self) -> float | None:
        """Return what its threads have had of the processor; None where the system does not tell (Linux does)."""
        try:
            threads = list(Path(f"/proc/{self._worker()}/task").iterdir())
            return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9
        except OSError:
            return None

    def memory_bytes(self) -> int | None:
        """Return its resident memory."""
        try:
            pages = int(Path(f"/proc/{self._worker()}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            return None

    def _worker(self) -> int:
        """Granian's app runs in a child; that of all others in the process itself."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return int(children[-1]) if children else self.pid


def inherited() -> dict[str, str]:
    """Return our environment, in which Python keeps its bytecode, but not in this tree: nobody is timed compiling."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPATH": str(PROJECT), "PYTHONPYCACHEPREFIX": str(sources.FILES / "pycache")}


@contextmanager
def started(command: list[str], port: int, environment: dict[str, str]) -> Iterator[Callable[[], Served]]:
    """Run a server while the block runs; the function that it is given waits until the server listens."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=inherited() | environment,
            stdout=log,
            stderr=log,
            start_new_session=True,  # with its children it can be ended as one
        )

        def ready() -> Served:
            if not _listens(process, port):
                log.seek(0)
                said = log.read().decode(errors="replace")
                raise Unexpected(f"{' '.join(command)} must listen within {PATIENCE:.0f} s, and said: {said}")
            return Served(process.pid, port)

        try:
            yield ready
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)  # many have endless streams, some a frozen loop: they stay
            except ProcessLookupError:
                pass
            process.wait()


def starting(server: str, module: str, app: str = "app") -> AbstractContextManager[Callable[[], Served]]:
    """Serve *app* of *module* in a process of its own while the block runs; or what a function makes: "routed 10"."""
    port = free_port()
    environment = {} if app == "app" else {"BENCHMARKS_MADE": f"{module} {app}"}
    where = "benchmarks.apps.made:app" if environment else f"{module}:app"
    return started([sys.executable, "-m", *SERVERS[server](where, port)], port, environment)


@contextmanager
def serving(server: str, module: str, app: str = "app") -> Iterator[Served]:
    """As starting(), and wait until it listens. Raises: Unexpected."""
    with starting(server, module, app) as ready:
        yield ready()


NGINX_CONF = """
daemon off; master_process off; pid nginx.pid; error_log nginx.err;
events {{ worker_connections 256; }}
http {{
    access_log off; sendfile on; default_type application/octet-stream;
    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
    server {{ listen {host}:{port}; location /file/ {{ alias {files}/; }} }}
}}
"""


@contextmanager
def nginx() -> Iterator[Callable[[], Served]]:
    """Serve the files by nginx's sendfile while the block runs."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        conf = Path(folder, "nginx.conf")
        conf.write_text(NGINX_CONF.format(host=HOST, port=port, files=sources.FILES))
        command = [str(peers.nginx()), "-p", folder, "-e", f"{folder}/nginx.err", "-c", str(conf)]
        with started(command, port, {}) as ready:
            yield ready


def free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
            return True
        except OSError:
            time.sleep(0.005)
    return False
