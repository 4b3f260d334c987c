"""The benchmarks' curves: a column a point in the table, a line an app in the plot, naked beside raw."""

import importlib
from xml.etree import ElementTree

import pytest
from serving import need

from benchmarks import __main__ as command
from benchmarks import plots, report
from benchmarks.peers import FASTAPI, NAKED, RAW
from benchmarks.question import Curve, Question, Samples, binary
from benchmarks.running import Result

if plots.missing() is None:
    importlib.import_module("matplotlib.figure")  # now: see MODULES in test_benchmark_peers.py
    importlib.import_module("matplotlib.ticker")
COST = Curve("us a chunk", "", (1024, 16, 1 << 20), binary)
KIB = Curve("KiB a stream", "streams", (1_000, 100))
QUESTION = Question(
    *("chunks", "How?", (*COST.figures(), *KIB.figures()), "/", lambda turn: (1.0,)), curves=(COST, KIB)
)
SAMPLES: Samples = {
    NAKED: [(8.0, 4.0, 1000.0, None, 10.0), (10.0, 6.0, 1000.0, None, 10.0)],
    RAW: [(3.0, 0.5, 2000.0, None, 15.0), (3.0, 0.5, 2000.0, None, 15.0)],
}


@pytest.mark.parametrize(("size", "told"), [(16, "16 B"), (1024, "1 KiB"), (65536, "64 KiB"), (1 << 20, "1 MiB")])
def test_a_size_is_told_in_its_unit(size: int, told: str) -> None:
    assert binary(size) == told


def test_the_points_are_in_order_and_each_has_its_best() -> None:
    assert report.table(QUESTION, "uvicorn", Result(SAMPLES), {}) == (
        "**chunks** on uvicorn: How? (us a chunk, 1 KiB, less is better; 2 times each)\n"
        "\n"
        "|       us a chunk |      16 B |    1 KiB |     1 MiB |\n"
        "|-----------------:|----------:|---------:|----------:|\n"
        "|              raw | **0.500** | **3.00** |     2,000 |\n"
        "|            naked |      5.00 |     9.00 | **1,000** |\n"
        "| raw, times naked |     10.00 |     3.00 |      0.50 |\n"
        "\n"
        "|     KiB a stream | 100 streams |\n"
        "|-----------------:|------------:|\n"
        "|              raw |       15.00 |\n"
        "|            naked |   **10.00** |\n"
        "| raw, times naked |        0.67 |\n"
        "\n"
        "- not measured: KiB a stream, 1,000 streams\n"
    )


def test_a_curve_without_naked_has_no_ratio() -> None:
    told = report.table(QUESTION, "uvicorn", Result({RAW: SAMPLES[RAW], FASTAPI: SAMPLES[NAKED]}), {"fastapi": "1.2"})
    assert "fastapi 1.2" in told
    assert "times naked" not in told


def test_a_plot_has_a_line_an_app_and_a_panel_a_curve() -> None:
    need("matplotlib")
    drawn = plots.svg(QUESTION, SAMPLES)
    assert len(drawn) < 60_000
    tree = ElementTree.fromstring(drawn)
    texts = [text.text or "" for text in tree.iter("{http://www.w3.org/2000/svg}text")]
    for word in ("chunks: How?", "16 B", "1 KiB", "1 MiB", "us a chunk", "KiB a stream", "streams"):
        assert word in texts
    assert texts.count(NAKED) == texts.count(RAW) == 2
    assert drawn == plots.svg(QUESTION, SAMPLES)


def test_a_question_that_nobody_could_be_asked_is_told_with_the_reason() -> None:
    result = Result({}, {NAKED: "too few open files", RAW: "too few open files"})
    told = report.table(QUESTION, "uvicorn", result, {})
    assert "- left out: raw: too few open files\n" in told
    assert "|" not in told
    assert report.summary([QUESTION], "uvicorn", {"chunks": result}) == "0 of 0 targets reached"


def test_every_curve_has_its_figures_first() -> None:
    for asked in command.QUESTIONS.values():
        if asked.curves:
            assert asked.figures == tuple(figure for curve in asked.curves for figure in curve.figures())
