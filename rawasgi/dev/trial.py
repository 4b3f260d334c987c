"""Check an app again with its lines changed: in a process of its own, and in memory, so that no file is written.

The process is the same command with ``--changed``: it reads the edits from its standard input, changes the source of
each module as it is imported, and prints lines of JSON. A changed source keeps its number of lines, so that what it
reports has the lines of the files.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple
from glob import escape
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

from rawasgi.dev.changes import Edit, lines_of
from rawasgi.dev.findings import Finding
from rawasgi.dev.reports import progress
from rawasgi.dev.results import Result

OPTION = "--changed"


class NotTried(Exception):
    """The changed app could not be checked: why."""


def apply(source: Sequence[str], edits: Iterable[Edit]) -> str:
    """Return the lines of *source* with *edits*, which do not overlap, and as many lines as before."""
    lines = list(source)
    for edit in sorted(edits, key=lambda each: (each.line, each.column), reverse=True):
        new = re.sub(r"\n *", "; ", edit.new)  # what an edit adds are plain statements
        text = lines[edit.line - 1][: edit.column - 1] + new + lines[edit.end_line - 1][edit.end_column - 1 :]
        lines[edit.line - 1 : edit.end_line] = [text, *[""] * (edit.end_line - edit.line)]
    return "\n".join(lines)


class _Changed(SourceFileLoader):
    """Loads a module from its changed source."""

    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = compile(self._source, self.path, "exec", dont_inherit=True)
        return code


class Changes(MetaPathFinder):
    """Put into ``sys.meta_path``, it lets modules be imported with their changes."""

    def __init__(self, edits: Sequence[Edit]) -> None:
        files = {edit.file for edit in edits}
        self._sources = {file: apply(lines_of(file), [each for each in edits if each.file == file]) for file in files}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin not in self._sources:
            return None
        spec.loader = _Changed(fullname, spec.origin, self._sources[spec.origin])
        return spec


def install(text: str) -> None:
    """Let what is imported from now on have the edits in *text*, which ``check_again`` writes."""
    sys.meta_path.insert(0, Changes([Edit(*each) for each in json.loads(text)]))


def check_again(options: argparse.Namespace, results: Sequence[Result], edits: Sequence[Edit], end: float) -> None:
    """Check *results* again with *edits*, until *end* by ``time.monotonic()``; set what remains. Raises: NotTried."""
    left = end - time.monotonic()
    if left <= 0:
        raise NotTried("--timeout was over before")
    command = [sys.executable, "-m", "rawasgi.dev.cli", *arguments(options, results)]
    command += [] if left == float("inf") else [f"--timeout={left}"]
    by_name = {result.name: result for result in results}
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, encoding="utf-8"
        ) as process:
            try:
                assert process.stdin is not None
                assert process.stdout is not None
                with process.stdin:
                    json.dump([astuple(each) for each in edits], process.stdin)
                complete = _read(process.stdout, by_name)
            finally:
                process.kill()
        if not complete:
            errors.seek(0)
            said = errors.read().decode("utf-8", "replace").strip().splitlines()
            raise NotTried(said[-1] if said else f"its process ended with the status {process.returncode}")


def _read(lines: Iterable[str], results: Mapping[str, Result]) -> bool:
    """Set what remains of *results*; return whether the report is complete."""
    findings: list[Finding] = []
    count = 0
    for line in lines:
        if not line.startswith("{"):  # of a library that writes to the file descriptor
            continue
        entry = json.loads(line)
        if "summary" in entry:
            return True
        if "route" in entry:
            count += 1
            progress(f"with the changes: {count}/{len(results)} {entry['route']}")
            result = results.get(entry["route"])
            if result is not None and entry["verdict"] in ("clean", "faults"):
                result.after = findings
            findings = []
        else:
            findings.append(Finding(*(entry[name] for name in Finding.__slots__)))
    return False


def arguments(options: argparse.Namespace, results: Sequence[Result]) -> list[str]:
    """Return the arguments that check the routes of *results* as *options* say."""
    paths = sorted({escape(result.route.path) for result in results if result.route is not None})
    repeated = [("--method", each) for each in options.method]
    repeated += [("--param", f"{name}={value}") for name, value in options.param]
    repeated += [("--header", f"{name}:{value}") for name, value in options.header]
    repeated += [("--skip", each) for each in options.skip]
    limits = [(f"--{name}", str(getattr(options, name))) for name in ("seconds", "grace", "blocked")]
    given = [] if options.data is None else [("--data", options.data)]
    flags = [f"--{name}" for name in ("unsafe", "factory", "thorough") if getattr(options, name)]
    pairs = [f"{name}={value}" for name, value in (*repeated, *limits, *given)]
    return ["adopt", options.app, *paths, *pairs, *flags, "--json", OPTION]
