"""What a check has found, for people, programs and GitHub: text, JSON, SARIF (sarif.py) and annotations."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from difflib import ndiff
from typing import TextIO

from rawasgi.dev.changes import Edit
from rawasgi.dev.findings import FAULTS, Finding
from rawasgi.dev.places import relative
from rawasgi.dev.results import Result, plan_of
from rawasgi.dev.uses import new_module

TOTALS = {
    "clean": "without a fault",
    "faults": "with faults",
    "no stream": "that do not stream",
    "unjudged": "not judged",
    "uncalled": "not called",
    "unknown": "of which nothing shows whether they stream",
}


class Report:
    """Writes what is found as it is found, and last all of it. The base of the four."""

    def __init__(self, output: TextIO) -> None:
        self.output = output

    def found(self, result: Result, finding: Finding) -> None:
        """Write *finding*, the last of *result* so far."""

    def judged(self, result: Result) -> None:
        """Write *result*, which is complete."""

    def end(self, results: Sequence[Result], unread: Sequence[str], status: int) -> None:
        """Write the summary. *unread*: mounted apps that have no routes to read. *status*: the exit status."""

    def _write(self, *lines: str) -> None:
        print(*lines, sep="\n", file=self.output, flush=True)


class Text(Report):
    """For people: below each path what was found, and what showed it; then what to change."""

    _heading = ""

    def found(self, result: Result, finding: Finding) -> None:
        if result.name != self._heading:
            self._heading = result.name
            self._write(_heading(result))
        self._write(f"  {finding.id}: {finding.what}", f"      when {finding.probe} ({finding.server})")

    def judged(self, result: Result) -> None:
        if not result.listed:
            return
        if result.verdict in ("uncalled", "unjudged"):
            self._write(f"{_heading(result)}: not judged: {result.reason}")
        elif result.verdict == "unknown":
            self._write(f"{_heading(result)}: not known whether it streams: {result.reason}")
        elif result.verdict == "clean":
            self._write(f"{_heading(result)}: nothing found")
        elif result.verdict == "faults":
            self._mended(result)

    def _mended(self, result: Result) -> None:
        """Write which change mends *result*, and what remains."""
        found, what = result.plan, ", ".join(sorted({each.id for each in result.remains}))
        where = ", ".join(sorted({f"{relative(each.file)}:{each.line}" for each in found.edits}) or found.notes)
        heading, names = _heading(result), f"{', '.join(found.names)} of {new_module()} ({where})"
        if result.after is not None:
            self._write(f"{heading}: with {names} {'remains' if what else 'nothing is found'}")
            for each in result.after:
                self._write(f"  {each.id}: {each.what}", f"      when {each.probe} ({each.server})")
        elif found.names:
            self._write(f"{heading}: mended by {names}{f', but for {what}' if what else ''}")
        else:
            self._write(f"{heading}: no import mends {what}")

    def end(self, results: Sequence[Result], unread: Sequence[str], status: int) -> None:
        found = plan_of(results)
        if found.edits or found.notes:
            self._write("", "what to change:")
        for edit in found.edits:
            self._write(f"  {relative(edit.file)}:{edit.line}", *changed(edit))
        for note in found.notes:
            self._write(f"  {note}")
        if any(result.listed for result in results):
            self._write("", totals(results, unread))
        self._write(summary(results))


def changed(edit: Edit) -> list[str]:
    """Return the lines of *edit* as ``diff`` shows them; what stays as it is begins with a space."""
    return [f"    {line}" for line in ndiff(edit.old_lines, edit.new_lines) if line[0] != "?"]


def _heading(result: Result) -> str:
    file, line = result.place()
    function = result.route.function() if result.route is not None and result.listed else None
    return result.name if function is None else f"{result.name} ({file}:{line} {function.__name__})"


def totals(results: Sequence[Result], unread: Sequence[str]) -> str:
    """Return how many routes have each verdict, and which mounted apps have no routes to read."""
    counts: Counter[str] = Counter(each.verdict for each in results)
    lines = [", ".join(f"{counts[key]} {text}" for key, text in TOTALS.items() if counts[key])]
    if unread:
        lines.append(f"mounted, without routes that can be read: {', '.join(unread)}")
    return "routes: " + "\n".join(lines)


def summary(results: Sequence[Result]) -> str:
    """Return what was found, in a sentence, and what each of it means."""
    counts = counted(results)
    judged = sum(each.verdict in ("clean", "faults") for each in results)
    where = f"{judged} path{'s' * (judged != 1)}"
    if not counts:
        return f"{where}: nothing found"
    lines = [f"{count:4} {id}: {FAULTS.get(id, 'see rawasgi rules')}" for id, count in sorted(counts.items())]
    return "\n".join([f"{where}: {sum(counts.values())} found", *lines])


def counted(results: Sequence[Result]) -> dict[str, int]:
    return dict(Counter(finding.id for each in results for finding in each.findings))


class Lines(Report):
    """JSON: a line for each finding, for each route, and one for the summary."""

    def found(self, result: Result, finding: Finding) -> None:
        file, line = result.place(finding)
        self._json({**asdict(finding), "file": file, "line": line})

    def judged(self, result: Result) -> None:
        if not result.listed:
            return
        file, line = result.place()
        found = result.plan
        self._json(
            {
                "route": result.name,
                "file": file,
                "line": line,
                "verdict": result.verdict,
                "reason": result.reason,
                "signs": list(result.evidence.signs),
                "findings": sorted({each.id for each in result.findings}),
                "imports": found.names,
                "changes": [each.as_dict() for each in found.edits],
                "notes": found.notes,
                "remains": sorted({each.id for each in result.remains}),
                "tried": result.after is not None,
            }
        )

    def end(self, results: Sequence[Result], unread: Sequence[str], status: int) -> None:
        judged = sum(each.verdict in ("clean", "faults") for each in results)
        changes = [each.as_dict() for each in plan_of(results).edits]
        summary = {"paths": judged, "findings": counted(results), "changes": changes, "unread": unread}
        self._json({"summary": {**summary, "status": status}})

    def _json(self, value: object) -> None:
        self._write(json.dumps(value, ensure_ascii=False))


class Annotations(Report):
    """GitHub's workflow commands: an error at the line of each finding, a warning for what could not be judged."""

    def found(self, result: Result, finding: Finding) -> None:
        text = f"{finding.path}: {finding.what}, when {finding.probe} ({finding.server})"
        self._annotate("error", finding.id, text, *result.place(finding))

    def judged(self, result: Result) -> None:
        if result.verdict == "unjudged":
            self._annotate("warning", "not judged", f"{result.name}: {result.reason}", *result.place())

    def end(self, results: Sequence[Result], unread: Sequence[str], status: int) -> None:
        for edit in plan_of(results).edits:
            text = "\n".join(["change to:", *edit.new_lines])
            self._annotate("notice", "change", text, relative(edit.file), edit.line)
        self._write(summary(results))

    def _annotate(self, kind: str, title: str, text: str, file: str, line: int) -> None:
        where = {"file": file, "line": str(line)} if file else {}
        properties = ",".join(f"{key}={_property(value)}" for key, value in {**where, "title": title}.items())
        self._write(f"::{kind} {properties}::{_data(text)}")


def _data(text: str) -> str:
    """Escape the message of a workflow command, as ``@actions/core`` does."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escape a property of a workflow command, as ``@actions/core`` does."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def progress(text: str) -> None:
    """Show on a terminal what is going on, in one line; an empty text clears it."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def add_outputs(parser: argparse.ArgumentParser) -> None:
    """Add the options that say in which form the report is written."""
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--json", action="store_true", help="a line of JSON for each finding, and one of a summary")
    one.add_argument("--sarif", action="store_true", help="SARIF 2.1.0, as code scanning takes it")
    one.add_argument("--github", action="store_true", help="annotations, as a workflow of GitHub prints them")
