"""A plot a question. Small, for light pages and dark.

One bar an app, as many times as good as naked as it is long; for a curve one line an app.
"""

import importlib.util
import io
import re
from statistics import median
from typing import Any

from benchmarks.peers import NAKED, PEERS, RAW
from benchmarks.question import Curve, Question, Samples, short
from benchmarks.report import at, known, ordered, speed

INK, OURS, THEIRS = "#7d8590", "#d9822b", "#5b8db8"  # each to be seen on white and on black
OTHERS = ("#4c78a8", "#54a24b", "#b279a2", "#e45756", "#4fb0aa", "#9d755d", "#c58ac0", "#8a9a3c")  # as PEERS comes
LOG = 20  # from this much between least and greatest on
DECADE = 10  # a curve's figures have at least so much room: what is noise shall look like it


def missing() -> str | None:
    """Return why there are no plots, or None."""
    return None if importlib.util.find_spec("matplotlib") else "no plots: matplotlib is not installed"


def svg(question: Question, samples: Samples) -> str:
    """Return the plot of one question."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure as Canvas

    style = {"svg.fonttype": "none", "svg.hashsalt": question.name, "font.family": "sans-serif"}
    with rc_context(style):
        if question.curves:
            canvas = Canvas(figsize=(7, 3.2 * len(question.curves)), layout="constrained")
            all_axes: Any = canvas.subplots(len(question.curves), squeeze=False)
            for curve, axes in zip(question.curves, all_axes[:, 0], strict=True):
                _lines(question, curve, samples, axes)
            first = all_axes[0, 0]
        else:
            canvas = Canvas(figsize=(7, 0.9 + 0.32 * len(samples)), layout="constrained")
            first = canvas.subplots()
            _bars(question, samples, first)
        first.set_title(f"{question.name}: {question.text}", color=INK, fontsize=10, loc="left")
        for axes in canvas.axes:
            axes.tick_params(colors=INK, which="both")
            for side in axes.spines.values():
                side.set_visible(False)
        out = io.StringIO()
        canvas.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawn = re.sub(r"<metadata>.*?</metadata>", "", out.getvalue(), flags=re.DOTALL)
    return re.sub(r" +$", "", drawn, flags=re.MULTILINE)


def _bars(question: Question, samples: Samples, axes: Any) -> None:
    """One bar an app."""
    apps = ordered(question, samples)[::-1]  # the best is above
    lengths, low, high = _lengths(question, samples, apps)
    colors = [OURS if app == RAW else THEIRS for app in apps]
    error = [[one - least for one, least in zip(lengths, low, strict=True)]]
    error.append([most - one for one, most in zip(lengths, high, strict=True)])
    axes.barh(apps, lengths, color=colors, xerr=error, ecolor=INK, capsize=2, height=0.7)
    if max(lengths) > LOG * min(lengths) > 0:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
    for app, length, most in zip(apps, lengths, high, strict=True):
        beside = {"xytext": (5, 0), "textcoords": "offset points", "va": "center"}
        axes.annotate(short(median(known(samples[app], 0))), (max(length, most), app), color=INK, fontsize=8, **beside)
    axes.margins(x=0.12)
    name = question.figures[0].name
    if NAKED in samples:
        axes.axvline(1.0, color=INK, linewidth=0.8, linestyle="--")
    axes.set_xlabel(f"times as good as naked; beside each bar: {name}" if NAKED in samples else name, color=INK)


def _lines(question: Question, curve: Curve, samples: Samples, axes: Any) -> None:
    """One line an app, from point to point; both axes are logarithmic."""
    from matplotlib.ticker import LogLocator, NullLocator

    ends = []
    peers = [app for app in PEERS if app not in (NAKED, RAW)]
    for app, taken in samples.items():
        points = [(point, median(known(taken, index))) for point, index in at(question, curve) if known(taken, index)]
        if points:
            ends.append(points[-1][1])
            look: dict[str, object] = {"color": OURS, "linewidth": 2.5, "zorder": 3}
            if app == NAKED:
                look = {"color": INK, "linewidth": 1.5, "linestyle": "--"}
            elif app != RAW:
                look = {"color": OTHERS[peers.index(app) % len(OTHERS)], "linewidth": 1.0}
            axes.plot(*zip(*points, strict=True), label=app, marker="o", markersize=3, **look)
    axes.set_xscale("log")
    axes.set_yscale("log")
    least, most = axes.get_ylim()
    wider = max(1.0, (DECADE * least / most) ** 0.5)
    axes.set_ylim(least / wider, most * wider)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if most / least < DECADE**3 else (1,)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xticks(sorted(curve.at), [curve.label(point) for point in sorted(curve.at)])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(color=INK, alpha=0.2, linewidth=0.5)
    axes.set_ylabel(curve.unit, color=INK)
    if curve.of:
        axes.set_xlabel(curve.of, color=INK)
    handles, names = axes.get_legend_handles_labels()
    order = sorted(range(len(names)), key=lambda index: ends[index], reverse=True)  # as they end on the right
    axes.legend(
        [handles[index] for index in order],
        [names[index] for index in order],
        loc="center left",
        bbox_to_anchor=(1, 0.5),
        frameon=False,
        fontsize=8,
        labelcolor=INK,
    )


def _lengths(question: Question, samples: Samples, apps: list[str]) -> tuple[list[float], list[float], list[float]]:
    """The length of each bar, and its least and greatest: against naked turn by turn, where naked was asked."""
    if NAKED not in samples:
        figures = [known(samples[app], 0) for app in apps]
        return [median(one) for one in figures], [min(one) for one in figures], [max(one) for one in figures]
    spread = []
    for app in apps:
        pairs = zip(known(samples[app], 0), known(samples[NAKED], 0), strict=True)
        spread.append([question.figures[0].speed(own, of) for own, of in pairs])
    lengths = [speed(question, samples, app, NAKED) or 0.0 for app in apps]
    return lengths, [min(one) for one in spread], [max(one) for one in spread]
