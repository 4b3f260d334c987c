"""The benchmarks' report: the best is first, naked is one, and a plot shows both."""

import importlib
import re
from xml.etree import ElementTree

import pytest
from serving import need

from benchmarks import plots, report
from benchmarks.peers import FASTAPI, NAKED, RAW
from benchmarks.question import Figure, Question, Samples, Target
from benchmarks.running import Result

if plots.missing() is None:
    importlib.import_module("matplotlib.figure")  # now: see MODULES in test_benchmark_peers.py
COST = (Figure("us a chunk"), Figure("server, us a chunk"))
MACHINE = {"uvicorn": "0.9", "fastapi": "1.2", "starlette": None}
RATE = (Figure("responses a second", more=True), Figure("server, us a response"))


def taken(**figures: list[float]) -> Samples:
    return {app: [(figure, 1.0) for figure in figures[app]] for app in (NAKED, RAW, FASTAPI)}


def question(*targets: Target, figures: tuple[Figure, ...] = COST, note: str = "") -> Question:
    return Question("burst", "What?", figures, "/", lambda turn: (1.0,), targets={"uvicorn": targets}, note=note)


def test_the_best_is_first_and_naked_is_one() -> None:
    samples = taken(naked=[3.0, 4.0, 3.5], raw=[0.25, 0.3, 0.35], fastapi=[0.2, 0.2, 0.2])
    result = Result(samples, {"falcon": "falcon is not installed"})
    assert report.table(question(Target(NAKED, faster=10), note="so it is"), "uvicorn", result, MACHINE) == (
        "**burst** on uvicorn 0.9: What? (us a chunk, less is better; 3 times each)\n"
        "\n"
        "|             app | us a chunk |  least to most | times naked | server, us a chunk |\n"
        "|----------------:|-----------:|---------------:|------------:|-------------------:|\n"
        "| **fastapi 1.2** |      0.200 | 0.200 to 0.200 |       17.50 |               1.00 |\n"
        "|             raw |      0.300 | 0.250 to 0.350 |       12.00 |               1.00 |\n"
        "|           naked |       3.50 |   3.00 to 4.00 |        1.00 |               1.00 |\n"
        "\n"
        "- so it is\n"
        "- burst: raw is 12.00 times as fast as naked, at least 10 asked: reached\n"
        "- left out: falcon: falcon is not installed\n"
    )


def test_the_greatest_rate_is_first() -> None:
    samples = taken(naked=[3.0], raw=[2.0], fastapi=[4.0])
    assert report.ordered(question(figures=RATE), samples) == [FASTAPI, NAKED, RAW]
    assert report.ordered(question(), samples) == [RAW, NAKED, FASTAPI]


def texts(svg: str) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("figures", [COST, RATE])
def test_a_plot_says_who_and_how_much(figures: tuple[Figure, ...]) -> None:
    need("matplotlib")
    samples = taken(naked=[3.0, 4.0], raw=[0.1, 0.2], fastapi=[700.0, 800.0])
    drawn = plots.svg(question(figures=figures), samples)
    assert len(drawn) < 30_000
    said = " ".join(texts(drawn))
    for word in (NAKED, RAW, FASTAPI, "0.150", "3.50", "750.00", "What?", figures[0].name):
        assert word in said
    assert drawn == plots.svg(question(figures=figures), samples)  # no date, no chance: a run drawn again is the same


def test_a_plot_can_do_without_naked() -> None:
    need("matplotlib")
    assert "times as good" not in " ".join(texts(plots.svg(question(), {RAW: [(1.0, None)], FASTAPI: [(2.0, None)]})))


def test_the_machine_and_the_versions_are_told() -> None:
    told = report.sentence(report.machine())
    assert re.fullmatch(r"python 3\.\d+\.\d+, uvicorn \d.*, fastapi \d.*; .+, \d+ cores, .+", told)
