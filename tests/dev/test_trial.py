"""What remains is found by a check of the changed app, in a process of its own; no file is written."""

import importlib
import io
import json
import sys
from argparse import Namespace
from collections.abc import AsyncGenerator, Iterator
from dataclasses import astuple
from pathlib import Path

import pytest

from rawasgi.dev import cli, trial
from rawasgi.dev.changes import Edit, plan
from rawasgi.dev.checking import Session
from rawasgi.dev.findings import Finding, Target
from rawasgi.dev.results import Result
from rawasgi.dev.uses import Search

APP = """\
import asyncio
from fastapi import FastAPI
from fastapi.responses import (
    JSONResponse,
    StreamingResponse,
)

app = FastAPI(openapi_url=None)

async def rows():
    for number in range(3):
        yield "a"

async def failing():
    yield "a"
    yield "b"
    raise LookupError("no more")

@app.get("/rows")
async def stream():
    print("printed by the app")
    return StreamingResponse(rows())

@app.get("/items")
async def items():
    yield {"a": 1}

@app.get("/fails")
async def fails():
    return StreamingResponse(failing())
"""
REFUSES = "if StreamingResponse.__module__.startswith('rawasgi'):\n    raise RuntimeError('not with me')\n"
LIMITS = ["--seconds", "1", "--grace", "3", "--blocked", "3"]  # that a busy machine keeps


async def found(session: Session, target: Target) -> AsyncGenerator[Finding, None]:
    """Replaces the first check, during which coverage cannot be measured; the second runs in its own process."""
    yield Finding("source-left-open", str(target), "uvicorn", "the client leaves", "it is open")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "tried_app.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[2]}")
    monkeypatch.delitem(sys.modules, "tried_app", raising=False)
    monkeypatch.setattr(Session, "check", found)
    importlib.invalidate_caches()
    yield tmp_path
    assert (tmp_path / "tried_app.py").read_text().removesuffix(REFUSES) == APP


def test_what_remains_is_what_is_found_with_the_changes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["adopt", "tried_app:app", *LIMITS]) == 1
    said = capsys.readouterr().out
    ours = "of rawasgi.familiar.fastapi (tried_app.py:3"
    assert f"GET /rows (tried_app.py:19 stream): with StreamingResponse {ours}) nothing is found\n" in said
    assert "GET /items (tried_app.py:24 items): with FastAPI of rawasgi.familiar.fastapi (tried_app.py:2)" in said
    remains = said.partition(f"GET /fails (tried_app.py:28 fails): with StreamingResponse {ours}) remains\n")[2]
    assert remains.startswith(
        "  app-failed: the app raised LookupError: no more\n      when the client reads to the end"
    )


def test_a_finding_that_does_not_remain_has_a_fix_in_sarif(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["adopt", "tried_app:app", "/rows", "--sarif", *LIMITS]) == 1
    (result,) = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    assert result["fixes"]


def test_an_app_that_does_not_start_with_the_changes_is_not_tried(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "tried_app.py").write_text(APP + REFUSES)
    assert cli.main(["adopt", "tried_app:app", "/rows", *LIMITS]) == 1
    said = capsys.readouterr()
    assert "which failed: cannot load 'tried_app:app': RuntimeError: not with me\n" in said.err
    assert "): mended by StreamingResponse of rawasgi.familiar.fastapi (tried_app.py:3)\n" in said.out


OPTIONS = Namespace(
    app="tried_app:app", method=["POST"], param=[("id", "1")], header=[("a", "b")], skip=["/x"], data="{}",
    seconds=0.3, grace=0.1, blocked=0.1, unsafe=True, factory=False, thorough=False, timeout=None,
)  # fmt: skip


def test_the_second_check_has_the_options_of_the_first() -> None:
    assert trial.arguments(OPTIONS, []) == [
        "adopt", "tried_app:app", "--method=POST", "--param=id=1", "--header=a:b", "--skip=/x", "--seconds=0.3",
        "--grace=0.1", "--blocked=0.1", "--data={}", "--unsafe", "--json", "--changed",
    ]  # fmt: skip


def test_a_process_that_ends_early_and_a_time_that_is_over_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "arguments", lambda *_: ["rules"])
    with pytest.raises(trial.NotTried, match="its process ended with the status 0"):
        trial.check_again(OPTIONS, [], [], float("inf"))
    with pytest.raises(trial.NotTried, match="--timeout was over"):
        trial.check_again(OPTIONS, [], [], 0)


def test_what_is_read_belongs_to_the_route_that_ends_it() -> None:
    fault = {**dict.fromkeys(Finding.__slots__, ""), "id": "task-left", "file": "", "line": 0}
    lines = [fault, {"route": "GET /a", "verdict": "faults"}, {"route": "GET /b", "verdict": "clean"}, fault,
             {"route": "GET /c", "verdict": "unjudged"}, {"route": "GET /other", "verdict": "clean"}]  # fmt: skip
    results = {name: Result(name) for name in ("GET /a", "GET /b", "GET /c")}
    assert not trial._read(["noise\n", *map(json.dumps, lines)], results)
    assert [each.id for each in results["GET /a"].after or []] == ["task-left"]
    assert (results["GET /b"].after, results["GET /c"].after) == ([], None)
    assert trial._read([json.dumps({"summary": {}})], results)


def test_a_module_is_imported_with_its_changes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = importlib.import_module("tried_app")
    edits = plan([*Search(before.stream).uses], [before.items]).edits
    monkeypatch.delitem(sys.modules, "tried_app")
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps([astuple(each) for each in edits])))
    assert cli.main(["adopt", "tried_app:app", "/rows", "--changed"]) == 1
    after = sys.modules["tried_app"]
    assert after.StreamingResponse.__module__ == "rawasgi.familiar.fastapi.responses"
    assert type(after.app).__module__ == "rawasgi.familiar.fastapi.routes"
    assert after.stream.__code__.co_firstlineno == before.stream.__code__.co_firstlineno


def test_the_lines_of_a_source_keep_their_numbers() -> None:
    source = ["import a", "from b import (", "    c,", ")", "d = e(f)", ""]
    edits = [
        Edit("x", 2, 1, 4, 2, "from b import g\nfrom h import c"),
        Edit("x", 5, 8, 5, 8, ", i=j"),
        Edit("x", 5, 9, 5, 9, "\nd.k = l"),
    ]
    assert trial.apply(source, edits) == "import a\nfrom b import g; from h import c\n\n\nd = e(f, i=j); d.k = l\n"


def test_a_module_without_changes_is_found_by_others() -> None:
    assert trial.Changes([]).find_spec("json", None) is None
