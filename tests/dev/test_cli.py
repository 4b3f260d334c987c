"""The command line: what it says of what it cannot do."""

import importlib.util
import os
from pathlib import Path

import pytest
from clock import run

from rawasgi import respond
from rawasgi.asgi import LifespanScope, Receive, Received, Scope, Send, Sent
from rawasgi.dev import cli, drained, serving
from rawasgi.dev.client import fetch
from rawasgi.dev.client import lifespan as living


def test_without_a_command_it_helps(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    assert "serve" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("app", "why"),
    [
        ("nothing", "module:attribute"),
        ("no_such_module:app", "No module named"),
        ("rawasgi:nobody", "no attribute 'nobody'"),
        ("rawasgi:__all__", "must be an ASGI app"),
    ],
)
def test_what_cannot_be_served_is_said_in_a_sentence(app: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve", app]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"cannot serve {app!r}: ")
    assert why in said


def test_a_server_that_is_missing_says_how_to_get_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert cli.main(["serve", "rawasgi:Router"]) == 1
    assert "pip install 'rawasgi[uvicorn]'" in capsys.readouterr().err


def test_hypercorn_takes_no_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve", "rawasgi:Router", "--server", "hypercorn", "--", "--workers", "2"]) == 2
    assert "--workers 2 is lost" in capsys.readouterr().err


@pytest.mark.parametrize("server", ["uvicorn", "granian"])
def test_the_others_are_started_with_theirs(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started: list[tuple[list[str], str]] = []

    def execve(path: str, command: list[str], environment: dict[str, str]) -> None:
        started.append((command, environment[serving.APP]))
        raise SystemExit(0)

    monkeypatch.setattr(os, "execve", execve)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        cli.main(["serve", "rawasgi:Router", "--server", server, "--port", "9", "--", "--workers", "2"])
    ((command, app),) = started
    assert (command[1:3], command[-1], app) == (["-m", server], "rawasgi.dev.drained:app", "rawasgi:Router")
    assert command[-7:-1] == ["--host", "127.0.0.1", "--port", "9", "--workers", "2"]


def test_without_its_environment_the_drained_app_says_how_to_run_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(serving.APP, raising=False)
    with pytest.raises(AttributeError, match="rawasgi serve"):
        getattr(drained, "app")  # noqa: B009  # an attribute that is made when it is asked for
    with pytest.raises(AttributeError, match="nothing"):
        getattr(drained, "nothing")  # noqa: B009


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """An app without a lifespan."""
    if scope["type"] == "lifespan":
        raise RuntimeError
    await respond.text("x")(scope, receive, send)


LIFESPAN: LifespanScope = {"type": "lifespan", "asgi": {"version": "3.0"}}


async def asked() -> Received:
    return {"type": "lifespan.startup"}


async def ignored(message: Sent) -> None: ...


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await receive()
        raise LookupError("the database is away")


def test_an_app_is_served_with_its_lifespan_or_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(serving.APP, "rawasgi.respond:text")
    assert callable(drained.app)

    async def script() -> bytes:
        async with living(drained.drained(bare)):
            answer = await fetch(drained.drained(bare), "/")
        with pytest.raises(LookupError):
            await drained.drained(broken)(LIFESPAN, asked, ignored)
        return answer.body

    assert run(script()) == b"x"
