"""The command line: what it says of what it cannot do."""

import gc
import importlib.util
import os
import runpy
import signal
import socket
import sys
import threading
from contextlib import suppress
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


@pytest.mark.parametrize("arguments", [["serve", "a:b", "more"], ["check", "a:b", "--no-such-option", "/path"]])
def test_what_no_command_knows_is_an_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert "unrecognized arguments: " in capsys.readouterr().err


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


def test_python_looks_for_cycles_less_often_in_what_is_served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = gc.get_threshold()
    (tmp_path / "served_one.py").write_text("from rawasgi import respond\napp = respond.text('hello')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(serving.APP, "served_one:app")
    try:
        assert callable(getattr(drained, "app"))  # noqa: B009  # made anew each time
        assert gc.get_threshold() == (10_000, 20, 100)
    finally:
        gc.set_threshold(*before)


def test_hypercorn_is_stopped_by_a_signal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "served_app.py").write_text("from rawasgi import respond\napp = respond.text('hello')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    answers: list[bytes] = []

    def ask_and_stop() -> None:
        while not answers:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                answers.append(b"".join(iter(lambda: client.recv(4096), b"")))
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(serving, "collect_less", lambda: None)
    asking = threading.Thread(target=ask_and_stop, daemon=True)
    asking.start()
    try:
        assert cli.main(["serve", "served_app:app", "--server", "hypercorn", "--port", str(port)]) == 0
    finally:
        asking.join(10)
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
    assert answers[0].endswith(b"hello")


def test_it_is_a_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["rawasgi", "rules"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(cli.__file__, run_name="__main__")
    assert ended.value.code == 0
    assert "send-is-awaited" in capsys.readouterr().out
