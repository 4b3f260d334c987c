"""Which routes stream, which are called, and what the command reports of those that it cannot judge."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest

from rawasgi.dev import cli
from rawasgi.dev.checking import Session
from rawasgi.dev.findings import Finding, Target

APP = """
import asyncio
from collections.abc import AsyncIterator
from fastapi import APIRouter, FastAPI, HTTPException, Request, WebSocket
from fastapi.responses import FileResponse, PlainTextResponse, StreamingResponse
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Route
from rawasgi import Router, respond
from rawasgi.familiar.fastapi import StreamRoute
from rawasgi.familiar.fastapi import StreamingResponse as Ours

class Rows(StreamingResponse):
    media_type = "text/csv"

async def two():
    yield "a"
    yield "b"

def hidden(kind):
    return globals()[kind]

app = FastAPI(openapi_url=None)
lines = APIRouter(default_response_class=Rows)

@app.get("/annotated")
async def annotated() -> StreamingResponse: return hidden("Rows")(two())

@app.get("/declared", response_class=Rows)
async def declared(): return hidden("Rows")(two())

@lines.get("/of-its-router")
async def of_its_router(): return hidden("Rows")(two())

@app.get("/documented", responses={200: {"content": {"text/event-stream": {}}}})
async def documented(): return hidden("Rows")(two())

@app.get("/ours")
async def ours(): return Ours(two())

@app.get("/first-request")
async def first_request(): return hidden("Rows")(two())

@app.get("/first-file")
async def first_file(): return hidden("FileResponse")(__file__)

@app.get("/never-sends")
async def never_sends(): return hidden("Rows")(never())

async def never():
    await asyncio.Event().wait()
    yield "never"

@app.get("/typed")
async def typed(): return hidden("PlainTextResponse")("data: 1", media_type="text/event-stream; charset=utf-8")

@app.get("/plain")
async def plain(): return hidden("PlainTextResponse")("a")

@app.get("/fails")
async def fails(): raise LookupError("a secret")

@app.get("/never-answers")
async def never_answers(): await asyncio.Event().wait()

@app.post("/chat")
async def chat(): return StreamingResponse(two())

@app.post("/save")
async def save(): return {}

@app.get("/needs/{word}")
async def needs(word: str, request: Request) -> StreamingResponse:
    if word != "right" or request.headers.get("authorization") != "secret":
        raise HTTPException(403)
    return StreamingResponse(two())

@app.websocket("/talk")
async def talk(websocket: WebSocket): await websocket.accept()

app.include_router(lines)
app.router.routes.append(Route("/builtin", id))
native = APIRouter(route_class=StreamRoute)

@native.get("/native")
async def items():
    yield {"a": 1}

app.include_router(native)
behind = FastAPI(openapi_url=None)

@behind.get("/")
async def inside(): return {"a": 1}

async def pass_on(request, call_next): return await call_next(request)

app.mount("/behind", BaseHTTPMiddleware(behind, pass_on))
own = Router()

@own.get("/yields", respond.ndjson)
async def yields(request):
    yield {}

app.mount("/own", own)

def make():
    return own

def broken():
    raise RuntimeError("DATABASE_URL must be set")
"""

Run = Callable[..., dict[str, Any]]


async def endless(session: Session, target: Target) -> AsyncGenerator[Finding, None]:
    """Replaces a check that finds something, and then takes forever; of /annotated, nothing at once."""
    if target.path != "/annotated":
        yield Finding("task-left", str(target), "uvicorn", "the client leaves", "a task")
        await asyncio.Event().wait()


async def nothing(session: Session, target: Target) -> AsyncGenerator[Finding, None]:
    """Replaces a check, of which nothing is found, and during which coverage cannot be measured."""
    return
    yield


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "surveyed_app.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "surveyed_app", raising=False)
    monkeypatch.setattr(Session, "check", nothing)
    return "surveyed_app:app"


@pytest.fixture
def survey(app: str, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what runs a command on the app, and returns its lines by route, and the last as "summary"."""

    def run(*arguments: str, command: str = "adopt") -> dict[str, Any]:
        status = cli.main([command, app, "--json", "--seconds", "0.2", *arguments])
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert lines[-1]["summary"]["status"] == status
        return {**{each["route"]: each for each in lines if "route" in each}, "summary": lines[-1]["summary"]}

    return run


@pytest.mark.parametrize(
    ("path", "sign"),
    [
        ("/annotated", "its endpoint is annotated to return StreamingResponse"),
        ("/declared", "response_class is Rows"),
        ("/of-its-router", "response_class is Rows"),
        ("/documented", "OpenAPI says text/event-stream"),
        ("/ours", "surveyed_app.py:38 uses StreamingResponse"),
        ("/native", "its endpoint yields"),
        ("/own/yields", "its endpoint yields"),
        ("/first-request", "its body came in several messages, as text/csv"),
        ("/first-file", "its body came in several messages, as text/x-python"),
        ("/never-sends", "its body came in several messages, as text/csv"),
        ("/typed", "its body came in several messages, as text/event-stream"),
    ],
)
def test_a_stream_is_known_by_its_declaration_its_code_or_a_first_request(survey: Run, path: str, sign: str) -> None:
    found = survey(path)[f"GET {path}"]
    assert sign in found["signs"]
    assert found["verdict"] == "clean"


