"""Lint, format and types are tests, so that one command is all there is to run."""

import subprocess
import sys
from pathlib import Path

import pytest
from checkers import pyright

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy", "rawasgi", "examples", "tests", "benchmarks", "dev.py"],
    ],
    ids=["lint", "format", "types"],
)
def test_nothing_to_mend(command: list[str]) -> None:
    process = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr


def test_pyright_takes_apps_in_both_directions() -> None:
    """What is checked, and by which rules, is in pyproject.toml."""
    process = pyright(folder=ROOT)
    assert process.returncode == 0, process.stdout + process.stderr


def test_each_public_name_has_a_known_type() -> None:
    """Type checkers differ in what they infer: an attribute has its type where it is first set."""
    process = pyright("--verifytypes", "rawasgi", "--ignoreexternal", folder=ROOT)
    problems = process.stdout.partition("Symbols used in public interface:")[2]
    # The score alone is rounded: of 2,252 names one may be missing at 100 %.
    assert process.returncode == 0, problems + process.stderr
    assert "Type completeness score: 100%" in problems
