"""A plot a question: one bar an app, as many times as good as naked as it is long. Small, for light pages and dark."""

import importlib.util
import io
import re
from statistics import median
from typing import Any

from benchmarks.peers import NAKED, RAW
from benchmarks.question import Question, Samples, short
from benchmarks.report import known, ordered, speed

INK, OURS, THEIRS = "#7d8590", "#d9822b", "#5b8db8"  # each to be seen on white and on black
LOG = 20  # from this much between least and greatest on


def missing() -> str | None:
    """Return why there are no plots, or None."""
    return None if importlib.util.find_spec("matplotlib") else "no plots: matplotlib is not installed"


def svg(question: Question, samples: Samples) -> str:
    """Return the plot of one question."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure as Canvas

    apps = ordered(question, samples)[::-1]  # the best is above
    lengths, low, high = _bars(question, samples, apps)
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": question.name, "font.family": "sans-serif"}):
        canvas = Canvas(figsize=(7, 0.9 + 0.32 * len(apps)), layout="constrained")
        axes: Any = canvas.subplots()
        colors = [OURS if app == RAW else THEIRS for app in apps]
        error = [[one - least for one, least in zip(lengths, low, strict=True)]]
        error.append([most - one for one, most in zip(lengths, high, strict=True)])
        axes.barh(apps, lengths, color=colors, xerr=error, ecolor=INK, capsize=2, height=0.7)
        if max(lengths) > LOG * min(lengths) > 0:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")
        for app, length, most in zip(apps, lengths, high, strict=True):
            beside = {"xytext": (5, 0), "textcoords": "offset points", "va": "center"}
            axes.annotate(
                short(median(known(samples[app], 0))), (max(length, most), app), color=INK, fontsize=8, **beside
            )
        axes.margins(x=0.12)
        name = question.figures[0].name
        if NAKED in samples:
            axes.axvline(1.0, color=INK, linewidth=0.8, linestyle="--")
        axes.set_xlabel(f"times as good as naked; beside each bar: {name}" if NAKED in samples else name, color=INK)
        axes.set_title(f"{question.name}: {question.text}", color=INK, fontsize=10, loc="left")
        axes.tick_params(colors=INK, which="both")
        for side in axes.spines.values():
            side.set_visible(False)
        out = io.StringIO()
        canvas.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return re.sub(r"<metadata>.*?</metadata>", "", out.getvalue(), flags=re.DOTALL)


def _bars(question: Question, samples: Samples, apps: list[str]) -> tuple[list[float], list[float], list[float]]:
    """The length of each bar, and its least and greatest: against naked turn by turn, where naked was asked."""
    if NAKED not in samples:
        figures = [known(samples[app], 0) for app in apps]
        return [median(one) for one in figures], [min(one) for one in figures], [max(one) for one in figures]
    spread = []
    for app in apps:
        pairs = zip(known(samples[app], 0), known(samples[NAKED], 0), strict=True)
        spread.append([question.figures[0].speed(own, of) for own, of in pairs])
    lengths = [speed(question, samples, app, NAKED) for app in apps]
    return lengths, [min(one) for one in spread], [max(one) for one in spread]
