"""The benchmarks, all but the timing: the command, the apps, and what is made of the figures."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from benchmarks import __main__ as command
from benchmarks import clients, report, running
from benchmarks.apps import fastapi_, naked, raw
from benchmarks.apps.sources import CHUNK
from benchmarks.clients import Answer, Taken, Unexpected
from benchmarks.question import APPS, FASTAPI, NAKED, NGINX, RAW, Question, Target
from benchmarks.running import Sample, Samples
from rawasgi.asgi import App, Received, Sent
from rawasgi.dev.client import fetch

SERVED: dict[str, App] = {NAKED: naked.app, RAW: raw.app, FASTAPI: cast(App, fastapi_.app)}


def taken(**figures: list[float]) -> Samples:
    return {app: [Sample(figure, 1.0) for figure in figures[app]] for app in APPS}


def question(*targets: Target, is_rate: bool = False) -> Question:
    return Question("burst", "What?", "chunk", "/", lambda port, quick: Taken(1, 1), is_rate, 1, {"uvicorn": targets})


# The apps


async def answer(app: App, path: str) -> Answer:
    result = await fetch(app, path)
    return Answer(result.status, result.header("content-type"), result.body)


@pytest.mark.parametrize("path", [*(asked.path for asked in command.QUESTIONS.values()), "/paced/3"])
def test_the_three_apps_answer_the_same(path: str) -> None:
    answers = {name: asyncio.run(answer(app, path)) for name, app in SERVED.items()}
    running.compare(answers)
    assert answers[NAKED].status == 200
    count = int((re.findall(r"\d+", path) or ["5"])[0])
    assert answers[NAKED].body == (b"0000000\n" * 131_072 if "file" in path else CHUNK * count)


def test_a_chunk_has_46_bytes() -> None:
    assert len(CHUNK) == 46


def test_the_naked_app_refuses_a_lifespan() -> None:
    async def never() -> Received:
        raise AssertionError

    async def nothing(message: Sent) -> None:
        raise AssertionError

    with pytest.raises(RuntimeError, match="lifespan"):
        asyncio.run(naked.app({"type": "lifespan", "asgi": {"version": "3.0"}}, never, nothing))


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ({NAKED: Answer(200, None, b"a"), RAW: Answer(200, None, b"b")}, "raw must answer what naked answers"),
        ({NAKED: Answer(200, "text/plain", b"a"), RAW: Answer(200, None, b"a")}, "raw must answer what naked answers"),
        ({NAKED: Answer(500, None, b"a"), RAW: Answer(500, None, b"a")}, "naked must answer 200"),
        ({NAKED: Answer(200, None, b""), RAW: Answer(200, None, b"")}, "naked must answer 200"),
    ],
)
def test_nothing_is_timed_that_is_not_the_same(answers: dict[str, Answer], says: str) -> None:
    with pytest.raises(Unexpected, match=says):
        running.compare(answers)


# The targets


def test_the_targets_are_these() -> None:
    asked = {
        (name, server, target.peer, target.faster or -(target.slower or 0))
        for name, one in command.QUESTIONS.items()
        for server, targets in one.targets.items()
        for target in targets
    }
    assert asked == {
        ("burst", "uvicorn", FASTAPI, 12),
        ("burst", "uvicorn", NAKED, 10),
        ("burst", "hypercorn", FASTAPI, 30),
        ("burst", "hypercorn", NAKED, 10),
        ("paced", "uvicorn", NAKED, -1.05),
        ("short", "uvicorn", FASTAPI, 7),
        ("short", "uvicorn", NAKED, 2),
        ("file", "uvicorn", FASTAPI, 4),
        ("file", "uvicorn", NGINX, 1),
    }


@pytest.mark.parametrize(("figure", "reached"), [(0.3, True), (0.31, False)])
def test_a_time_is_fast_when_it_is_small(figure: float, reached: bool) -> None:
    asked = question(Target(NAKED, faster=10))
    samples = taken(naked=[3.0, 3.0, 9.0], raw=[figure, figure, 9.0], fastapi=[1.0, 1.0, 1.0])
    assert (not report.missed([asked], "uvicorn", {"burst": samples})) is reached
    assert report.missed([asked], "hypercorn", {"burst": samples}) == []


@pytest.mark.parametrize(("figure", "reached"), [(200, True), (199, False)])
def test_a_rate_is_fast_when_it_is_great(figure: float, reached: bool) -> None:
    asked = question(Target(NAKED, faster=2), is_rate=True)
    samples = taken(naked=[100], raw=[figure], fastapi=[1])
    assert (not report.missed([asked], "uvicorn", {"burst": samples})) is reached


@pytest.mark.parametrize(("figure", "reached"), [(1.05, True), (0.5, True), (1.06, False)])
def test_a_time_may_be_so_much_longer(figure: float, reached: bool) -> None:
    asked = question(Target(NAKED, slower=1.05))
    samples = taken(naked=[1.0], raw=[figure], fastapi=[1.0])
    assert (not report.missed([asked], "uvicorn", {"burst": samples})) is reached


def test_each_target_that_is_missed_is_a_sentence() -> None:
    asked = question(Target(NAKED, faster=10), Target(FASTAPI, faster=2), Target(NAKED, slower=1.05))
    samples = taken(naked=[4.0], raw=[5.0], fastapi=[20.0])
    assert report.missed([asked], "uvicorn", {"burst": samples}) == [
        "burst: raw is 0.80 times as fast as naked, at least 10 asked: NOT reached",
        "burst: raw takes 1.250 of naked's time, at most 1.05 asked: NOT reached",
    ]


def test_apps_are_compared_turn_by_turn() -> None:
    """A machine that is slower for a turn is so for all of them."""
    samples = taken(naked=[1.0, 10.0, 100.0], raw=[2.0, 20.0, 200.0], fastapi=[1.0, 1.0, 1.0])
    assert report.speed(question(), samples, RAW, NAKED) == 0.5


# The table and the command


def test_naked_is_one_in_the_table() -> None:
    samples = taken(naked=[3.0, 4.0, 3.5], raw=[0.25, 0.3, 0.35], fastapi=[7000.0, 7000.0, 7000.0])
    samples[FASTAPI] = [Sample(sample.figure, None) for sample in samples[FASTAPI]]
    assert report.table(question(Target(NAKED, faster=10)), "uvicorn", samples) == (
        "burst on uvicorn: What? (us a chunk, 3 times each)\n"
        "\n"
        "|     app | median |  least to most | times as fast as naked | server, us a chunk |\n"
        "|--------:|-------:|---------------:|-----------------------:|-------------------:|\n"
        "|   naked |   3.50 |   3.00 to 4.00 |                   1.00 |               1.00 |\n"
        "|     raw |  0.300 | 0.250 to 0.350 |                  12.00 |               1.00 |\n"
        "| fastapi |  7,000 | 7,000 to 7,000 |                   0.00 |          not known |\n"
        "\n"
        "burst: raw is 12.00 times as fast as naked, at least 10 asked: reached\n"
    )


def test_the_machine_and_the_versions_are_told() -> None:
    told = report.sentence(report.machine())
    assert re.fullmatch(r"python 3\.\d+\.\d+, uvicorn \d.*, fastapi \d.*; .+, \d+ cores, .+", told)


def test_help_tells_the_questions_and_the_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        command.main(["--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    for word in ("burst", "paced", "short", "--quick", "--check", "--only", "--json", "--server", "--rounds", "status"):
        assert word in text


@pytest.mark.parametrize("arguments", [["--only", "long"], ["--rounds", "0"], ["--server", "none"]])
def test_what_does_not_exist_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        command.main(arguments)
    assert left.value.code == 2
    assert "usage" in capsys.readouterr().err


def invented(samples: Samples) -> Callable[..., dict[str, Samples]]:
    def run(questions: list[Question], *_: object) -> dict[str, Samples]:
        return {asked.name: samples for asked in questions}

    return run


@pytest.mark.parametrize(
    ("arguments", "status"), [(["--only", "paced", "--check"], 1), (["--only", "burst", "--check"], 0), ([], 0)]
)
def test_only_check_fails(
    arguments: list[str],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "RESULTS", tmp_path)
    samples = taken(naked=[100.0], raw=[2.0], fastapi=[100.0])
    if "paced" in arguments:
        samples[RAW] = [Sample(106.0, None)]
    monkeypatch.setattr(running, "run", invented(samples))
    assert command.main(arguments) == status
    out, err = capsys.readouterr()
    assert "times as fast as naked" in out
    assert ("raw takes 1.060 of naked's time" in err) == (status == 1)


def test_the_figures_are_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "RESULTS", tmp_path)
    monkeypatch.setattr(running, "run", invented(taken(naked=[3.0], raw=[2.0], fastapi=[4.0])))
    assert command.main(["--json", "--only", "short", "--rounds", "1", "--quick"]) == 0
    printed = json.loads(capsys.readouterr().out)
    [kept] = tmp_path.iterdir()
    assert json.loads(kept.read_text()) == printed
    assert printed["samples"]["short"]["raw"] == [{"figure": 2.0, "processor": 1.0}]
    assert printed["units"] == {"short": "responses a second"}
    assert printed["machine"]["python"]


def test_apps_that_differ_are_not_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*_: object) -> dict[str, Samples]:
        raise Unexpected("raw must answer what naked answers")

    monkeypatch.setattr(command, "RESULTS", tmp_path)
    monkeypatch.setattr(running, "run", run)
    assert command.main([]) == 2
    assert capsys.readouterr().err == "raw must answer what naked answers\n"
    assert not list(tmp_path.iterdir())


# Real servers


def test_a_server_that_does_not_start_is_told_with_its_words() -> None:
    with pytest.raises(Unexpected, match=r"(?s)uvicorn must serve benchmarks.nowhere:app.*nowhere"):
        with running.serving("uvicorn", "benchmarks.nowhere:app"):
            pass


def test_a_round_asks_every_app_each_turn() -> None:
    """Real servers, but nothing is timed: one answer is enough."""

    def measure(port: int, quick: bool) -> Taken:
        assert quick
        return Taken(2.0, len(clients.read(port, "/short").body))

    said: list[str] = []
    asked = Question("any", "What?", "byte", "/short", measure, turns=2)
    result = running.run([asked], "uvicorn", 1, True, said.append)
    figures = [2e6 / len(CHUNK * 5)] * 2
    assert {app: [sample.figure for sample in samples] for app, samples in result["any"].items()} == dict.fromkeys(
        APPS, figures
    )
    assert [line.split(":")[0] for line in said] == [
        *["any 1/1 naked", "any 1/1 raw", "any 1/1 fastapi"],
        *["any 1/1 raw", "any 1/1 fastapi", "any 1/1 naked"],
    ]
