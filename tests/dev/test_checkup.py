"""``rawasgi check`` and the pytest fixture: what they say, and with which exit status."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from rawasgi import respond
from rawasgi.asgi import Receive, Scope, Send
from rawasgi.dev import cli, pytest_plugin, reports
from rawasgi.dev.checking import Session
from rawasgi.dev.findings import FAULTS, Finding, Limits
from rawasgi.dev.pytest_plugin import fail_if_found
from rawasgi.dev.results import Result

FAST = ["--seconds", "0.2", "--grace", "0.06"]
APP = """
import asyncio
from rawasgi import Router, respond
app = Router()

async def ticks():
    for number in range(3):
        yield f"{number}\\n"
        await asyncio.sleep(0.001)

@app.get("/")
async def good(request):
    print("hello from the app")
    return respond.stream(ticks())

@app.get("/fails")
async def fails(request):
    raise LookupError("a secret")

@app.get("/echo")
async def got(request):
    return request.header("x-word") or "nothing"

@app.post("/echo")
async def echo(request):
    return await request.body()
"""


@pytest.fixture(scope="module")
def app_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checked")
    (folder / "checked_app.py").write_text(APP)
    return folder


@pytest.fixture
def app(app_file: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.syspath_prepend(app_file)
    return "checked_app:app"


def test_nothing_found_is_said_and_is_exit_status_0(app: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", app, *FAST]) == 0
    said = capsys.readouterr()
    assert said.out == "1 path: nothing found\n"
    assert "hello from the app" in said.err


def test_what_is_found_stands_below_its_path_with_the_probe_that_showed_it(
    app: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", app, "/", "/fails", *FAST]) == 1
    said = capsys.readouterr().out
    assert "GET /fails\n  app-failed: the app raised LookupError: a secret\n      when " in said
    assert "error-raised" not in said
    assert "2 paths: 1 found" in said
    assert FAULTS["app-failed"] in said


def test_json_is_a_line_a_finding_and_one_of_a_summary(app: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", app, "/fails", "--json", *FAST]) == 1
    *found, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert set(found[0]) == {"id", "path", "server", "probe", "what", "place", "file", "line"}
    assert found[0]["file"].endswith("checked_app.py")
    assert found[0]["line"] == APP.splitlines().index('@app.get("/fails")') + 1
    assert last["summary"]["findings"]["app-failed"] == 1


def test_a_path_that_is_not_answered_is_not_judged(app: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", app, "/", "/nowhere", *FAST]) == 2
    said = capsys.readouterr()
    assert said.err.endswith(
        "GET /nowhere must be answered with a status below 400, not 404: correct the path, or pass --param with the id "
        "of something that exists\n"
    )
    assert said.out == "1 path: nothing found\n"
    assert cli.main(["check", app, "/nowhere", "--expect", "404", *FAST]) == 0
    assert cli.main(["check", app, "/", "--expect", "404", "--github", *FAST]) == 2
    assert "::warning file=" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--unsafe", "--param=a=b", "--skip=/a"])
def test_what_is_for_all_routes_is_not_for_a_path(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "a:b", "/", option]) == 2
    assert "is for --all" in capsys.readouterr().err


def test_a_method_a_header_and_a_body_can_be_given(app: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--method", "post", "--data", "abc", "--header", "x-word: yes"]
    assert cli.main(["check", app, "/echo", *options, *FAST]) == 0


def test_a_terminal_sees_how_it_gets_on(
    app: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert cli.main(["check", app, "/echo", *FAST]) == 0
    assert "1/1 GET /echo" in capsys.readouterr().err


async def two(*_: object, **__: object) -> AsyncGenerator[Finding, None]:
    """Replaces a check, during which coverage cannot be measured."""
    for what in ("one", "other"):
        yield Finding("task-left", "GET /", "uvicorn", "the client leaves", what)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_what_is_found_is_printed_as_it_is_found(
    options: list[str], app: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Session, "check", two)
    assert cli.main(["check", app, *options]) == 1
    said = capsys.readouterr().out
    assert said.count("GET /") == (2 if options else 1)
    assert '"findings": {"task-left": 2}' in said if options else "1 path: 2 found" in said


def test_all_that_is_found_fails_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytest_plugin, "check", two)
    fail_if_found(respond.text(""), ignore={"task-left"})
    with pytest.raises(pytest.fail.Exception, match=r"task-left: one\n(.|\n)*task-left: other"):
        fail_if_found(respond.text(""))


def test_every_fault_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "--faults"]) == 0
    said = capsys.readouterr().out
    assert all(id in said and text in said for id, text in FAULTS.items())


@pytest.mark.parametrize(("arguments", "why"), [([], "needs an app"), (["no_such_module:app"], "cannot load")])
def test_without_an_app_it_is_exit_status_2(arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", *arguments]) == 2
    assert why in capsys.readouterr().err


def test_an_app_that_cannot_start_is_a_sentence(app_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (app_file / "unable.py").write_text(
        "from rawasgi.lifespans import lifespan\n"
        "from contextlib import asynccontextmanager\n"
        "@asynccontextmanager\n"
        "async def living():\n"
        "    raise RuntimeError('no database')\n"
        "    yield\n"
        "async def nothing(scope, receive, send): pass\n"
        "app = lifespan(nothing, living)\n"
    )
    sys.path.insert(0, str(app_file))
    assert cli.main(["check", "unable:app"]) == 2
    sys.path.remove(str(app_file))
    assert "the app could not start or stop: RuntimeError: no database" in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["0", "-1"])
def test_a_limit_is_more_than_nothing(seconds: str) -> None:
    with pytest.raises(SystemExit):
        cli.main(["check", "x:y", "--grace", seconds])


def test_the_fixture_is_that_function(asgi_check: object) -> None:
    assert asgi_check is fail_if_found


def test_the_summary_counts() -> None:
    findings = [Finding(id, "GET /", "uvicorn", "HEAD", "x") for id in ("app-failed", "app-failed", "some-rule")]
    results = [Result("GET /", "faults", findings=findings), Result("GET /a", "clean"), Result("GET /b", "unjudged")]
    assert reports.summary(results).startswith("2 paths: 3 found\n   2 app-failed: ")
    assert "see rawasgi rules" in reports.summary(results)


PLUGGED = """
import checked_app
from rawasgi.dev.findings import Limits, Target

