"""``rawasgi diff``: the same request to two apps, their messages side by side."""

import argparse
import json
from collections.abc import Sequence
from itertools import pairwise, zip_longest

from rawasgi.dev.looking import as_json, loaded, script_options, traced
from rawasgi.dev.tracing import Traced

EPILOG = """\
examples:
  rawasgi diff mine:app theirs:app /stream
  rawasgi diff examples.raw:app examples.twin:app /stream-error

exit status: 0 if both sent the same, message by message; 1 if not; 2 if one of them could not be loaded.
"""
FIGURES = ("first body byte, ms", "last, ms", "longest gap, ms", "messages with a body", "bytes", "bytes a message")


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "diff",
        parents=[script_options()],
        help="the same request to two apps, side by side",
        description="Trace the same exchange with two apps, and show where what they send first differs.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("app", help="module:attribute")
    parser.add_argument("other", help="module:attribute")
    parser.add_argument("path", nargs="?", default="/")
    parser.set_defaults(run=run_diff)


def run_diff(options: argparse.Namespace) -> int:
    """Trace two apps. Returns: 1 if they differ in what they send."""
    apps = [loaded(name) for name in (options.app, options.other)]
    if None in apps:
        return 2
    both = [[each for each in traced(app, options.path, options) if each.arrow != "<"] for app in apps if app]
    names = (options.app, options.other)
    first = first_difference(*both)
    if options.json:
        for name, found in zip(names, both, strict=True):
            print("\n".join(json.dumps({"app": name} | json.loads(as_json(each))) for each in found))
        print(json.dumps({"first_difference": first, "figures": dict(zip(names, map(figures, both), strict=True))}))
    else:
        print("\n".join(side_by_side(*both)))
        print(table(names, both))
        print("both sent the same" if first is None else f"the first difference is in message {first + 1}")
    return int(first is not None)


def first_difference(one: Sequence[Traced], other: Sequence[Traced]) -> int | None:
    """Return the index of the first message that differs in type, status, size or first bytes; None if none does."""
    for index, (left, right) in enumerate(zip_longest(one, other)):
        if left is None or right is None or _kind(left) != _kind(right):
            return index
    return None


def side_by_side(one: Sequence[Traced], other: Sequence[Traced]) -> list[str]:
    first = first_difference(one, other)
    lines = []
    for index, (left, right) in enumerate(zip_longest(one, other)):
        mark = " " if first is None or index < first else "!" if index == first else "|"
        lines.append(f"{_half(left):<58} {mark} {_half(right)}".rstrip())
    return lines


def table(names: Sequence[str], both: Sequence[Sequence[Traced]]) -> str:
    """Return the figures of both, and how they ended."""
    rows = [["", *names]]
    for figure in FIGURES:
        rows.append([figure, *(f"{figures(found)[figure]:,.6g}" for found in both)])
    rows.append(["end", *(found[-1].what[:30] for found in both)])
    return "\n" + "\n".join(f"{row[0]:<22}{row[1]:>32}{row[2]:>32}" for row in rows)


def figures(found: Sequence[Traced]) -> dict[str, float]:
    """Return FIGURES of one exchange: times in milliseconds since the app was called."""
    bodies = [each for each in found if each.size]
    whole = sum(each.size for each in bodies)
    gaps = [later.at - earlier.at for earlier, later in pairwise(bodies)]
    values = (
        round(bodies[0].at * 1000, 1) if bodies else 0.0,
        round(found[-1].at * 1000, 1),
        round(max(gaps, default=0.0) * 1000, 1),
        len(bodies),
        whole,
        round(whole / len(bodies)) if bodies else 0,
    )
    return dict(zip(FIGURES, values, strict=True))


def _kind(each: Traced) -> tuple[str, str, int, bytes]:
    return each.what, each.detail.partition(" ")[0], each.size, each.first


def _half(each: Traced | None) -> str:
    if each is None:
        return ""
    kind = each.what.removeprefix("http.response.").removeprefix("websocket.")
    return f"{each.at * 1000:8.1f} {kind:<10.30} {each.detail:<22} {each.size or ''}"
