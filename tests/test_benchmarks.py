"""The benchmarks, all but the timing: the targets, what is made of the figures, and the command."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from serving import need

from benchmarks import __main__ as command
from benchmarks import clients, keeping, peers, report, running, serving
from benchmarks.apps.sources import CHUNK
from benchmarks.clients import Unexpected
from benchmarks.peers import FASTAPI, LITESTAR, NAKED, NGINX, RAW
from benchmarks.question import Figure, Question, Sample, Samples, Target, Turn
from benchmarks.running import Result

COST = (Figure("us a chunk"), Figure("server, us a chunk"))
RATE = (Figure("responses a second", more=True),)


def taken(**figures: list[float]) -> Samples:
    return {app: [(figure, 1.0) for figure in figures[app]] for app in (NAKED, RAW, FASTAPI)}


def question(*targets: Target, figures: tuple[Figure, ...] = COST) -> Question:
    return Question("burst", "What?", figures, "/", lambda turn: (1.0,), targets={"uvicorn": targets})


def misses(asked: Question, samples: Samples, server: str = "uvicorn") -> list[str]:
    return report.missed([asked], server, {"burst": Result(samples)})


# The targets


def test_the_targets_are_these() -> None:
    asked = {
        (name, server, one.figures[target.figure].name, target.peer, target.faster, target.slower, target.most)
        for name, one in command.QUESTIONS.items()
        for server, targets in one.targets.items()
        for target in targets
        if target.least is None
    }
    chunk, answers, mib = "us a chunk", "responses a second", "MiBs a second"
    assert asked == {
        ("burst", "uvicorn", chunk, FASTAPI, 12, None, None),
        ("burst", "uvicorn", chunk, NAKED, 10, None, None),
        ("burst", "hypercorn", chunk, FASTAPI, 30, None, None),
        ("burst", "hypercorn", chunk, NAKED, 10, None, None),
        ("paced", "uvicorn", chunk, NAKED, None, 1.05, None),
        ("short", "uvicorn", answers, FASTAPI, 7, None, None),
        ("short", "uvicorn", answers, NAKED, 2, None, None),
        ("file", "uvicorn", mib, FASTAPI, 4, None, None),
        ("file", "uvicorn", mib, NGINX, 1, None, None),
        ("sse", "uvicorn", "us an event", NAKED, 4, None, None),
        ("sse", "uvicorn", "us an event", FASTAPI, 6, None, None),
        ("sse", "uvicorn", "us an event", "fastapi-yield", 20, None, None),
        ("ndjson", "uvicorn", "us a row", "fastapi-yield", 5, None, None),
        ("items", "uvicorn", "us a model, events", "fastapi-yield", 8, None, None),
        ("items", "uvicorn", "us a model, lines", "fastapi-yield", 2.5, None, None),
        ("blocking", "uvicorn", "us an item", FASTAPI, 100, None, None),
        ("neighbours", "uvicorn", "ms beside 120", "", None, None, 20),
        ("neighbours", "uvicorn", "ms beside 40", "", None, None, 20),
        ("routes", "uvicorn", "times the first, 10,000 routes", "", None, None, 1.3),
        ("idle", "uvicorn", "KiB a stream", "", None, None, 14),
        ("idle", "uvicorn", "tasks a stream", "", None, None, 1.01),
        ("idle", "hypercorn", "KiB a stream", "", None, None, 24),
        ("crowd", "uvicorn", "p99, ms", NAKED, None, 1.1, None),
        ("compressed", "uvicorn", "bytes, of a browser's codings", LITESTAR, None, 1, None),
        ("compressed", "uvicorn", "bytes, gzip", LITESTAR, None, 1, None),
        ("compressed", "uvicorn", "bytes, br", LITESTAR, None, 1, None),
        ("compressed-idle", "uvicorn", "KiB a stream, of a browser's codings", "", None, None, 48),
        ("compressed-idle", "uvicorn", "KiB a stream, gzip", "", None, None, 48),
        ("compressed", "uvicorn", "p50, ms late", "", None, None, 1),
        ("compressed", "uvicorn", "p95, ms late", "", None, None, 1),
        ("startup", "uvicorn", "ms to import", "", None, None, 30),
        ("startup", "uvicorn", "ms to import", FASTAPI, 5, None, None),
        ("fairness", "uvicorn", "p99, ms", "", None, None, 100),
        ("plain", "uvicorn", answers, FASTAPI, 2.5, None, None),
        ("plain", "uvicorn", answers, NAKED, 0.9, None, None),
        ("fanout", "uvicorn", "ms to 99 of 100", "", None, None, 150),
    }


def test_the_target_of_the_held_streams_is_all_of_them() -> None:
    assert command.QUESTIONS["held"].targets == {"uvicorn": (Target(least=19_000),)}


@pytest.mark.parametrize(("figure", "reached"), [(0.3, True), (0.31, False)])
def test_a_time_is_fast_when_it_is_small(figure: float, reached: bool) -> None:
    asked = question(Target(NAKED, faster=10))
    samples = taken(naked=[3.0, 3.0, 9.0], raw=[figure, figure, 9.0], fastapi=[1.0, 1.0, 1.0])
    assert (not misses(asked, samples)) is reached
    assert misses(asked, samples, "hypercorn") == []


@pytest.mark.parametrize(("figure", "reached"), [(200, True), (199, False)])
def test_a_rate_is_fast_when_it_is_great(figure: float, reached: bool) -> None:
    asked = question(Target(NAKED, faster=2), figures=RATE)
    assert (not misses(asked, taken(naked=[100], raw=[figure], fastapi=[1]))) is reached


@pytest.mark.parametrize(("figure", "reached"), [(1.05, True), (0.5, True), (1.06, False)])
def test_a_time_may_be_so_much_longer(figure: float, reached: bool) -> None:
    asked = question(Target(NAKED, slower=1.05))
    assert (not misses(asked, taken(naked=[1.0], raw=[figure], fastapi=[1.0]))) is reached


@pytest.mark.parametrize(("figures", "reached"), [([19.0, 20.0, 90.0], True), ([21.0, 21.0, 1.0], False)])
def test_a_figure_may_be_so_much_by_itself(figures: list[float], reached: bool) -> None:
    """Its median: one turn on a busy machine is no verdict."""
    asked = question(Target(most=20))
    assert (not misses(asked, taken(naked=figures, raw=figures, fastapi=figures))) is reached


def test_a_target_may_be_about_any_of_the_figures() -> None:
    asked = question(Target(most=0.5, figure=1), Target(NAKED, slower=2, figure=1))
    assert misses(asked, taken(naked=[1.0], raw=[0.1], fastapi=[1.0])) == [
        "burst, server, us a chunk: raw has 1.00, at most 0.5 asked: **not reached**"
    ]


def test_each_target_that_is_missed_is_a_sentence() -> None:
    asked = question(Target(NAKED, faster=10), Target(FASTAPI, faster=2), Target(NAKED, slower=1.05))
    assert misses(asked, taken(naked=[4.0], raw=[5.0], fastapi=[20.0])) == [
        "burst: raw is 0.80 times as fast as naked, at least 10 asked: **not reached**",
        "burst: raw takes 1.250 of naked's, at most 1.05 asked: **not reached**",
    ]


def test_what_the_system_does_not_tell_is_no_miss() -> None:
    samples: Samples = {NAKED: [(1.0, None)], RAW: [(2.0, None)]}
    assert misses(question(Target(most=1, figure=1), Target(FASTAPI, faster=2)), samples) == []
    told = report.table(question(), "uvicorn", Result(samples), {})
    assert "- not measured: server, us a chunk\n" in told
    samples[NAKED] = [(1.0, 5.0)]
    assert "not known" in report.table(question(), "uvicorn", Result(samples), {})


def test_apps_are_compared_turn_by_turn() -> None:
    """A machine that is slower for a turn is so for all of them."""
    samples = taken(naked=[1.0, 10.0, 100.0], raw=[2.0, 20.0, 200.0], fastapi=[1.0, 1.0, 1.0])
    assert report.speed(question(), samples, RAW, NAKED) == 0.5


# The command


def test_help_tells_the_questions_and_the_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        command.main(["--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    options = ("--quick", "--check", "--only", "--peers", "--json", "--server", "--rounds", "--report", "status")
    for word in (*command.QUESTIONS, *peers.PEERS, *options):
        assert word in text


@pytest.mark.parametrize(
    "arguments", [["--only", "long"], ["--rounds", "0"], ["--server", "none"], ["--peers", "raw,django"]]
)
def test_what_does_not_exist_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        command.main(arguments)
    assert left.value.code == 2
    assert "usage" in capsys.readouterr().err


def invented(samples: Samples) -> Callable[..., dict[str, Result]]:
    def run(questions: list[Question], *_: object) -> dict[str, Result]:
        return {asked.name: Result(samples) for asked in questions}

    return run


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["--only", "paced", "--check"], 1), (["--only", "burst", "--check"], 0), (["--only", "paced"], 0)],
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
        samples[RAW] = [(106.0, None)]
    monkeypatch.setattr(running, "run", invented(samples))
    assert command.main(arguments) == status
    out, err = capsys.readouterr()
    assert "times naked" in out
    assert ("raw takes 1.060 of naked's" in err) == (status == 1)


def test_a_run_is_kept_and_drawn_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need("matplotlib")
    monkeypatch.setattr(command, "RESULTS", tmp_path)
    monkeypatch.setattr(running, "run", invented(taken(naked=[3.0], raw=[2.0], fastapi=[4.0])))
    assert command.main(["--json", "--only", "burst", "--rounds", "1", "--quick"]) == 0
    printed = capsys.readouterr().out
    [kept] = tmp_path.glob("*.json")
    assert kept.read_text() == printed
    run = json.loads(printed)
    assert run["results"]["burst"]["samples"]["raw"] == [[2.0, 1.0]]
    assert run["results"]["burst"]["figures"] == ["us a chunk", "server, us a chunk"]
    assert run["machine"]["python"]
    [text], [plot] = tmp_path.glob("*.md"), tmp_path.glob("*/*.svg")
    drawn = text.read_text(), plot.read_text()
    assert f"]({kept.stem}/burst.svg)" in drawn[0]
    assert "raw is 1.50 times as fast as naked, at least 10 asked: **not reached**" in drawn[0]
    text.unlink()
    plot.unlink()
    monkeypatch.setattr(running, "run", None)  # no run
    assert command.main(["--report", str(kept), "--check"]) == 1
    assert (text.read_text(), plot.read_text()) == drawn


def test_a_question_that_measures_other_things_now_is_not_drawn(tmp_path: Path) -> None:
    kept = keeping.Kept(
        "now", "uvicorn", False, 1, report.machine(), {"burst": Result(taken(naked=[3.0], raw=[2.0], fastapi=[4.0]))}
    )
    path = tmp_path / "run.json"
    path.write_text(keeping.dumps(kept, {"burst": question()}))
    assert keeping.load(path, {"burst": question()}) == kept
    assert keeping.load(path, {"burst": question(figures=RATE)}).results == {}


def test_nothing_is_kept_of_a_run_that_could_not_be(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*_: object) -> dict[str, Result]:
        raise Unexpected("raw must answer what naked answers")

    monkeypatch.setattr(command, "RESULTS", tmp_path)
    monkeypatch.setattr(running, "run", run)
    assert command.main([]) == 2
    assert capsys.readouterr().err == "raw must answer what naked answers\n"
    assert not list(tmp_path.iterdir())


# Real servers


def test_a_round_asks_every_app_each_turn() -> None:
    """Real servers, but nothing is timed: one answer is enough. Who is not there, or cannot, is told."""
    said: list[str] = []

    def measure(turn: Turn) -> Sample:
        assert turn.quick
        if turn.peer == "starlette":
            raise ConnectionResetError
        return (float(len(clients.read(turn.served.port, "/short").body)),)

    asked = Question("compressed", "What?", (Figure("bytes"),), "/short", measure, turns=2)
    names = [NAKED, RAW, FASTAPI, "starlette", "falcon", NGINX]
    result = running.run([asked], names, "uvicorn", 1, True, said.append)["compressed"]
    assert result.samples == dict.fromkeys([NAKED, RAW, FASTAPI], [(len(CHUNK) * 5,)] * 2)
    assert set(result.left_out) == {"starlette", "falcon"}
    assert "compressed: starlette is measured once more: ConnectionResetError()" in said
    assert said[0].startswith("compressed: falcon is left out: ")
    assert said[-1] == "compressed: starlette is left out: it could not be measured: ConnectionResetError()"
    told = [line.split(":")[0] for line in said[1:-1]]
    assert told == [
        *["compressed 1 naked", "compressed 1 raw", "compressed 1 fastapi", "compressed"],
        *["compressed 1 raw", "compressed 1 fastapi", "compressed 1 naked"],
    ]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the system does not tell a process' children")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_who_stops_a_run_stops_its_servers(stop: signal.Signals) -> None:
    arguments = ["--peers", NAKED, "--only", "burst", "--rounds", "99"]
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks", *arguments], cwd=serving.PROJECT, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            told = process.stderr.readline()  # so its servers are there
            servers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            process.send_signal(stop)
            told += process.communicate()[1]
        finally:
            process.kill()
    assert process.returncode == 128 + stop
    assert "Traceback" not in told
    assert len(servers) == 2
    assert not [server for server in servers if Path("/proc", server).exists()]


def test_who_fails_once_is_measured_once_more() -> None:
    failed: list[str] = []

    def measure(turn: Turn) -> Sample:
        if not failed:
            failed.append(turn.peer)
            raise Unexpected("it was silent")
        return (1.0,)

    asked = Question("short", "What?", (Figure("bytes"),), "/short", measure)
    result = running.run([asked], [NAKED, RAW], "uvicorn", 1, True, lambda text: None)["short"]
    assert result.samples == {NAKED: [(1.0,)], RAW: [(1.0,)]}
    assert failed == [NAKED]
