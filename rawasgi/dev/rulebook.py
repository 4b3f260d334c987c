"""``rawasgi rules``: what an app and a server are held to, as a list, a table, or a diagram."""

import argparse

from rawasgi.dev.findings import FAULTS
from rawasgi.dev.validation import rules
from rawasgi.errors import AppError, ServerError
from rawasgi.states import HTTP, Row

EXTENDED = ("debugged", "started, trailers", "streaming, trailers", "trailers")  # states that only extensions lead to
HEAD = "| rule | whose | what holds | where it is written |\n|---|---|---|---|"


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("rules", help="list what an app and a server are held to, and where it is written")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--markdown", action="store_true", help="as tables, with what rawasgi check looks for")
    how.add_argument("--diagram", action="store_true", help="the order of HTTP's messages, for Mermaid")
    parser.set_defaults(run=run_rules)


def run_rules(options: argparse.Namespace) -> int:
    """Print the rules."""
    print(diagram() if options.diagram else markdown() if options.markdown else listed())
    return 0


def _rows() -> list[tuple[str, str, str, str]]:
    faults = {AppError: "app", ServerError: "server"}
    return [
        (rule.id, next((name for kind, name in faults.items() if issubclass(rule.fault, kind)), "either"), rule.text,
         rule.spec)
        for rule in rules()
    ]  # fmt: skip


def listed() -> str:
    return "\n".join(f"{id} ({whose})\n    {text}\n    {spec}" for id, whose, text, spec in _rows())


def markdown() -> str:
    lines = [f"| `{id}` | {whose} | {text} | {spec} |" for id, whose, text, spec in _rows()]
    faults = [f"| `{id}` | {text} |" for id, text in FAULTS.items()]
    return "\n".join([HEAD, *lines, "", "| fault | what should hold |", "|---|---|", *faults])


def diagram() -> str:
    """Return the legal order of one HTTP exchange as a Mermaid state diagram, without what only extensions allow."""
    begins = [f"    [*] --> {state}" for state in (HTTP.sending, HTTP.receiving)]
    plain = [row for row in HTTP.rows if "extensions" not in row.spec and row.state not in EXTENDED]
    return "\n".join(["stateDiagram-v2", *begins, *map(_arrow, plain)])


def _arrow(row: Row) -> str:
    kind, _, flag = row.event[1:].removeprefix("http.").partition("+")
    return f"    {row.state} --> {row.then}: {kind}{f', {flag}' if flag else ''}"
