"""The benchmarks' targets that cannot be reached: they stay in the table, with a reason and a bound that holds."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import report, running
from benchmarks.peers import FASTAPI, NAKED, RAW
from benchmarks.question import Figure, Question, Samples, Target
from benchmarks.running import Result

FIGURE = (Figure("us a chunk"),)
WHY = "JSON alone takes half of naked's time."
SAMPLES: Samples = {NAKED: [(10.0,)], RAW: [(5.0,)], FASTAPI: [(20.0,)]}
# each asks for more than SAMPLES have: twice as fast as naked, half of its time, 5 us
KINDS = [
    (Target(NAKED, faster=4), 2.0, 2.1),
    (Target(NAKED, slower=0.25), 0.5, 0.49),
    (Target(most=4), 5.0, 4.9),
    (Target(least=19_000), 5.0, 5.1),
]


def question(*targets: Target) -> Question:
    return Question("burst", "What?", FIGURE, "/", lambda turn: (1.0,), targets={"uvicorn": targets})


def missed(*targets: Target) -> list[str]:
    return report.missed([question(*targets)], "uvicorn", {"burst": Result(SAMPLES)})


def summary(*targets: Target) -> str:
    return report.summary([question(*targets)], "uvicorn", {"burst": Result(SAMPLES)})


@pytest.mark.parametrize(("target", "holds", "broken"), KINDS)
def test_a_target_with_a_reason_is_excused_while_its_bound_holds(target: Target, holds: float, broken: float) -> None:
    assert len(missed(target)) == 1
    excused = replace(target, reason=WHY, holds=holds)
    assert missed(excused) == []
    [said] = missed(replace(target, reason=WHY, holds=broken))
    assert said.endswith("is **not held**.")


def test_the_table_tells_the_target_the_reason_and_the_bound() -> None:
    told = report.table(question(replace(KINDS[0][0], reason=WHY, holds=1.9)), "uvicorn", Result(SAMPLES), {})
    assert (
        "- burst: raw is 2.00 times as fast as naked, at least 4 asked: **not reached**: "
        "JSON alone takes half of naked's time. At least 1.9 is held.\n"
    ) in told


def test_what_is_reached_needs_no_excuse() -> None:
    reached = Target(NAKED, faster=2, reason=WHY, holds=1.5)
    assert "reached" in report.verdicts(question(reached), "uvicorn", SAMPLES)[0].sentence
    assert summary(reached) == "1 of 1 targets reached"


def test_the_summary_counts_all_three() -> None:
    targets = [Target(NAKED, faster=2), Target(FASTAPI, faster=4), replace(KINDS[0][0], reason=WHY, holds=2)]
    assert summary(*targets) == "2 of 3 targets reached, 1 cannot be (reasons above)"
    assert summary(*targets, Target(most=1)) == "2 of 4 targets reached, 1 cannot be (reasons above), 1 missed"


@pytest.mark.parametrize(("reason", "holds"), [(WHY, None), ("", 1.0)])
def test_a_reason_without_a_bound_is_refused(reason: str, holds: float | None) -> None:
    with pytest.raises(ValueError, match="must be given together"):
        Target(NAKED, faster=2, reason=reason, holds=holds)


@pytest.mark.parametrize(("holds", "status"), [(2.0, 0), (2.1, 1)])
def test_check_fails_when_a_bound_does_not_hold(
    holds: float, status: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = question(Target(NAKED, faster=4, reason=WHY, holds=holds))
    monkeypatch.setattr(command, "QUESTIONS", {"burst": asked})
    monkeypatch.setattr(command, "RESULTS", tmp_path)
    monkeypatch.setattr(running, "run", lambda *_: {"burst": Result(SAMPLES)})
    assert command.main(["--check"]) == status
    out, err = capsys.readouterr()
    assert WHY in out
    assert out.endswith("0 of 1 targets reached, " + ("1 cannot be (reasons above)\n", "1 missed\n")[status])
    assert ("not held" in err) == (status == 1)


def test_whoever_is_excused_has_its_story_told() -> None:
    told = (Path(command.__file__).parent / "README.md").read_text().partition("## What is not reached")[2]
    excused = {
        asked.name
        for asked in command.QUESTIONS.values()
        for targets in asked.targets.values()
        for target in targets
        if target.reason
    }
    assert {name for name in excused if f"- **{name}**" not in told} == set()


def test_check_asks_nothing_but_what_has_a_target_and_of_whom_it_is_about() -> None:
    ndjson = command.QUESTIONS["ndjson"].to_check("uvicorn")
    assert ndjson is not None
    assert set(ndjson.peers or ()) == {"naked", "raw", "fastapi-yield"}
    paced = command.QUESTIONS["paced"].to_check("uvicorn")
    assert paced is not None
    assert paced.turns == 20 * command.QUESTIONS["paced"].turns, "little is to be told apart"
    assert command.QUESTIONS["rows"].to_check("uvicorn") is None
    assert command.QUESTIONS["short"].to_check("granian") is None
