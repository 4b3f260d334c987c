"""What does it take to begin? The import of what an app names, and from the start of a server to its first answer."""

import os
import subprocess
import sys
from time import perf_counter

from benchmarks import clients, measuring, serving
from benchmarks.peers import FASTAPI, RAW
from benchmarks.question import Figure, Question, Sample, Target, Turn

IMPORTS = {
    RAW: "from rawasgi import Router, respond",
    "starlette": "from starlette.applications import Starlette; from starlette.routing import Route;"
    " from starlette.responses import StreamingResponse",
    FASTAPI: "from fastapi import FastAPI; from fastapi.responses import StreamingResponse",
    "litestar": "from litestar import Litestar, get; from litestar.response import Stream",
    "quart": "from quart import Quart, Response",
    "blacksheep": "from blacksheep import Application, StreamedContent, get",
    "falcon": "import falcon.asgi",
}
ASYNCIO = "Of 364 million instructions of the import, asyncio alone has 200, and FastAPI's has 1,279."
SCRIPT = """\
from time import perf_counter
began = perf_counter()
{}
print(perf_counter() - began, open("/proc/self/statm").read().split()[1])
"""


def measure(turn: Turn) -> Sample:
    """Import in a fresh process, whose bytecode is kept; then start a server of the app."""
    command = [sys.executable, "-c", SCRIPT.format(IMPORTS[turn.peer])]
    for _ in range(2):  # the first may have to compile
        process = subprocess.run(command, env=serving.inherited(), capture_output=True, text=True, check=True)
    said = process.stdout.split()
    began = perf_counter()
    with turn.serving() as served:
        clients.read(served.port, "/plain")
        return (
            float(said[0]) * 1000,
            (perf_counter() - began) * 1000,
            int(said[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20),
        )


QUESTION = Question(
    name="startup",
    text="What does it take to begin?",
    figures=(Figure("ms to import"), Figure("ms to the first answer"), Figure("MiB after import")),
    path="/plain",
    measure=measure,
    view=measuring.value,
    targets={
        "uvicorn": (Target(most=30, reason=ASYNCIO, holds=250), Target(FASTAPI, faster=5, reason=ASYNCIO, holds=2)),
    },
)