LIMITS = Limits(0.2, 0.06)

def test_good(asgi_check):
    asgi_check(checked_app.app, limits=LIMITS)

def test_ignored(asgi_check):
    asgi_check(checked_app.app, Target("/echo", "POST", body=b"x"), "/fails", ignore={"app-failed"}, limits=LIMITS)

def test_bad(asgi_check):
    asgi_check(checked_app.app, "/fails", limits=LIMITS)
"""


def test_a_test_of_any_app_is_one_line(app_file: Path) -> None:
    (app_file / "test_plugged.py").write_text(PLUGGED)
    installed = bool(entry_points(group="pytest11", name="rawasgi"))  # then pytest finds it by itself
    plugin = [] if installed else ["-p", "rawasgi.dev.pytest_plugin"]
    command = [sys.executable, "-m", "pytest", "-q", *plugin, "-p", "no:cacheprovider", "."]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, cwd=app_file, capture_output=True, text=True, timeout=60, env=environment)
    assert "1 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    assert "app-failed: the app raised LookupError" in done.stdout
    assert FAULTS["app-failed"] in done.stdout


def test_the_fixture_fails_a_test_for_what_it_finds() -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        raise LookupError

    fail_if_found(respond.text("all of it"))
    with pytest.raises(pytest.fail.Exception, match="app-failed"):
        fail_if_found(failing, limits=Limits(0.2, 0.06))
