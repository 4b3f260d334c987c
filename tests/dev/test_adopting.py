"""``rawasgi adopt``: it finds the faults of an app with twelve streams, and none after the changes that it names."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clock
import pytest

from rawasgi.asgi import App
from rawasgi.dev.client import fetch
from rawasgi.dev.routes import routes
from rawasgi.dev.samples import Given, Samples

HERE = Path(__file__).parent
SHOP = HERE / "adopted" / "shop_app.py"
OPTIONS = ["--json", "--method", "POST", "--header", "authorization: secret"]
ONCE = ["--once", "--seconds", "0.5", "--grace", "0.1", "--blocked", "0.3"]  # what is left open then is so for ever
FAST = ["--seconds", "0.5", "--grace", "0.3", "--blocked", "0.3"]
PATIENT = ["--seconds", "3", "--grace", "3", "--blocked", "3"]
# What each route does wrong before. It may be more: what a client or a server does is tried in many ways.
FAULTS = {
    "GET /export": {"clean-up-cut", "source-left-open"},
    "GET /blocking": {"source-left-open"},
    "GET /v1/orders/{order_id}/log": {"clean-up-cut", "source-left-open"},
    "GET /report": {"clean-up-cut", "source-left-open"},
    "GET /events": {"clean-up-cut"},
    "GET /ticks": {"clean-up-cut", "error-swallowed"},
    "GET /v1/items": {"source-left-open"},
    "GET /v1/blocking-items": {"source-left-open"},
    "GET /file": set(),
    "POST /chat": {"clean-up-cut", "source-left-open"},
    "GET /private": {"clean-up-cut", "source-left-open"},
    "GET /made": {"clean-up-cut", "source-left-open"},
}
IMPORTS = {
    "GET /events": {"EventSourceResponse", "ServerSentEvent"},
    "GET /ticks": {"FastAPI"},
    "GET /v1/items": {"APIRouter"},
    "GET /v1/blocking-items": {"APIRouter"},
    "GET /file": set[str](),
    "GET /made": {"EventSourceResponse", "FileResponse", "ServerSentEvent", "StreamingResponse"},
}


def adopt(folder: Path, *options: str) -> dict[str, Any]:
    """Run the command on the app ``shop_app`` in *folder*; return its lines by route, and the last as "summary"."""
    process = subprocess.run(
        [sys.executable, "-m", "rawasgi.dev.cli", "adopt", "shop_app:app", *OPTIONS, *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(HERE.parent.parent)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=600,
    )
    lines = [json.loads(line) for line in process.stdout.splitlines()]
    found = {line["route"]: line for line in lines if "route" in line}
    assert lines[-1]["summary"]["status"] == process.returncode
    return {**found, "summary": lines[-1]["summary"]}


@pytest.fixture(scope="module")
def before() -> dict[str, Any]:
    return adopt(SHOP.parent, *ONCE)


@pytest.fixture(scope="module")
def changed(before: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder with the app, changed as the command says."""
    folder = tmp_path_factory.mktemp("changed")
    lines = SHOP.read_text().splitlines()
    for change in sorted(before["summary"]["changes"], key=lambda each: -int(each["line"])):
        assert lines[change["line"] - 1 : change["end_line"]] == change["old"].split("\n")
        lines[change["line"] - 1 : change["end_line"]] = change["new"].split("\n") if change["new"] else []
    (folder / "shop_app.py").write_text("\n".join(lines) + "\n")
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("route", FAULTS)
def test_the_faults_of_each_route_are_found_before(before: dict[str, Any], route: str) -> None:
    assert set(before[route]["findings"]) >= FAULTS[route]
    assert before[route]["verdict"] == ("faults" if FAULTS[route] else "clean")


@pytest.mark.parametrize("route", FAULTS)
def test_the_imports_that_mend_it_are_named(before: dict[str, Any], route: str) -> None:
    assert set(before[route]["imports"]) == IMPORTS.get(route, {"StreamingResponse"})
    assert before[route]["remains"] == []
    lines = SHOP.read_text().splitlines()
    for change in before[route]["changes"]:
        assert change["file"] == "shop_app.py"
        assert change["old"] == "\n".join(lines[change["line"] - 1 : change["end_line"]])


def test_what_does_not_stream_and_what_is_not_known_are_told_apart(before: dict[str, Any]) -> None:
    assert before["GET /plain"]["verdict"] == "no stream"
    assert before["GET /missing/{item_id}"]["verdict"] == "unknown"
    assert "404" in before["GET /missing/{item_id}"]["reason"]
    assert before["summary"]["paths"] == len(FAULTS)
    assert before["summary"]["status"] == 1


def test_only_the_imports_change(before: dict[str, Any], changed: Path) -> None:
    old, new = SHOP.read_text().splitlines(), (changed / "shop_app.py").read_text().splitlines()
    assert [line for line in new if line not in old] == [
        "from fastapi import BackgroundTasks, Depends, Header, HTTPException",
        "from rawasgi.familiar.fastapi import "
        "APIRouter, EventSourceResponse, FastAPI, FileResponse, ServerSentEvent, StreamingResponse",
        "from fastapi.responses import JSONResponse",
        '@app.get("/ticks", response_class=EventSourceResponse)',  # as /made may use all that its module has
    ]


def test_each_route_answers_with_the_same_bytes(changed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shop_app as old

    monkeypatch.delitem(sys.modules, "shop_app")
    monkeypatch.syspath_prepend(changed)
    new = importlib.import_module("shop_app")
    assert new.__file__ != old.__file__
    samples = Samples(Given(headers=[("authorization", "secret")]))

    async def answers(app: App) -> dict[str, tuple[int, str | None, bytes]]:
        found = {}
        for route in routes(app).found:
            if str(route) in FAULTS and route.path != "/events":  # sse-starlette leaves a task of its own
                target = samples.target(route)
                answer = await fetch(app, target.path, method=target.method, body=target.body, headers=target.headers)
                found[str(route)] = answer.status, answer.header("content-type"), answer.body
        return found

    before, after = clock.run(answers(old.app)), clock.run(answers(new.app))
    assert after.pop("GET /file")[2] == Path(new.__file__ or "").read_bytes()
    assert before.pop("GET /file")[0] == 200
    assert after == before
    assert len(after) == len(FAULTS) - 2


def test_nothing_is_found_after(changed: Path) -> None:
    """A busy machine is slow, too: what was too slow for the short limits must be so for long ones."""
    after = adopt(changed, *FAST)
    if after["summary"]["findings"]:
        after = adopt(changed, *PATIENT)
    assert {route: after[route]["verdict"] for route in FAULTS} == dict.fromkeys(FAULTS, "clean")
    assert after["summary"] == {**after["summary"], "findings": {}, "changes": [], "status": 0}
