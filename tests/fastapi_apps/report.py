"""What becomes of the sources when 20 clients leave each route, with FastAPI's classes and with ours, as tables.

    python tests/fastapi_apps/report.py [--write] [uvicorn hypercorn granian]

It serves the project of this folder and FastAPI's tutorials (from its sdist, which is fetched), by uvicorn if no server
is named. ``--write`` writes the tables into README.md beside this file.
"""

import asyncio
import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), *(str(HERE.parent / name) for name in ("", "servers", "conformance")), str(HERE)]

from leaving import ASSISTANT, TUTORIALS, TWENTY, Request, Result, prepare, twenty_leave  # noqa: E402
from peers import PEERS, fetch  # noqa: E402
from serving import Server  # noqa: E402

SECONDS = 3.0  # so long sources that are not closed are waited for
ROUTES = [("assistant", request) for request in ASSISTANT]
ROUTES += [(name, request) for name, requests in TUTORIALS.items() for request in requests]
MARKS = ("<!-- figures -->", "<!-- end of figures -->")


async def leave_all(server: Server) -> list[Result]:
    return [await leave(server, name, request) for name, request in ROUTES]


async def leave(server: Server, name: str, request: Request) -> Result:
    return await twenty_leave(server, f"/{name}", request, SECONDS)


def measure(server_name: str, ours: bool, docs: Path) -> list[Result]:
    """Return the result of each of ROUTES on a server of that name."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepare(folder, ours, docs)
        os.environ["WATCHED_APPS"] = temporary
        server = Server(server_name, "fastapi_served:app", folder / "log")
        try:
            return asyncio.run(leave_all(server))
        finally:
            server.process.kill()
            server.process.wait()


def row(name: str, results: list[Result]) -> str:
    """Return a row with three figures for each of *results*."""
    cells = (f"{figure}" for result in results for figure in (result.closed, result.early, result.finished))
    return f"| {name} | {' | '.join(cells)} |"


def table(server_name: str, docs: Path) -> list[str]:
    theirs, ours = (measure(server_name, kind, docs) for kind in (False, True))
    rows = [
        row(f"{name} `{request.name}`", [*both]) for (name, request), *both in zip(ROUTES, theirs, ours, strict=True)
    ]
    total = [Result(*map(sum, zip(*map(vars_of, results), strict=True))) for results in (theirs, ours)]
    versions = f"FastAPI {version('fastapi')}, {server_name} {version(server_name)}, Python {sys.version.split()[0]}"
    return [
        f"{versions}: of {TWENTY} sources each",
        "",
        "| route | FastAPI: closed | before its dependencies | clean-up finished"
        " | rawasgi: closed | before its dependencies | clean-up finished |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *rows,
        row(f"all {len(ROUTES)}, of {total[0].calls}", total),
        "",
    ]


def vars_of(result: Result) -> list[int]:
    return [*vars(result).values()]


def main(arguments: list[str]) -> None:
    names = [name for name in arguments if name != "--write"] or ["uvicorn"]
    with tempfile.TemporaryDirectory() as temporary:
        docs = fetch(PEERS["fastapi"].sdist, Path(temporary)) / "docs_src"
        lines = [line for name in names for line in table(name, docs)]
    print(*lines, sep="\n")
    if "--write" in arguments:
        page = HERE / "README.md"
        before, _, rest = page.read_text().partition(MARKS[0])
        _, _, after = rest.partition(MARKS[1])
        page.write_text("\n".join([before + MARKS[0], *lines, MARKS[1]]) + after)


if __name__ == "__main__":
    main(sys.argv[1:])
