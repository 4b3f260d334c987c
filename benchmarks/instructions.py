"""How many instructions does a chunk take, and a response, where time is too noisy to tell? In process, by callgrind.

The app is called by us: no socket, no server, a send() that returns at once. For each figure one process asks for so
much more of it than another one; the difference counts, and has no start in it. Such a process, without callgrind:
python -m benchmarks.instructions MODULE PATH TIMES PATH TIMES ...
"""

import asyncio
import gc
import importlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import cast

from benchmarks import peers, serving
from benchmarks.clients import Unexpected
from benchmarks.peers import NAKED, RAW
from benchmarks.question import Figure, Question, Sample, Turn
from rawasgi.asgi import App, HTTPScope, Received, Sent

CHUNKS, RESPONSES = 500, 100
Asked = tuple[str, int]  # a path, and how often
RUNS: dict[str, tuple[Asked, Asked, int]] = {  # by figure: a run, one with so much more of it, and how much that is
    "instructions a ready chunk": ((f"/burst/{CHUNKS}", 1), (f"/burst/{2 * CHUNKS}", 1), CHUNKS),
    "instructions a paced chunk": ((f"/paced/{CHUNKS}", 1), (f"/paced/{2 * CHUNKS}", 1), CHUNKS),
    "instructions a short stream": (("/short", RESPONSES), ("/short", 2 * RESPONSES), RESPONSES),
    "instructions a plain answer": (("/plain", RESPONSES), ("/plain", 2 * RESPONSES), RESPONSES),
}


def measure(turn: Turn) -> Sample:
    """Run the app under callgrind: once with the less of everything, then with more of each."""
    module = peers.PEERS[turn.peer].module
    less = [run[0] for run in RUNS.values()]
    run(plainly(module, less))  # the first may have to compile
    more = [[*less[:index], asked, *less[index + 1 :]] for index, (_, asked, _) in enumerate(RUNS.values())]
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # nothing is timed: they may run side by side
        base, *counts = pool.map(counted, (plainly(module, asked) for asked in (less, *more)))
    return tuple((count - base) / much for count, (_, _, much) in zip(counts, RUNS.values(), strict=True))


def plainly(module: str, asked: Sequence[Asked]) -> list[str]:
    """Return the command of a process that asks the app of *module*."""
    pairs = [str(part) for pair in asked for part in pair]
    return [sys.executable, "-m", "benchmarks.instructions", module, *pairs]


def counted(command: Sequence[str]) -> int:
    """Return how many instructions the process of *command* takes. Raises: Unexpected."""
    said = run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command])
    found = re.search(r"Collected : (\d+)", said)
    if found is None:
        raise Unexpected(f"callgrind must say how many instructions it counted, and said: {said}")
    return int(found[1])


def run(command: Sequence[str]) -> str:
    """Return what the process of *command* writes about itself. Raises: Unexpected."""
    environment = serving.inherited() | {"PYTHONHASHSEED": "0"}
    process = subprocess.run(command, env=environment, cwd=serving.PROJECT, capture_output=True, text=True, check=False)
    if process.returncode:
        raise Unexpected(f"{' '.join(command)} must end well, and said: {process.stderr}")
    return process.stderr


def ask(app: App, path: str, times: int) -> int:
    """Call *app* so many *times*, as a server does that sends at once; return how many messages came."""
    return asyncio.run(_ask(app, path, times))


async def _ask(app: App, path: str, times: int) -> int:
    messages = 0

    async def send(message: Sent) -> None:
        nonlocal messages
        messages += 1

    for _ in range(times):
        whole = False

        async def receive() -> Received:
            nonlocal whole
            if whole:  # the client stays
                await asyncio.Event().wait()
            whole = True
            return {"type": "http.request", "body": b"", "more_body": False}

        await app(_scope(path), receive, send)
    return messages


def _scope(path: str) -> HTTPScope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1"), (b"user-agent", b"benchmarks"), (b"accept", b"*/*")],
        "client": ("127.0.0.1", 40000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }


def missing() -> str | None:
    """Return why no instructions can be counted here, or None."""
    return None if shutil.which("valgrind") else "valgrind is not on the path"


QUESTION = Question(
    name="instructions",
    text="How many instructions does a chunk take, and a response, without a server?",
    figures=tuple(Figure(name) for name in RUNS),
    path="/burst/1000",
    measure=measure,
    peers=(NAKED, RAW),
    rounds=1,
    quick=False,
    missing=missing,
    note="in process, by callgrind: no socket, and a send() that returns at once",
)


def main() -> None:
    """Ask, as the arguments say."""
    module, *pairs = sys.argv[1:]
    app = cast(App, importlib.import_module(module).app)
    gc.freeze()  # what was imported is not collected, now in the one run and then in the other
    for path, times in zip(pairs[::2], pairs[1::2], strict=True):
        ask(app, path, int(times))
    os._exit(0)  # nothing is torn down


if __name__ == "__main__":
    main()
