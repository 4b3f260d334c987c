"""How far may one change the import? The peers' own tests for these classes, run against ours.

    python tests/conformance/run.py [--all]

It fetches the sdists of the peers into a temporary folder, runs their tests there with their classes and with ours
under their names (see substitute.py), and prints every case that passes or differs. A case that differs must stand in
differences.py with its reason; exit status 1 if one does not, or if one that stands there passes.

``rawasgi.familiar`` is tested by Starlette's and sse-starlette's tests; ``rawasgi.familiar.fastapi`` by these and by
FastAPI's, where every route is a StreamRoute. ``--all`` runs all of FastAPI's tests, in minutes.

Their tests count messages, so ours run with ``StreamingResponse.join = False``: one message an item, as theirs. On
asyncio only. Not run: what is about JSONServerSentEvent, and their patch of uvicorn at import.
"""

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

from differences import BOTH, FAMILIAR, FASTAPI
from peers import PEERS, Peer, prepare

HERE = Path(__file__).resolve().parent
Outcomes: TypeAlias = dict[str, tuple[str, str]]
KITS = {"familiar": ("starlette", "sse-starlette"), "fastapi": ("starlette", "sse-starlette", "fastapi")}
DIFFERENCES = {"familiar": BOTH | FAMILIAR, "fastapi": BOTH | FASTAPI}
NOT_OURS = ("test_json_server_sent_event",)


def run(python: Path, folder: Path, peer: Peer, kit: str) -> Outcomes:
    """Run the peer's tests with our *kit* of classes, or theirs (""); return the outcome and the error of each case."""
    report = folder / f"{peer.sdist}-{kit}.json"
    path = os.pathsep.join([str(HERE.parent.parent), str(HERE), "."])
    options = ["-q", "-c", str(folder / "pytest.ini"), "--rootdir", ".", "-p", "substitute", "-p", "no:cacheprovider"]
    result = subprocess.run(
        [str(python), "-m", "pytest", *options, *(f"tests/{file}" for file in peer.files)],
        cwd=folder / peer.sdist,
        env={**os.environ, "PYTHONPATH": path, "OURS": kit, "OUTCOMES": str(report)},
        capture_output=True,
        text=True,
    )
    if not report.exists():
        raise RuntimeError(f"pytest did not come to an end:\n{result.stdout}{result.stderr}")
    cases = json.loads(report.read_text())
    return {shorten(case): tuple(cases[case]) for case in cases if not any(name in case for name in NOT_OURS)}


def shorten(case: str) -> str:
    return case.removeprefix("tests/").replace("[asyncio]", "").replace("asyncio-", "")


def report(name: str, theirs: Outcomes, ours: Outcomes, differences: dict[str, str]) -> list[str]:
    """Print the table of one peer; return what is wrong with *differences*."""
    wrong = []
    counted = [case for case, (outcome, _) in theirs.items() if outcome == "passed"]
    passing = [case for case in counted if ours.get(case, ("missing", ""))[0] == "passed"]
    print(f"\n{name}: {len(passing)} of {len(counted)} cases pass with our classes")
    for case in counted:
        reason = differences.get(case)
        if case in passing:
            print(f"  passes   {case}")
            if reason is not None:
                wrong.append(f"{name}: {case} is listed as a difference, and passes: {reason}")
        else:
            print(f"  differs  {case}\n             {reason or ours.get(case, ('', 'not run'))[1].splitlines()[:1]}")
            if reason is None:
                wrong.append(f"{name}: {case} differs, and has no reason in differences.py")
    return wrong


def main(arguments: list[str]) -> int:
    peers = PEERS | ({"fastapi": PEERS["fastapi"]._replace(files=("",))} if "--all" in arguments else {})
    wrong = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        python = prepare(folder)
        with ThreadPoolExecutor(4) as pool:  # and these for their own sleeps
            runs: dict[tuple[str, str], Future[Outcomes]] = {
                (kit, name): pool.submit(run, python, folder, peers[name], kit)
                for kit, names in {"": tuple(peers), **KITS}.items()
                for name in names
            }
        for kit, names in KITS.items():
            seen: Outcomes = {}
            for name in names:
                theirs = runs["", name].result()
                seen |= theirs
                title = f"{peers[name].sdist} with rawasgi.familiar{'.fastapi' if kit == 'fastapi' else ''}"
                wrong += report(title, theirs, runs[kit, name].result(), DIFFERENCES[kit])
            unknown = [case for case in DIFFERENCES[kit] if case not in seen]
            wrong += [f"{kit}: {case} is listed as a difference, and is no case" for case in unknown]
    print("", *wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