async def open_source(session: Session, target: Target) -> AsyncGenerator[Finding, None]:
    """Replaces a check that finds what an import mends, if there is one to change."""
    yield Finding("source-left-open", str(target), "uvicorn", "the client leaves", "it is open")


def test_what_this_package_serves_has_nothing_to_change(survey: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "check", open_source)
    for path in ("/native", "/own/yields", "/ours"):
        found = survey(path, "--once")[f"GET {path}"]
        assert (found["imports"], found["remains"]) == ([], ["source-left-open"])
    assert survey("/declared", "--once")["GET /declared"]["imports"] == ["StreamingResponse"]


@pytest.mark.parametrize("path", ["/plain", "/behind/"])
def test_a_body_in_one_piece_is_no_stream_also_behind_middleware_that_sends_it_on(survey: Run, path: str) -> None:
    assert survey(path)[f"GET {path}"]["verdict"] == "no stream"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/builtin", "not 500"),
        ("/fails", "with a status below 400, not 500"),
        ("/never-answers", "in time: pass a larger --seconds"),
    ],
)
def test_what_gives_no_answer_is_not_known(survey: Run, path: str, why: str) -> None:
    found = survey(path)
    assert found[f"GET {path}"]["verdict"] == "unknown"
    assert why in found[f"GET {path}"]["reason"]
    assert found["summary"]["status"] == 0  # nothing shows that it streams


def test_a_method_that_may_change_something_is_called_only_if_that_is_said(survey: Run) -> None:
    assert survey("/chat")["POST /chat"]["verdict"] == "uncalled"
    assert survey("/chat")["summary"]["status"] == 3
    assert survey("/chat", "--method", "post")["POST /chat"]["verdict"] == "clean"
    assert survey("/chat", "--unsafe")["summary"]["status"] == 0
    assert survey("/save")["POST /save"]["verdict"] == "no stream"
    assert survey("/talk")["WS /talk"]["verdict"] == "no stream"


def test_what_is_refused_without_its_parameters_and_headers_is_not_judged(survey: Run) -> None:
    found = survey("/needs/*")
    assert found["GET /needs/{word}"]["verdict"] == "clean"  # the check is replaced here, and makes no request
    right = survey("/needs/*", "--param", "word=right", "--header", "authorization: secret")
    assert right["summary"]["status"] == 0


def test_all_routes_are_checked_whether_they_stream_or_not(survey: Run) -> None:
    found = survey("--all", "--skip", "/never*", "--skip", "/needs/*", command="check")
    assert found["GET /plain"]["verdict"] == found["WS /talk"]["verdict"] == "clean"
    assert found["POST /save"]["verdict"] == "uncalled"
    assert "GET /never-answers" not in found
    assert survey("/save", "--all", "--method", "POST", command="check")["POST /save"]["verdict"] == "clean"


def test_a_route_left_out_is_not_there(survey: Run) -> None:
    found = survey("/[pt]*", "--skip", "/plain")
    assert set(found) == {"GET /typed", "WS /talk", "summary"}


def test_a_factory_is_called(capsys: pytest.CaptureFixture[str], app: str) -> None:
    assert cli.main(["adopt", "surveyed_app:make", "--factory"]) == 0
    assert "GET /yields (surveyed_app.py:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["surveyed_app:nothing"], "cannot load 'surveyed_app:nothing': "),
        (["surveyed_app:broken", "--factory"], "RuntimeError: DATABASE_URL must be set"),
        (["surveyed_app:two"], "surveyed_app:two must be an app with routes that can be read"),
        (
            ["surveyed_app:app", "/nowhere"],
            "a path must be of a route of surveyed_app:app, not '/nowhere': it has /ann",
        ),
        (["surveyed_app:app", "--skip", "/nowhere"], "not '/nowhere'"),
        (["surveyed_app:app", "--param", "wrod=a"], "must name a parameter of a route, not 'wrod': there are word"),
        (["surveyed_app:own", "--param", "word=a"], "there are none"),
    ],
)
def test_bad_use_is_a_sentence(app: str, arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["adopt", *arguments]) == 2
    said = capsys.readouterr()
    assert why in said.err
    assert said.out == ""


@pytest.mark.parametrize(("option", "why"), [("word", "NAME=VALUE"), ("=a", "NAME=VALUE")])
def test_a_parameter_has_a_name_and_a_value(option: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["adopt", "x:y", "--param", option])
    assert ended.value.code == 2
    assert why in capsys.readouterr().err


def test_a_terminal_sees_how_it_gets_on(
    app: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert cli.main(["adopt", app, "/ours", "/plain"]) == 0
    shown = capsys.readouterr()
    assert "1/2 GET /ours" in shown.err
    assert "2/2 GET /plain" in shown.err
    assert shown.out.endswith("routes: 1 without a fault, 1 that do not stream\n1 path: nothing found\n")


@pytest.mark.parametrize("command", [["adopt"], ["check", "--all"], ["check"]])
def test_what_is_left_when_the_time_is_over_is_not_judged(
    app: str, command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Session, "check", endless)
    name, *options = command
    assert cli.main([name, app, "/annotated", "/ours", "--timeout", "0.05", *options]) == 1
    said = capsys.readouterr()
    assert "GET /ours must be checked within --timeout 0.05: raise it" in said.out + said.err
    assert "GET /annotated must be" not in said.out + said.err
    assert "task-left" in said.out
