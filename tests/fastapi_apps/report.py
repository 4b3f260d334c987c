"""What becomes of the sources when 20 clients leave, with FastAPI's classes and with ours.

python tests/fastapi_apps/report.py [uvicorn|hypercorn|granian ...]
"""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE.parent / "servers"), str(HERE)]

from leaving import ASSISTANT, Request, Result, prepare, twenty_leave  # noqa: E402
from serving import Server  # noqa: E402

SECONDS = 3.0  # so long sources are waited for that are not closed


async def measure(server: Server, prefix: str, requests: list[Request]) -> dict[str, Result]:
    return {request.name: await twenty_leave(server, prefix, request, SECONDS) for request in requests}


def results(name: str, ours: bool, prefix: str) -> dict[str, Result]:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepare(folder, ours)
        os.environ["WATCHED_APPS"] = temporary
        server = Server(name, "fastapi_served:app", folder / "log")
        try:
            return asyncio.run(measure(server, f"{prefix}/assistant", ASSISTANT))
        finally:
            server.process.kill()
            server.process.wait()
            print(server.log)


def main(names: list[str]) -> None:
    for name in names or ["uvicorn", "hypercorn"]:
        for ours in (False, True):
            for prefix in ("", "/2.4"):
                print(name, "ours" if ours else "theirs", prefix)
                for each, result in results(name, ours, prefix).items():
                    print(f"  {each:30} {result}")


if __name__ == "__main__":
    main(sys.argv[1:])
