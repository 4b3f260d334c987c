"""A command whose output nobody reads any more, as in ``rawasgi trace ... | head -1``: it ends, and says nothing."""

import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import pytest

from rawasgi.dev import cli

ROOT = Path(__file__).parents[2]
APP = """
import asyncio
from rawasgi import Router

app = Router()

@app.get("/one")
async def one(request):
    return "one"

@app.get("/endless")
async def endless(request):
    try:
        while True:
            yield "again"
            await asyncio.sleep(1)
    finally:
        await asyncio.sleep(0)

@app.get("/fails")
async def fails(request):
    raise LookupError

async def grouped(scope, receive, send):
    async with asyncio.TaskGroup() as group:
        group.create_task(app(scope, receive, send))

async def faulty(scope, receive, send):
    await send({"type": "http.response.start", "status": 200})
"""
COMMANDS = [
    "--help",
    "",
    "rules",
    "rules --markdown",
    "rules --diagram",
    "trace --help",
    "trace app_for_pipes:app /one",
    "trace app_for_pipes:app /endless --seconds 600",
    "trace app_for_pipes:grouped /endless --seconds 600",
    "trace app_for_pipes:app /one --json",
    "trace http://127.0.0.1:1/",
    "diff app_for_pipes:app app_for_pipes:app /one",
    "check app_for_pipes:app /one",
    "check app_for_pipes:faulty /one",
    "check app_for_pipes:faulty /one --json",
    "check --faults",
    "check app_for_pipes:app /fails --github",
    "check app_for_pipes:app --all --skip /endless",
    "check app_for_pipes:app --all --skip /endless --sarif",
    "adopt --help",
    "adopt app_for_pipes:app /one",
    "adopt app_for_pipes:app /one --json",
    "adopt app_for_pipes:app /one --sarif",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app_for_pipes.py").write_text(APP)
    return tmp_path


def closed_pipe() -> int:
    """The end to write to of a pipe without a reader."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@contextlib.contextmanager
def unread() -> Iterator[TextIO]:
    stream = os.fdopen(closed_pipe(), "w", buffering=1)
    try:
        yield stream
    finally:
        with contextlib.suppress(BrokenPipeError):
            stream.close()


@pytest.mark.parametrize("command", COMMANDS)
def test_it_ends_with_the_status_of_sigpipe(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(folder)
    with unread() as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert cli.main(command.split()) == 141
        print("more", flush=True)  # as Python flushes it when it exits: it goes nowhere


@pytest.mark.parametrize("command", ["trace app_for_pipes:app /endless --seconds 600", "rules", "--help"])
@pytest.mark.parametrize("both", [False, True], ids=["its output", "both its outputs"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_nothing_is_written_to_standard_error(command: str, both: bool, unbuffered: str, folder: Path) -> None:
    pipe = closed_pipe()
    process = subprocess.run(
        [sys.executable, "-m", "rawasgi.dev.cli", *command.split()],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered},
        stdout=pipe,
        stderr=pipe if both else subprocess.PIPE,
    )
    os.close(pipe)
    assert (process.returncode, process.stderr or b"") == (141, b"")


def raising(error: BaseException) -> Callable[[object], int]:
    def fail(_: object) -> int:
        raise error

    return fail


def test_an_error_beside_an_open_output_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_run", raising(BrokenPipeError("of another pipe")))
    with pytest.raises(BrokenPipeError, match="of another pipe"):
        cli.main([])


def test_any_other_error_is_raised_beside_a_closed_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_run", raising(LookupError("a bug")))
    with unread() as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(LookupError, match="a bug"):
            cli.main([])


def test_without_poll_an_output_counts_as_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(select, "poll")
    with unread() as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises((SystemExit, BrokenPipeError)):
            cli.main(["--help"])


def test_an_output_that_is_no_file_is_open(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    assert "usage" in capsys.readouterr().out


@pytest.mark.parametrize("what", ["a file", "a pipe"])
def test_an_output_with_a_reader_is_open(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe() if what == "a pipe" else (None, os.open(tmp_path / "a", os.O_CREAT | os.O_WRONLY))
    with open(writer, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(SystemExit) as ended:
            cli.main(["--help"])
    assert ended.value.code == 0
    if reader is not None:
        os.close(reader)


def test_a_closed_standard_error_ends_it_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    with unread() as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        assert cli.main(["serve", "nothing"]) == 141
